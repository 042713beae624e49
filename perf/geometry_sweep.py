"""Compares measured geometry with every registered rule over many sizes: `python perf/geometry_sweep.py [FAMILY...]`.

The families are those of the tests, in miniature, with their real processors. Sizes include one pixel, thin images and
those beside the limits of tiles. The program prints for each family how many sizes agree within half a pixel, the
largest deviation, and every size that does not agree. Sizes that the processor or the model itself refuses are counted
apart. It takes a few minutes. The exit status is 1 if a size does not agree.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parent.parent / "tests")  # this folder has an attention.py

import torch  # noqa: E402
from attention.families import FAMILIES, build_family  # noqa: E402
from attention.measuring import ALIASES, measured, measured_toy, process_of, registered  # noqa: E402
from attention.zoo.zoo_build import build  # noqa: E402

from pixfound_tasks.attention.families.registry import token_geometries  # noqa: E402
from pixfound_tasks.attention.measured.comparison import deviation  # noqa: E402
from pixfound_tasks.attention.measured.coordinate_pictures import noise_pictures  # noqa: E402

SIZES = [
    (1, 1), (2, 3), (7, 1000), (1000, 7), (5000, 40), (40, 5000), (31, 33), (55, 57), (56, 56), (57, 55), (111, 56),
    (112, 56), (113, 57), (61, 83), (233, 90), (150, 311), (333, 500), (480, 640), (1024, 1023), (1080, 1920),
]  # fmt: skip


def main() -> int:
    total = proved = left_out = 0
    for name in sys.argv[1:] or [*FAMILIES, *ALIASES]:
        largest, others, refused = 0.0, [], []
        for size in SIZES:
            if reason := refusal(name, size):
                refused.append(f"  {size}: refused: {reason}")
                continue
            try:
                off, how = compare(name, size)
            except Exception as error:  # those of a measurement that proves nothing
                others.append(f"  {size}: {said(error)}")
                continue
            if off.missing or off.extra or off.pixels > 0.5:
                others.append(f"  {size}: {off} by {how}")
            else:
                largest = max(largest, off.pixels)
        taken = len(SIZES) - len(refused)
        total, proved, left_out = total + taken, proved + taken - len(others), left_out + len(refused)
        verdict = f"{taken - len(others)} of {taken} sizes agree, by {largest:.2f} px at most"
        print(f"{name}: {verdict}", *others, *refused, sep="\n", flush=True)
    print(f"{proved} of {total} agree, {left_out} are refused by the processor or the model")
    return int(proved < total)


def refusal(name, size) -> str:
    """What the family's own processor or model says to a picture of this size, \"\" if they take it."""
    pictures = noise_pictures([size], 0)
    try:
        if name in FAMILIES:
            model, inputs = build_family(name).model, process_of(build_family(name), pictures)
        else:
            model, inputs = build(name).model, build(name).inputs([pictures], ["ab"])
        with torch.inference_mode():
            model(**inputs)
    except Exception as error:
        return said(error)
    return ""


def said(error) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:110]}"


def compare(name, size):
    if name in FAMILIES:
        found, rule = measured(name, [size]), registered(name, [size])
    else:
        toy, found = build(name), measured_toy(name, [size])
        rule = token_geometries(toy.model.config, toy.processor, [size], None, toy.options)
    return deviation(found.geometries, rule), found.how


if __name__ == "__main__":
    sys.exit(main())
