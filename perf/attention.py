"""Measures the cost of recording attention: `python perf/attention.py`.

A LLaVA model with random weights generates 64 tokens about an image in three ways: plainly, with `record_attention`,
and with `output_attentions=True` on eager attention, which recording replaces. Each measurement runs in its own
process, and each round measures every way once. The program prints medians over rounds, and the ratio to the plain way
of the same round. The last comparison is of a model so narrow that starting kernels takes longer than their work, as it
does in the generation of many models on a GPU. The program then compares recording a batch of 8 with recording one
image at a time. On a GPU, the model runs in bfloat16.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from pixfound_tasks import record_attention

WAYS = ("plain", "recorded", "output_attentions")
IMAGE_TOKEN, PATCH, NEW_TOKENS, PROMPT = 999, 14, 64, 32
GRIDS = (24, 54)  # image tokens per side: 576 and 2,916 in all
WIDE, NARROW = 1024, 64  # of the decoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--kernel", default="sdpa", help="attention implementation of the fast ways")
    parser.add_argument("--once", metavar="JSON", help="measure one way; used internally")
    options = parser.parse_args()
    if options.once:
        print(json.dumps(measure(**json.loads(options.once))))
        return
    setting = {"device": options.device, "kernel": options.kernel}
    print(f"{device_name(options.device)}, torch {torch.__version__}, {options.kernel}, medians of {options.rounds}")
    for grid in GRIDS:
        compare(options.rounds, {**setting, "grid": grid, "width": WIDE})
    compare(options.rounds, {**setting, "grid": 4, "width": NARROW})
    throughput(options.rounds, setting)


def compare(rounds: int, setting: dict) -> None:
    """Prints the time and peak memory of the three ways."""
    runs = [{way: run(way=way, batch=1, **setting) for way in WAYS} for _ in range(rounds)]
    print(f"\ndecoder of width {setting['width']}, {setting['grid'] ** 2} image tokens, {NEW_TOKENS} new tokens")
    for way in WAYS:
        line = f"{way:18}"
        for what, unit in (("seconds", "s"), ("megabytes", "MB")):
            value = statistics.median(found[way][what] for found in runs)
            ratio = statistics.median(found[way][what] / found["plain"][what] for found in runs)
            line += f" {value:9.2f} {unit} ({ratio:.3f} x plain)"
        print(line)


def throughput(rounds: int, setting: dict) -> None:
    """Prints the tokens per second with recording, for batches of 8 and of 1."""
    grid = GRIDS[0]
    setting = {**setting, "grid": grid, "width": WIDE}
    found = [[run(way="recorded", batch=batch, **setting) for batch in (1, 8)] for _ in range(rounds)]
    speeds = [[batch * NEW_TOKENS / one["seconds"] for batch, one in zip((1, 8), pair)] for pair in found]
    single, eight = (statistics.median(column) for column in zip(*speeds))
    ratio = statistics.median(pair[1] / pair[0] for pair in speeds)
    print(f"\nrecorded, {grid**2} image tokens: {single:.1f} tokens/s one by one, {eight:.1f} in a batch of 8", end="")
    print(f" ({ratio:.2f} x)")


def run(**setting) -> dict:
    """Runs one measurement in its own process."""
    command = [sys.executable, __file__, "--once", json.dumps(setting)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(printed.splitlines()[-1])


def measure(way: str, batch: int, grid: int, width: int, device: str, kernel: str) -> dict:
    """Returns the median seconds of three generations after a warm-up, and the peak memory (process or GPU) in MB."""
    torch.manual_seed(0)
    model = build(grid, width, "eager" if way == "output_attentions" else kernel)
    model = model.to(device, torch.bfloat16 if device == "cuda" else torch.float32)
    ids = torch.randint(5, 900, (batch, grid**2 + PROMPT), device=device)
    ids[:, 8 : 8 + grid**2] = IMAGE_TOKEN
    pixels = torch.randn(batch, 3, grid * PATCH, grid * PATCH, device=device, dtype=model.dtype)
    seconds = []
    for _ in range(4):
        synchronise(device)
        start = time.perf_counter()
        generate(model, way, ids, pixels)
        synchronise(device)
        seconds.append(time.perf_counter() - start)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if device == "cuda":
        megabytes = torch.cuda.max_memory_allocated() / 2**20
    return {"seconds": statistics.median(seconds[1:]), "megabytes": megabytes}


@torch.inference_mode()
def generate(model, way: str, ids: torch.Tensor, pixels: torch.Tensor) -> None:
    length = {"max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS, "do_sample": False}
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels, **length}
    if way == "recorded":
        with record_attention(model, ids == IMAGE_TOKEN) as record:
            model.generate(**inputs)
        record.rows()
    elif way == "output_attentions":
        model.generate(**inputs, output_attentions=True, return_dict_in_generate=True)
    else:
        model.generate(**inputs)


def build(grid: int, width: int, kernel: str) -> LlavaForConditionalGeneration:
    """Builds a decoder with 8 layers, 16 query heads and 4 key heads. The smallest models in use are 1024 wide."""
    vision = CLIPVisionConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=2,
        image_size=grid * PATCH, patch_size=PATCH,
    )  # fmt: skip
    text = LlamaConfig(
        vocab_size=1000, hidden_size=width, intermediate_size=11 * width // 4, num_hidden_layers=8,
        num_attention_heads=16, num_key_value_heads=4, max_position_embeddings=8192, pad_token_id=0,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_id=IMAGE_TOKEN, vision_feature_layer=-1)
    model = LlavaForConditionalGeneration(config).eval()
    model.set_attn_implementation(kernel)
    return model


def synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else f"CPU {platform.machine()}"


if __name__ == "__main__":
    main()
