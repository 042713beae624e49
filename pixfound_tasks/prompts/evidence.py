"""Every question three times: as it is, with what it is about painted out, and with as much painted out elsewhere.

An answer that rests on the evidence changes with the region that the question is about, and not with the other one.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
from loguru import logger
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.masks import Rle

if TYPE_CHECKING:
    from datasets import Dataset

KINDS = ("plain", "evidence", "control")
TRIES = 1000  # places for the control region, drawn one after another
_FEW = 100  # pixels; most places that do not fit show it by these


def painted_out(image: Image.Image, region: Rle) -> Image.Image:
    """The picture, RGB, with a region of its size in its mean colour, which is over all pixels, rounded per channel.

    Raises `InvalidMask` where the region is of another size.
    """
    pixels = np.array(image.convert("RGB"))
    if tuple(region["size"]) != pixels.shape[:2]:
        raise masks.InvalidMask(f"expected a region of size {list(pixels.shape[:2])}, but got {region['size']}")
    pixels[masks.decode(region)] = np.rint(pixels.mean(axis=(0, 1)))
    return Image.fromarray(pixels)


def control_region(truth: Rle, seed: str) -> Rle | None:
    """The true region moved to where it covers none of itself: of the same shape and area, wholly inside the image.

    It is the first that fits of `TRIES` places, drawn with equal chances from all that are inside the image; the same
    seed gives the same region. None where none fits, or the mask is empty.
    """
    mask = masks.decode(truth)
    rows, columns = np.nonzero(mask)
    if not 0 < 2 * rows.size <= mask.size:  # empty, or more than half of the image
        return None
    draws = random.Random(seed)
    (lowest, highest), (leftmost, rightmost) = (
        (-int(places.min()), side - 1 - int(places.max())) for places, side in zip((rows, columns), mask.shape)
    )
    some = slice(None, None, 1 + rows.size // _FEW)
    for _ in range(TRIES):
        down, right = draws.randint(lowest, highest), draws.randint(leftmost, rightmost)
        if mask[rows[some] + down, columns[some] + right].any():
            continue
        moved = rows + down, columns + right
        if not mask[moved].any():
            control = np.zeros_like(mask)
            control[moved] = True
            return masks.encode(control)
    return None


def asked_thrice(documents: Dataset) -> Dataset:
    """Each document of a benchmark that has a region, three times in a row, with three columns more; images stay put.

    `kind` is one of `KINDS`, `painted` the mask to paint out (empty for "plain"). Left out, logged, and counted in
    `left_out`, which is the same in every row, are documents `without_region`, because they have no expression or what
    it refers to is not there, and those `without_control`, whose region no try could move off itself.
    """
    from datasets import concatenate_datasets

    regions = documents.select_columns(["benchmark", "id", "expression", "mask"]).to_list()
    has_region = [doc["expression"] is not None and masks.area(doc["mask"]) > 0 for doc in regions]
    controls = [_control(doc) if asked else None for doc, asked in zip(regions, has_region)]
    left_out = {
        "without_region": has_region.count(False),
        "without_control": controls.count(None) - has_region.count(False),
    }
    rows = [row for row, control in enumerate(controls) if control is not None]
    logger.info(
        f"{len(rows)} of {len(regions)} documents of {regions[0]['benchmark']} are asked with regions painted out; left"
        f" out: {left_out['without_region']} without a region, {left_out['without_control']} without room to move it"
    )
    nothing = [masks.empty(tuple(doc["mask"]["size"])) for doc in regions]
    painted = {"plain": nothing, "evidence": [doc["mask"] for doc in regions], "control": controls}
    # Whole copies put one after another share their memory; columns added to a selection would copy every image.
    asked = concatenate_datasets([_asked(documents, kind, painted[kind], left_out) for kind in KINDS])
    return asked.select([row + len(regions) * copy for row in rows for copy in range(len(KINDS))])


def _control(doc: dict[str, Any]) -> Rle | None:
    return control_region(doc["mask"], f"{doc['benchmark']} {doc['id']}")


def _asked(documents: Dataset, kind: str, painted: list[Rle | None], left_out: dict[str, int]) -> Dataset:
    """All documents in one kind of asking."""
    from datasets import Dataset, Features, concatenate_datasets

    notes = Dataset.from_dict({"kind": [kind] * len(painted), "left_out": [left_out] * len(painted)})
    regions = Dataset.from_dict({"painted": painted}, features=Features({"painted": documents.features["mask"]}))
    return concatenate_datasets([documents, notes, regions], axis=1)
