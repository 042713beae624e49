"""Measures where the time of `--model pixfound_pixel` goes: `python perf/pixel.py [--pretrained NAME]`.

PixMini's referring expressions, about its images enlarged to 640 x 480 pixels, are answered with masks. The program
prints the shares of the time of the language model (with the encoder of its images), the segmenter's image encoder, the
mask decoder, and the rest: prompts, resizing, masks at full size and their encoding. Without a checkpoint, the embedded
model writes the answers, its full stops are the mask tokens, and a SAM of random weights draws: of the size of ViT-B on
a CPU, of ViT-H on a GPU. On a GPU, every part is waited for.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from typing import Any

import torch
from lmms_eval.api.instance import Instance
from torch import nn
from transformers import AutoModelForImageTextToText, AutoProcessor, SamConfig, SamModel

from pixfound_tasks import load_benchmark, mini
from pixfound_tasks.models import pixfound_pixel
from pixfound_tasks.pixel.base import PixelModel
from pixfound_tasks.pixel.sam_decoder import SamDecoder
from pixfound_tasks.tasks import referring

TASK, SIZE = "pixmini_ground", (640, 480)
MOST_REST = 0.1
# Of Meta's build_sam.py: width, depth, heads, global blocks.
VIT_B, VIT_H = (768, 12, 12, [2, 5, 8, 11]), (1280, 32, 16, [7, 15, 23, 31])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pretrained", help="a checkpoint; a stand-in of random weights without")
    parser.add_argument("--documents", type=int, default=6)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    if not options.pretrained:
        standin = make_standin(options.device)
        pixfound_pixel.load_pixel_model = lambda *_: standin
    model = pixfound_pixel.PixFoundPixel(
        options.pretrained or "stand-in", device=options.device, batch_size=options.batch, max_new_tokens=64
    )
    docs = documents(options.documents)
    spent: dict[str, float] = {}
    listen(model.model, options.device, spent)
    answer(model, docs[: options.batch])  # warm-up
    spent.clear()
    start = time.perf_counter()
    responses = answer(model, docs)
    total = time.perf_counter() - start
    where = torch.cuda.get_device_name() if options.device.startswith("cuda") else f"CPU {platform.machine()}"
    drawn = sum(text.count('"counts"') for text in responses)
    print(f"{where}, torch {torch.__version__}, {torch.get_num_threads()} threads, batch {options.batch}")
    print(f"{len(docs)} documents, {drawn} masks, {total / len(docs):.3f} s per document")
    rest = total - sum(spent.values())
    for name, seconds in {**spent, "rest": rest}.items():
        print(f"{name:16} {100 * seconds / total:5.1f} %  {seconds / len(docs):8.4f} s per document")
    if rest > MOST_REST * total:
        raise SystemExit(f"expected a rest of at most {MOST_REST:.0%}")


def make_standin(device: str) -> PixelModel:
    torch.manual_seed(0)
    folder = mini.weights_folder()
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype="float32", trust_remote_code=False)
    processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
    width, depth, heads, whole = VIT_H if device.startswith("cuda") else VIT_B
    config = SamConfig(
        vision_config={
            "hidden_size": width, "num_hidden_layers": depth, "num_attention_heads": heads,
            "global_attn_indexes": whole,
        }
    )  # fmt: skip
    sam = SamModel(config).eval().to(device)
    hidden = model.config.get_text_config().hidden_size
    projection = nn.Linear(hidden, config.prompt_encoder_config.hidden_size).to(device)
    stop = processor.tokenizer(".", add_special_tokens=False).input_ids[-1]
    return PixelModel("lisa", model.eval().to(device), processor, projection, SamDecoder(sam), stop)


def listen(model: PixelModel, device: str, spent: dict[str, float]) -> None:
    """Adds up the seconds of each part, from now on, in `spent`."""

    def timed(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            start = time.perf_counter()
            result = call(*args, **options)
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - start
            return result

        return run

    sam: Any = model.decoder.sam  # type: ignore[attr-defined]
    model.model.generate = timed("language model", model.model.generate)
    sam.vision_encoder.forward = timed("image encoder", sam.vision_encoder.forward)
    sam.mask_decoder.forward = timed("mask decoder", sam.mask_decoder.forward)


def documents(count: int) -> list[dict[str, Any]]:
    docs = load_benchmark("pixmini")["test"].select(range(count))
    return [dict(doc) | {"image": doc["image"].convert("RGB").resize(SIZE)} for doc in docs]


def answer(model: Any, docs: list[dict[str, Any]]) -> list[str]:
    def messages(doc: dict[str, Any]) -> list[dict[str, Any]]:
        text = referring.referring_prompt(doc, {"kind": "mask"})
        return [{"role": "user", "content": [{"type": "image", "url": doc["image"]}, {"type": "text", "text": text}]}]

    model.task_dict[TASK] = {"test": docs}
    requests = []
    for number in range(len(docs)):
        arguments = ("", messages, {"max_new_tokens": 64}, number, TASK, "test")
        about = {"task": TASK, "doc_id": number, "repeats": 1}
        requests.append(Instance("generate_until", arguments, number, about))
    return [str(result.text) for result in model.generate_until(requests)]


if __name__ == "__main__":
    main()
