"""Measures what is computed of a map from its token values: `python perf/token_maps.py`.

The program finds the highest and the 50th highest pixel, the coarse map, and the mass in a mask for random token maps,
in two ways: from the token values, and from the painted map. Both must give the same pixels, the same levels and the
same mass within 2e-6. It prints median times per map, with painting included in each painted one, and ratios. The first
map of an image size also prepares the geometry, which is timed apart. So are the runs of the mask, which are found
once and used for all maps: from an RLE, and from an array. Attention is positive or centered, the latter as the default
reducer gives it. It also counts how many of these maps had to be painted, and so it does for
maps that are hard: one different value, checkerboards, plateaus and nearly flat maps.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch

from pixfound_tasks import masks
from pixfound_tasks.attention import TokenGeometry, grid_boxes
from pixfound_tasks.attention.geometry import peak
from pixfound_tasks.attention.mask_runs import MaskRuns
from pixfound_tasks.attention.token_mass import positive_sums
from pixfound_tasks.attention.token_peaks import token_peak
from pixfound_tasks.attention.token_sums import token_coarse_map
from pixfound_tasks.response import coarse_map

SIZES = ((480, 640), (1200, 1600), (3000, 4000))  # (height, width)
NAMES = ("peak", "50th peak", "coarse map", "peak and coarse map", "mass")
HARD = ("one higher", "one lower", "checkerboard", "plateaus", "nearly flat")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", type=int, default=20, help="maps of each size and layout")
    parser.add_argument("--painted", type=int, default=3, help="how many of them are painted too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"CPU {platform.machine()}, torch {torch.__version__}, 1 thread, medians of {options.maps} maps")
    for size in SIZES:
        for name, boxes in layouts(size).items():
            compare(name, boxes, size, options.maps, options.painted)


def layouts(size: tuple[int, int]) -> dict[str, np.ndarray]:
    height, width = size
    whole = (0.0, 0.0, float(width), float(height))
    tiles = grid_boxes(48, 48, (0, 0, width, 0.9 * height))
    dense = grid_boxes(height // 28, width // 28, whole)
    return {
        "24 x 24": grid_boxes(24, 24, whole),
        "48 x 48 over 24 x 24": np.concatenate([tiles, grid_boxes(24, 24, whole)]),
        f"{height // 28} x {width // 28}": dense,
    }


def compare(name: str, boxes: np.ndarray, size: tuple[int, int], maps: int, painted: int) -> None:
    """Prints the times of both ways, their ratios, and how many maps were painted."""
    rng = np.random.default_rng(0)
    inside = np.zeros(size, bool)
    inside[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = True
    geometry = TokenGeometry(boxes, size)
    values = [random_map(rng, len(boxes), index % 2 == 0) for index in range(maps)]
    first, _ = timed(lambda: (token_peak(geometry, values[0]), token_coarse_map(geometry, values[0])))
    rle = masks.encode(inside)
    (from_rle, runs), (from_array, _) = timed(lambda: MaskRuns(rle)), timed(lambda: MaskRuns(inside))
    with_mask, _ = timed(lambda: positive_sums(geometry, values[0], runs))
    found = {each: [timed(from_tokens(geometry, each, one, runs)) for one in values] for each in NAMES}
    print(f"\n{size[1]} x {size[0]} pixels, tokens {name}; first peak and coarse map of a size: {1e3 * first:.2f} ms")
    print(
        f"runs of the mask: {1e3 * from_rle:.2f} ms from an RLE, {1e3 * from_array:.2f} ms from an array; "
        f"first mass: {1e3 * with_mask:.2f} ms"
    )
    for each in NAMES:
        slow = [timed(from_map(geometry, each, one, inside)) for one in values[:painted]]
        for (_, result), (_, expected) in zip(found[each], slow):
            check(each, result, expected)
        seconds, long = (median(second for second, _ in runs) for runs in (found[each], slow))
        print(f"{each:20} {1e3 * seconds:8.3f} ms, painted {1e3 * long:9.2f} ms ({long / seconds:7.1f} x)")
    ordinary = sum(is_painted(geometry, one) for one in values)
    hard = {kind: is_painted(geometry, hard_map(kind, geometry)) for kind in HARD}
    print(f"painted after all: {ordinary} of {maps}, hard ones: {[kind for kind in hard if hard[kind]] or 'none'}")


def from_tokens(geometry: TokenGeometry, name: str, values: np.ndarray, runs: MaskRuns) -> Callable[[], Any]:
    return {
        "peak": lambda: token_peak(geometry, values),
        "50th peak": lambda: token_peak(geometry, values, 50),
        "coarse map": lambda: token_coarse_map(geometry, values),
        "peak and coarse map": lambda: (token_peak(geometry, values), token_coarse_map(geometry, values)),
        "mass": lambda: positive_sums(geometry, values, runs),
    }[name]


def from_map(geometry: TokenGeometry, name: str, values: np.ndarray, inside: np.ndarray) -> Callable[[], Any]:
    def mass() -> tuple[float, float]:
        positive = np.nan_to_num(geometry.paint(values).astype(np.float64)).clip(min=0)
        return float(positive.sum()), float(positive[inside].sum())

    def both() -> tuple[Any, Any]:
        painted = geometry.paint(values)
        return peak(painted), coarse_map(painted)

    return {
        "peak": lambda: peak(geometry.paint(values)),
        "50th peak": lambda: peak(geometry.paint(values), 50),
        "coarse map": lambda: coarse_map(geometry.paint(values)),
        "peak and coarse map": both,
        "mass": mass,
    }[name]


def check(name: str, found: Any, expected: Any) -> None:
    same = np.allclose(found, expected, rtol=2e-6) if name == "mass" else found == expected
    if not same:
        raise SystemExit(f"expected the {name} {expected} of the painted map, but got {found}")


def is_painted(geometry: TokenGeometry, values: np.ndarray) -> bool:
    """Returns whether the 50th peak or the coarse map of a map needs the painted map."""
    paint, calls = TokenGeometry.paint, []

    def counted(self: TokenGeometry, *arguments: Any) -> np.ndarray:
        calls.append(1)
        return paint(self, *arguments)

    TokenGeometry.paint = counted  # type: ignore[assignment, method-assign]
    try:
        token_peak(geometry, values, 50)
        token_coarse_map(geometry, values)
    finally:
        TokenGeometry.paint = paint  # type: ignore[method-assign]
    return bool(calls)


def random_map(rng: np.random.Generator, count: int, is_centered: bool) -> np.ndarray:
    values = np.exp(2 * rng.normal(size=count))
    values /= values.sum()
    return (values - (1 / count if is_centered else 0)).astype(np.float32)


def hard_map(kind: str, geometry: TokenGeometry) -> np.ndarray:
    """Returns a map that has many equal pixels."""
    values = np.zeros(len(geometry.boxes), np.float32)
    middle = ((geometry.boxes[:, :2] + geometry.boxes[:, 2:]) / 2).T
    column, row = (middle / np.diff(geometry.boxes[:, [0, 2]], axis=1).T).astype(int)
    if kind in ("one higher", "one lower", "nearly flat"):
        values[len(values) // 3] = {"one higher": 1, "one lower": -1, "nearly flat": 1e-5}[kind]
        values += kind == "nearly flat"
    elif kind == "checkerboard":
        values = ((row + column) % 2).astype(np.float32)
    else:
        values = (row // 4 + column // 4).astype(np.float32) % 3
    return values


def timed(compute: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = compute()
    return time.perf_counter() - start, found


if __name__ == "__main__":
    main()
