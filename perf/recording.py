"""What recording attention costs: `python perf/recording.py`.

A random LLaVA of some 30 million parameters generates 64 tokens three ways, in turn: plainly, with
`record_attention`, and with `output_attentions=True` on eager attention, which is what recording replaces. Each way
runs in a process of its own per round; printed are the median time and peak memory as ratios to the plain way.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from pixfound_tasks import record_attention

WAYS = ("plain", "recorded", "eager")
IMAGE_TOKEN, PATCH = 999, 14


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", type=int, default=24, help="image tokens along a side: 24 makes 576")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help="run this way once and print seconds and peak memory")
    options = parser.parse_args()
    if options.way:
        print(*measure(options.way, options.grid))
        return
    found = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way in WAYS:
            command = [sys.executable, __file__, "--way", way, "--grid", str(options.grid)]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            found[way].append([float(value) for value in printed[-2:]])
    medians = {way: [statistics.median(column) for column in zip(*runs)] for way, runs in found.items()}
    print(f"{options.grid**2} image tokens, 64 new tokens, median of {options.rounds}")
    for way, (seconds, megabytes) in medians.items():
        ratios = [value / plain for value, plain in zip((seconds, megabytes), medians["plain"])]
        print(f"{way:9} {seconds:6.2f} s ({ratios[0]:.2f} x plain)   {megabytes:6.0f} MB ({ratios[1]:.2f} x plain)")


def measure(way: str, grid: int) -> tuple[float, float]:
    """Seconds of one generation, after one to warm up, and the process's peak memory in MB."""
    torch.manual_seed(0)
    model = build(grid)
    ids = torch.randint(5, 900, (1, grid**2 + 32))
    ids[:, 8 : 8 + grid**2] = IMAGE_TOKEN
    pixels = torch.randn(1, 3, grid * PATCH, grid * PATCH)
    if way == "eager":
        model.set_attn_implementation("eager")
    for _ in range(2):
        start = time.perf_counter()
        generate(model, way, ids, pixels)
        seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@torch.inference_mode()
def generate(model, way: str, ids: torch.Tensor, pixels: torch.Tensor) -> None:
    inputs = {"input_ids": ids, "pixel_values": pixels, "max_new_tokens": 64, "min_new_tokens": 64, "do_sample": False}
    if way == "recorded":
        with record_attention(model, ids == IMAGE_TOKEN):
            model.generate(**inputs)
    elif way == "eager":
        model.generate(**inputs, output_attentions=True, return_dict_in_generate=True)
    else:
        model.generate(**inputs)


def build(grid: int) -> LlavaForConditionalGeneration:
    vision = CLIPVisionConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=2,
        image_size=grid * PATCH, patch_size=PATCH,
    )  # fmt: skip
    text = LlamaConfig(
        vocab_size=1000, hidden_size=512, intermediate_size=1408, num_hidden_layers=10, num_attention_heads=8,
        num_key_value_heads=8, max_position_embeddings=8192, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_id=IMAGE_TOKEN, vision_feature_layer=-1)
    return LlavaForConditionalGeneration(config).eval()


if __name__ == "__main__":
    main()
