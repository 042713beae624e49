"""Measures what an evaluation costs besides the model and the segmenter: `python perf/evaluation.py`.

The embedded model, deepened to 24 decoder layers, answers PixMini's referring expressions about its images enlarged to
640 x 480 and 1600 x 1200 pixels. The added layers compute and add nothing, so that the answers and their phrases are
sensible. Answers are grounded with the segmenter "region", and scored. The program prints the share of the time,
from the first request to the last score, in which neither the model nor the segmenter runs, with and without the worker
thread that grounds a batch while the next one is generated. The model is small (width 128), and a larger one makes the
share smaller. `--width` sets the width of the added layers' feed-forward parts. On a GPU, the model's time includes the
wait for it, because answers are read at the end of every generation.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from lmms_eval.api.instance import Instance
from transformers import AutoModelForImageTextToText, AutoProcessor

from pixfound_tasks import load_benchmark, masks, mini
from pixfound_tasks.models.pixfound import PixFound
from pixfound_tasks.tasks import referring

SIZES = ((480, 640), (1200, 1600))  # (height, width)
LAYERS, TASK = 24, "pixmini_ground"
Interval = tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=12)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--width", type=int, default=384, help="of the feed-forward parts of the added layers")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    where = torch.cuda.get_device_name() if options.device == "cuda" else f"CPU {platform.machine()}"
    print(f"{where}, torch {torch.__version__}, {torch.get_num_threads()} threads, {LAYERS} layers")
    with tempfile.TemporaryDirectory() as folder:
        deepen(Path(folder), options.width)
        for size in SIZES:
            docs = documents(size, options.documents)
            for is_overlapping in (False, True):
                model = open_model(folder, options.device, is_overlapping)
                evaluate(model, docs[: options.batch], options.batch)  # warm-up
                report(size, is_overlapping, *evaluate(model, docs, options.batch))
                model.clean()


def deepen(folder: Path, width: int) -> None:
    """Saves the embedded model with layers that add nothing between its own and the end."""
    source = mini.weights_folder()
    old = AutoModelForImageTextToText.from_pretrained(source, dtype="float32")
    config = old.config
    own, config.text_config.num_hidden_layers = config.text_config.num_hidden_layers, LAYERS
    narrow, config.text_config.intermediate_size = config.text_config.intermediate_size, width
    new = AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    weights = old.state_dict()
    for name, parameter in new.named_parameters():
        if name in weights and parameter.shape == weights[name].shape:
            parameter.data.copy_(weights[name])
        elif name in weights:  # a wider feed-forward part
            parameter.data.zero_()
            parameter.data[: weights[name].shape[0], : weights[name].shape[1]] = weights[name]
        elif name.endswith(("o_proj.weight", "down_proj.weight")):
            parameter.data.zero_()
    assert own < LAYERS and narrow <= width
    new.save_pretrained(folder)
    AutoProcessor.from_pretrained(source).save_pretrained(folder)


def documents(size: masks.Size, count: int) -> list[dict[str, Any]]:
    """Returns documents of PixMini with their images and masks enlarged."""
    found = []
    for doc in load_benchmark("pixmini")["test"].select(range(count)):
        target = masks.encode(masks.resize(masks.decode(doc["mask"]), size))
        image = doc["image"].convert("RGB").resize(size[::-1])
        found.append({**doc, "image": image, "mask": target, "height": size[0], "width": size[1]})
    return found


def open_model(folder: str, device: str, is_overlapping: bool) -> PixFound:
    model = PixFound(folder, segmenter="region", phrases="rules", device=device)
    if not is_overlapping and model._worker is not None:
        model._worker.shutdown()
        model._worker = None
    return model


def evaluate(model: PixFound, docs: list[dict[str, Any]], batch: int) -> tuple[float, dict[str, list[Interval]]]:
    """Returns the seconds that answering and scoring take, and when the model or the segmenter ran meanwhile."""
    model.batch_size = batch
    model.task_dict[TASK] = {"test": docs}
    used: dict[str, list[Interval]] = {"model": [], "segmenter": []}
    assert model.grounder is not None
    watch(model.lens.model, "generate", used["model"])
    watch(model.grounder.segmenter, "set_image", used["segmenter"])
    watch(model.grounder.segmenter, "segment", used["segmenter"])
    start = time.perf_counter()
    for doc, result in zip(docs, model.generate_until([request(doc, number) for number, doc in enumerate(docs)])):
        referring.score_grounding(doc, [result.text])
    return time.perf_counter() - start, used


def request(doc: dict[str, Any], number: int) -> Instance:
    def messages(doc: dict[str, Any]) -> list[dict[str, Any]]:
        parts = [{"type": "image", "url": doc["image"]}, {"type": "text", "text": referring.referring_prompt(doc)}]
        return [{"role": "user", "content": parts}]

    arguments = ("", messages, {"max_new_tokens": 64}, number, TASK, "test")
    return Instance("generate_until", arguments, number, {"task": TASK, "doc_id": number, "repeats": 1})


def watch(target: Any, name: str, used: list[Interval]) -> None:
    """Notes when a method of an object runs, in place of earlier notes."""
    method = getattr(type(target), name)

    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return method(target, *args, **kwargs)
        finally:
            used.append((start, time.perf_counter()))

    setattr(target, name, call)


def report(size: masks.Size, is_overlapping: bool, seconds: float, used: dict[str, list[Interval]]) -> None:
    rest = seconds - covered(used["model"] + used["segmenter"])
    model, segmenter = (covered(found) for found in used.values())
    way = f"{size[1]} x {size[0]} pixels, {'with' if is_overlapping else 'without'} a worker"
    parts = f"model {model:.2f} s, segmenter {segmenter:.2f} s, neither {rest:.2f} s"
    print(f"{way}: {seconds:.2f} s, of which {parts} ({rest / seconds:.1%})", flush=True)
    if not is_overlapping:
        print(f"  without the segmenter it would be {rest / (seconds - segmenter):.1%}", flush=True)


def covered(intervals: list[Interval]) -> float:
    """Returns the length of a union of intervals."""
    total = end = 0.0
    for start, stop in sorted(intervals):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


if __name__ == "__main__":
    main()
