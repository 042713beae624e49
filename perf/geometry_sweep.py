"""Compares measured geometry with every registered rule over many sizes: `python perf/geometry_sweep.py [FAMILY...]`.

The families are those of the tests, in miniature, with their real processors. Sizes include one pixel, thin images and
those beside the limits of tiles. The program prints for each family how many sizes agree within half a pixel, the
largest deviation, and every size that does not agree or that the processor refuses. It takes a few minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parent.parent / "tests")  # this folder has an attention.py

from attention.families import FAMILIES  # noqa: E402
from attention.measuring import ALIASES, measured, measured_toy, registered  # noqa: E402
from attention.zoo.zoo_build import build  # noqa: E402

from pixfound_tasks.attention.families.registry import token_geometries  # noqa: E402
from pixfound_tasks.attention.measured.comparison import deviation  # noqa: E402

SIZES = [
    (1, 1), (2, 3), (7, 1000), (1000, 7), (5000, 40), (40, 5000), (31, 33), (55, 57), (56, 56), (57, 55), (111, 56),
    (112, 56), (113, 57), (61, 83), (233, 90), (150, 311), (333, 500), (480, 640), (1024, 1023), (1080, 1920),
]  # fmt: skip


def main() -> None:
    total = proved = 0
    for name in sys.argv[1:] or [*FAMILIES, *ALIASES]:
        agreeing, largest, others = [], 0.0, []
        for size in SIZES:
            try:
                off, how = compare(name, size)
            except Exception as error:  # the processor's own, and those of a measurement that proves nothing
                others.append(f"  {size}: {type(error).__name__}: {' '.join(str(error).split())[:110]}")
                continue
            if off.missing or off.extra or off.pixels > 0.5:
                others.append(f"  {size}: {off} by {how}")
            else:
                agreeing.append(size)
                largest = max(largest, off.pixels)
        total, proved = total + len(SIZES), proved + len(agreeing)
        print(f"{name}: {len(agreeing)} of {len(SIZES)} sizes agree, by {largest:.2f} px at most", *others, sep="\n")
    print(f"{proved} of {total} agree")


def compare(name, size):
    if name in FAMILIES:
        found, rule = measured(name, [size]), registered(name, [size])
    else:
        toy, found = build(name), measured_toy(name, [size])
        rule = token_geometries(toy.model.config, toy.processor, [size], None, toy.options)
    return deviation(found.geometries, rule), found.how


if __name__ == "__main__":
    main()
