"""Target-masked and control-masked ablation: every question with the original image and with two masked images.

The target-masked image hides the region that the question is about. The control-masked image hides a region of the same
shape elsewhere. If an answer rests on visual evidence, it changes with the target-masked image and not with the
control-masked one.
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
TRIES = 1000  # random positions that are tried for the control region
_FEW = 100  # pixels of the region that are tested first, because they rule out most positions that overlap


def masked(image: Image.Image, region: Rle) -> Image.Image:
    """Return the image (RGB) with a region filled with the image's mean color, rounded per channel.

    The mean is over all pixels of the image. Raises `InvalidMask` if the region's mask has another size than the image.
    """
    pixels = np.array(image.convert("RGB"))
    if tuple(region["size"]) != pixels.shape[:2]:
        raise masks.InvalidMask(f"expected a region of size {list(pixels.shape[:2])}, but got {region['size']}")
    pixels[masks.decode(region)] = np.rint(pixels.mean(axis=(0, 1)))
    return Image.fromarray(pixels)


def control_region(target: Rle, seed: str) -> Rle | None:
    """Move the ground-truth region to a random position that does not overlap it.

    The moved region has the same shape and area and lies entirely inside the image. Up to `TRIES` positions are drawn
    uniformly from those inside the image, and the first one without overlap is taken. The same seed gives the same
    region. Returns None if no position fits or if the mask is empty.
    """
    mask = masks.decode(target)
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


def ablations(documents: Dataset) -> Dataset:
    """Return three consecutive rows for each document that has a target region, with three more columns.

    `kind` is one of `KINDS`. `painted` is the mask to fill with the mean color; it is empty for "plain". The images
    themselves are not changed or copied. `left_out`, the same in every row, counts the omitted documents, which are
    also logged:

    - `without_region`: they have no expression, or the object is absent.
    - `without_control`: no position for a control region was found.
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
        f"{len(rows)} of {len(regions)} documents of {regions[0]['benchmark']} are used for the ablation; left out: "
        f"{left_out['without_region']} without a target region, {left_out['without_control']} without a control region"
    )
    nothing = [masks.empty(tuple(doc["mask"]["size"])) for doc in regions]
    painted = {"plain": nothing, "evidence": [doc["mask"] for doc in regions], "control": controls}
    # Concatenated data sets share their memory. Adding columns to a selection would copy every image.
    asked = concatenate_datasets([_asked(documents, kind, painted[kind], left_out) for kind in KINDS])
    return asked.select([row + len(regions) * copy for row in rows for copy in range(len(KINDS))])


def _control(doc: dict[str, Any]) -> Rle | None:
    return control_region(doc["mask"], f"{doc['benchmark']} {doc['id']}")


def _asked(documents: Dataset, kind: str, painted: list[Rle | None], left_out: dict[str, int]) -> Dataset:
    """Return all documents with the columns of one kind."""
    from datasets import Dataset, Features, concatenate_datasets

    notes = Dataset.from_dict({"kind": [kind] * len(painted), "left_out": [left_out] * len(painted)})
    regions = Dataset.from_dict({"painted": painted}, features=Features({"painted": documents.features["mask"]}))
    return concatenate_datasets([documents, notes, regions], axis=1)
