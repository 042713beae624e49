"""Measures the cost of measuring a new layout's geometry: `python perf/geometry_cost.py`.

A LLaVA model with random weights, a decoder of 24 layers and a vision tower that has about a fifteenth of its
parameters (in LLaVA-1.5 it has a twentieth) is shown an image of a new size. The program prints the time of the
measurement, and of the cheap check of a registered rule, as multiples of one prefill of the same prompt: medians of
rounds. What the image tokens see of the pixel tensors is measured once for a layout of the model's inputs. An image of
another size with this layout takes only the places of these numbers and a proof ("another size"), and one of the same
size takes nothing. `--vision convolutions` is a FastVLM, whose tower is of convolutions (one block per stage, because
deeper towers of random weights lose the picture), and `--vision resampler` an Idefics2, whose map goes through its
resampler. No rule is registered for these two. On a GPU, the models are in bfloat16.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from PIL import Image

sys.path[0] = str(Path(__file__).parent.parent / "tests")  # this folder has an attention.py

from attention.toys import IDS, make_tokenizer, text_config, vision_config  # noqa: E402
from attention.zoo.zoo_parts import Parts  # noqa: E402
from attention.zoo.zoo_resamplers import idefics2  # noqa: E402
from attention.zoo.zoo_squares import fast_vlm  # noqa: E402

from pixfound_tasks import Lens  # noqa: E402
from pixfound_tasks.attention.measured.measure import prove_geometries  # noqa: E402
from pixfound_tasks.attention.measured.vision_part import VisionPart  # noqa: E402

SIDE, PATCH = 336, 14  # 576 image tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--vision", default="patches", choices=["patches", *UNREGISTERED])
    options = parser.parse_args()

    def make() -> Lens:
        lens = UNREGISTERED.get(options.vision, make_lens)(options.hidden)
        dtype = torch.float32 if options.device == "cpu" else torch.bfloat16
        return Lens(lens.model.to(options.device, dtype), lens.processor)

    lens = make()
    counts = [sum(p.numel() for p in part.parameters()) / 1e6 for part in (lens.model.get_decoder(), lens.model)]
    print(f"decoder of 24 layers, {counts[0]:.0f} M parameters; the whole model {counts[1]:.0f} M")
    rounds = [once(make(), (480 + 8 * index, 640)) for index in range(options.rounds)]
    for name in [name for name in ("measured", "another size", "checked") if name in rounds[0]]:
        ratio = statistics.median(found[name] / found["prefill"] for found in rounds)
        print(f"{name:12} {statistics.median(found[name] for found in rounds):6.2f} s, {ratio:.2f} prefills")


def once(lens: Lens, size: tuple[int, int]) -> dict[str, float]:
    """Returns the seconds of a prefill, of measuring a new layout and another size of it, and of a check."""
    height, width = size
    image = Image.fromarray(np.random.RandomState(0).randint(0, 255, (*size, 3)).astype(np.uint8))
    inputs = lens.inputs([[image]], ["Describe the image."])

    def prefill() -> None:
        with torch.inference_mode():
            lens.model(**inputs, use_cache=True, logits_to_keep=1)

    seconds(prefill)  # the first one also loads what it needs
    found = {
        "prefill": statistics.median(seconds(prefill) for _ in range(3)),
        "measured": seconds(lambda: lens.measure_geometry([size])),
        "another size": seconds(lambda: lens.measure_geometry([(height + 4, width)])),
    }
    if lens.model.config.model_type != "llava":
        return found
    rule = lens.registered_geometry([size])

    def check() -> None:
        part = VisionPart(lens.model)
        assert not prove_geometries(part, lens.inputs_of_images, rule, lens.image_ids, pictures=1).faults

    return {**found, "checked": seconds(check)}


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def make_lens(hidden: int) -> Lens:
    crop = {"height": SIDE, "width": SIDE}
    processor = hf.LlavaProcessor(
        hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=crop), make_tokenizer(image_token="<image>"),
        patch_size=PATCH, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        image_token="<image>",
    )  # fmt: skip
    text = text_config(
        "llama", hidden_size=hidden, intermediate_size=11 * hidden // 4, num_hidden_layers=24, num_attention_heads=8,
        num_key_value_heads=8,
    )  # fmt: skip
    width = 3 * hidden // 8
    vision = vision_config(
        "clip_vision_model", image_size=SIDE, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=12
    )
    config = hf.LlavaConfig(
        text_config=text, vision_config=vision, image_token_index=IDS["<image>"], vision_feature_layer=-2
    )
    torch.manual_seed(0)
    return Lens(hf.LlavaForConditionalGeneration(config).eval(), processor)


def make_convolved(hidden: int) -> Lens:
    parts = fast_vlm()
    first = hidden * 3 // 28 // 8 * 8  # beside the decoder as wide as in FastVLM-0.5B
    tower = parts.config.vision_config
    tower.model_args = dict(
        inference_mode=True, layers=[1, 1, 1, 1, 1], embed_dims=[first * 2**stage for stage in range(5)]
    )
    tower.hidden_size = 32 * first
    return _with_decoder(parts, hidden)


def make_resampled(hidden: int) -> Lens:
    parts = idefics2()
    vision, resampler = parts.config.vision_config, parts.config.perceiver_config
    vision.image_size, vision.hidden_size, vision.intermediate_size = SIDE, 3 * hidden // 8, 3 * hidden // 2
    vision.num_hidden_layers = 12
    resampler.resampler_n_latents, resampler.resampler_depth, resampler.hidden_size = 64, 3, hidden
    parts.processor.image_seq_len = 64
    parts.processor.image_processor.size = {"shortest_edge": SIDE, "longest_edge": SIDE}
    return _with_decoder(parts, hidden)


def _with_decoder(parts: Parts, hidden: int) -> Lens:
    text = parts.config.text_config
    text.hidden_size, text.intermediate_size, text.num_hidden_layers = hidden, 11 * hidden // 4, 24
    text.layer_types, text.num_attention_heads, text.num_key_value_heads = ["full_attention"] * 24, 8, 8
    text.head_dim = hidden // 8
    torch.manual_seed(0)
    return Lens(parts.model_class(parts.config).eval(), parts.processor)


UNREGISTERED = {"convolutions": make_convolved, "resampler": make_resampled}


if __name__ == "__main__":
    main()
