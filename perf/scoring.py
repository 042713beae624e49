"""Measures the cost of scoring: `python perf/scoring.py`.

The program scores 300 grounded responses with 18 candidate masks each, from the logged text to all metrics, in three
ways: by the task function that lmms-eval calls; by a plain numpy implementation that decodes every mask to an array;
and by the same implementation with pycocotools as the decoder. The masks are synthetic, with outlines about as long as
those of the benchmarks. Each measurement runs in its own process, and each round measures every way once. The program
prints median times, the ratios to the task function of the same round, and the increase of peak memory. All ways must
give the same metrics.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco

from pixfound_tasks import masks
from pixfound_tasks.response import Candidate, Phrase, Response, to_text
from pixfound_tasks.tasks import aggregations, referring

WAYS = ("hook", "numpy", "pycocotools and numpy")
SIZES = ((224, 224), (480, 640))  # of PixMMVP, and of most COCO images
DOCUMENTS, PHRASES, CANDIDATES = 300, 6, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--once", metavar="JSON", help="measure one way; used internally")
    options = parser.parse_args()
    if options.once:
        print(json.dumps(measure(**json.loads(options.once))))
        return
    for size in SIZES:
        compare(options.rounds, size)


def compare(rounds: int, size: masks.Size) -> None:
    """Prints the time and peak memory of each way."""
    runs = [{way: run(way=way, size=size) for way in WAYS} for _ in range(rounds)]
    hook, *others = (runs[0][way]["metrics"] for way in WAYS)
    if any(abs(hook[name] - other[name]) > 1e-12 for other in others for name in other):
        raise SystemExit(f"expected the same metrics, but got {hook} and {others}")
    print(f"\n{DOCUMENTS} documents of {size[1]} x {size[0]} pixels, {PHRASES * CANDIDATES} candidates each")
    for way in WAYS:
        seconds, megabytes = (median(found[way][what] for found in runs) for what in ("seconds", "megabytes"))
        ratios = [found[way]["seconds"] / found["hook"]["seconds"] for found in runs]
        spread = f"{median(ratios):5.1f} x the hook ({min(ratios):.1f} to {max(ratios):.1f})"
        print(f"{way:21} {seconds:7.3f} s {megabytes:6.1f} MB  {spread}")


def run(**arguments: Any) -> dict[str, Any]:
    command = [sys.executable, __file__, "--once", json.dumps(arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def measure(way: str, size: list[int]) -> dict[str, Any]:
    samples = [make_sample(number, tuple(size)) for number in range(DOCUMENTS)]
    ways = (score_by_hook, partial(score_by_arrays, decode=decode), partial(score_by_arrays, decode=coco.decode))
    score = dict(zip(WAYS, ways))[way]
    score(samples[:2])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    found = score(samples)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"seconds": seconds, "megabytes": peak / 1024, "metrics": found}


def make_sample(seed: int, size: masks.Size) -> tuple[dict[str, Any], str]:
    """Returns a document, and a response whose masks are close to the ground truth."""
    rng = np.random.RandomState(seed)
    height, width = size
    center, axes = rng.uniform(0.3, 0.7, 2) * (width, height), rng.uniform(0.1, 0.3, 2) * (width, height)

    def blob(shift: float) -> masks.Rle:
        image = np.zeros(size, np.uint8)
        for _ in range(3):
            middle = center + rng.normal(0, shift, 2) * (width, height)
            lengths = tuple(np.maximum(axes * rng.uniform(0.4, 1.2, 2), 2).astype(int).tolist())
            cv2.ellipse(image, tuple(middle.astype(int).tolist()), lengths, rng.uniform(180), 0, 360, 1, -1)
        return masks.encode(image)

    phrases = tuple(
        Phrase((0.5, 0.5), tuple(Candidate(blob(0.1), rng.uniform()) for _ in range(CANDIDATES)), text="the thing")
        for _ in range(PHRASES)
    )
    document = {
        "benchmark": "pixmmvp", "id": str(seed + 1), "expression": "the thing", "height": height, "width": width,
        "mask": blob(0.0) if seed % 10 else masks.empty(size),
    }  # fmt: skip
    return document, to_text(Response("Here is the thing.", (phrases[0].candidates[0].mask,), phrases=phrases))


def score_by_hook(samples: list[tuple[dict[str, Any], str]]) -> dict[str, float]:
    found = [referring.score_grounding(document, [text]) for document, text in samples]
    averaged = ("miou", "precision_50", "absent_accuracy", "oracle_miou", "unparsed")
    means = {name: aggregations.mean(each[name] for each in found) for name in averaged}
    return means | {"ciou": aggregations.cumulative_iou(each["ciou"] for each in found)}


def score_by_arrays(
    samples: list[tuple[dict[str, Any], str]], decode: Callable[[masks.Rle], np.ndarray]
) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in ("miou", "precision_50", "absent_accuracy", "oracle_miou")}
    intersections = unions = 0
    for document, text in samples:
        response, target = json.loads(text), decode(document["mask"]).astype(bool)
        prediction = np.zeros(target.shape, bool)
        for mask in response["masks"]:
            prediction |= decode(mask).astype(bool)
        candidates = [each["mask"] for phrase in response["phrases"] for each in phrase["candidates"]]
        ious = [numpy_iou(decode(mask).astype(bool), target) for mask in candidates]
        found["miou"].append(numpy_iou(prediction, target))
        found["precision_50"].append(found["miou"][-1] > 0.5)
        found["oracle_miou"].append(max(ious) if target.any() else 1.0)
        found["absent_accuracy"] += [] if target.any() else [not prediction.any()]
        intersections += np.logical_and(prediction, target).sum()
        unions += np.logical_or(prediction, target).sum()
    return {name: float(np.mean(values)) for name, values in found.items()} | {"ciou": float(intersections / unions)}


def decode(rle: masks.Rle) -> np.ndarray:
    """Decodes a compressed COCO RLE character by character."""
    runs, number, shift = [], 0, 0
    for character in rle["counts"]:
        bits = ord(character) - 48
        number |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            number -= (1 << shift) if bits & 16 else 0
            runs.append(number + (runs[-2] if len(runs) > 2 else 0))
            number = shift = 0
    return np.repeat(np.arange(len(runs)) % 2, runs).reshape(rle["size"], order="F")


def numpy_iou(prediction: np.ndarray, target: np.ndarray) -> float:
    union = np.logical_or(prediction, target).sum()
    return np.logical_and(prediction, target).sum() / union if union else 1.0


if __name__ == "__main__":
    main()
