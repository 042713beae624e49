"""Measures the geometry of a prompt's image tokens: composes the steps, and accepts nothing without proof."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from pixfound_tasks.attention.geometry import Size, TokenGeometry
from pixfound_tasks.attention.measured.compose import compose
from pixfound_tasks.attention.measured.coordinate_pictures import Places, locate, noise_pictures
from pixfound_tasks.attention.measured.errors import NotMeasurable
from pixfound_tasks.attention.measured.image_tokens import image_ids, image_mask
from pixfound_tasks.attention.measured.layouts import Layouts
from pixfound_tasks.attention.measured.picture_scale import Process
from pixfound_tasks.attention.measured.query_reading import Reading
from pixfound_tasks.attention.measured.regions import PICTURES, Verdict, prove
from pixfound_tasks.attention.measured.sight import CONVOLVED, EXACT, INTERPOLATED
from pixfound_tasks.attention.measured.spread_proof import FEW_STRIPES, STRIPES, prove_spread
from pixfound_tasks.attention.measured.vision_part import VisionPart

_THIN = (64, 16)  # images with a shorter side are measured on larger ones, if the processor treats them alike
_MOST_PIXELS = 4_000_000  # of larger images

_THINNEST = 16  # thinner images show too little to compare their places closely
# Pixels that places of an enlarged image may be off by, and what part of them may be off by more: at the edges.
_CLOSE, _COARSE = (0.2, 0.1), (0.75, 0.02)
_BLUR = 0.25  # of interpolated tokens, see `regions.prove`


@dataclass(frozen=True)
class Cost:
    """What a measurement took: runs of the vision part, gradients through it, calls of the processor, seconds."""

    forwards: int
    backwards: int
    calls: int
    seconds: float


@dataclass(frozen=True)
class Measurement:
    """The measured geometry of one prompt's images.

    Attributes:
        geometries: one per image.
        ids: the ids of the image tokens; empty if the decoder reads the image by cross-attention.
        how: "gradient": each number reaches one token; "interpolated": some tokens are interpolated between patches;
            "convolved": each reaches one token if convolutions look at nothing beside the cells that they replace.
        cost: what it took.
        reading: if image tokens have no place of their own, how they read patches. The geometries are then those of
            the patches, and `how` is how these were measured.
    """

    geometries: tuple[TokenGeometry, ...]
    ids: tuple[int, ...]
    how: str
    cost: Cost
    reading: Reading | None = None


def measure(model: Any, process: Process, sizes: Sequence[Size], layouts: Layouts | None = None) -> Measurement:
    """Measure the geometry of the image tokens of a prompt with images of these (height, width).

    Args:
        model: a transformers model with a language decoder.
        process: see `Process`. It must give the same prompt for any images of a size.
        sizes: (height, width) of the images, in order.
        layouts: the layouts of the model's inputs that were measured before, and those that follow.

    Raises:
        NotMeasurable: if the geometry cannot be measured with certainty; the message says why.
    """
    with torch.inference_mode(False):
        return _proved(model, process, sizes, layouts)


def measure_ids(model: Any, process: Process, size: Size) -> tuple[int, ...]:
    """Return the ids of the image tokens in a prompt with an image of this (height, width).

    These are the ids at which what enters the decoder depends on the picture. Empty if the decoder reads the image by
    cross-attention.

    Raises:
        NotMeasurable: if no id does.
    """
    part = VisionPart(model)
    with torch.inference_mode(False):
        first, second = (part.cast(process(noise_pictures([size], seed))) for seed in (0, 1))
        before, after = (part.embed(inputs, mixing=True) for inputs in (first, second))
    if part.is_crossing:
        return ()
    found = tuple(image_ids(first["input_ids"], before, after).tolist())
    if not found:
        raise NotMeasurable("nothing that enters the decoder depends on the picture")
    return found


def _proved(model: Any, process: Process, sizes: Sequence[Size], layouts: Layouts | None) -> Measurement:
    start, part, shown = time.perf_counter(), VisionPart(model), _Counted(process)
    larger = _enlarged(shown, sizes)
    found = compose(part, shown, larger, layouts)
    geometries = found.geometries
    if larger != list(sizes):
        scale = larger[0][0] / sizes[0][0]
        geometries = tuple(TokenGeometry(own.boxes / scale, size) for own, size in zip(geometries, sizes))
    # What tokens see of a known layout is proved: it remains to prove what the numbers show.
    is_brief = found.is_known and min(map(min, sizes)) >= _THIN[0]
    verdict = prove_geometries(found.part, shown, geometries, found.ids, 1 if is_brief else PICTURES, found.how)
    if verdict.faults:
        raise NotMeasurable(
            f"expected the measured boxes to hold for {verdict.regions} changed regions, but {verdict.faults[0]}"
        )
    if layouts is not None:
        layouts.keep(found.layout, found.sight)
    reading, geometries = (None, geometries) if found.tokens is None else found.tokens.over(geometries)
    used = {id(one): one for one in (part, found.part)}.values()
    forwards, backwards = (sum(counts) for counts in zip(*((one.forwards, one.backwards) for one in used)))
    return Measurement(
        geometries, found.ids, found.how, Cost(forwards, backwards, shown.calls, time.perf_counter() - start), reading
    )


class _Counted:
    """A processor that counts its calls."""

    def __init__(self, process: Process) -> None:
        self.process, self.calls = process, 0

    def __call__(self, images: Sequence[Image.Image]) -> dict[str, Any]:
        self.calls += 1
        return dict(self.process(images))


def prove_geometries(
    part: VisionPart,
    process: Process,
    geometries: Sequence[TokenGeometry],
    ids: Sequence[int],
    pictures: int = PICTURES,
    how: str = EXACT,
) -> Verdict:
    """Prove geometries by changed regions, with a run of the vision part for each changed picture, and one before.

    Args:
        part: the vision part of a model.
        process: see `Process`.
        geometries: one per image.
        ids: the ids of the image tokens; empty if the decoder reads the image by cross-attention.
        pictures: the number of changed copies, see `regions.prove`. With fewer than usual, less is proved.
        how: how the geometries were measured. Those of convolutions are proved by where their answers lie, see
            `spread_proof.prove_spread`, and those of interpolated tokens with twice the pictures.
    """
    shown = noise_pictures([geometry.size for geometry in geometries], 0)

    def embed(images: Sequence[Image.Image]) -> np.ndarray:
        inputs = part.cast(process(images))
        embedded = part.embed(inputs).cpu()
        if not part.is_crossing:
            embedded = embedded[image_mask(inputs["input_ids"], torch.tensor(ids)).flatten().cpu()]
        return embedded.double().numpy()

    before = embed(shown)
    count = sum(len(geometry.boxes) for geometry in geometries)
    if len(before) != count:
        return Verdict(0, (f"the prompt has {len(before)} image tokens instead of {count}",))
    if how == CONVOLVED:
        return prove_spread(embed, shown, before, geometries, STRIPES if pictures >= PICTURES else FEW_STRIPES)
    if how == INTERPOLATED:
        return prove(embed, shown, before, geometries, 2 * pictures, _BLUR)
    return prove(embed, shown, before, geometries, pictures)


def _enlarged(process: Process, sizes: Sequence[Size]) -> list[Size]:
    """Return sizes at which the places in very thin images can be told apart, if the processor treats them alike.

    Between the first and last pixel centers of a side, resampling has nothing to interpolate: most numbers of an image
    that is a few pixels wide show the same place. An image of the same shape, some times larger, has the same tokens.
    """
    thinnest = min(min(size) for size in sizes)
    for least in _THIN:
        scale = -(-least // thinnest)
        larger = [(height * scale, width * scale) for height, width in sizes]
        is_small = max(height * width for height, width in larger) <= _MOST_PIXELS
        if scale > 1 and is_small and _is_alike(process, sizes, larger, scale):
            return larger
    return list(sizes)


def _is_alike(process: Process, sizes: Sequence[Size], larger: Sequence[Size], scale: int) -> bool:
    own = process(noise_pictures(sizes, 0))
    try:
        other = process(noise_pictures(larger, 0))
    except Exception:  # some processors take no images with different numbers of tiles
        return False
    if own.keys() != other.keys() or ("input_ids" in own and not torch.equal(own["input_ids"], other["input_ids"])):
        return False
    if any(torch.is_tensor(value) and value.shape != other[name].shape for name, value in own.items()):
        return False
    close = _CLOSE if min(min(size) for size in sizes) >= _THINNEST else _COARSE
    return _show_alike(locate(process, sizes), locate(process, larger), scale, *close)


def _show_alike(own: Mapping[str, Places], other: Mapping[str, Places], scale: int, pixels: float, part: float) -> bool:
    """Return whether numbers show the same places of an image and of one that is `scale` times larger."""
    for name, place in own.items():
        if not np.array_equal(place.image, other[name].image):
            return False
        shown = place.image >= 0
        for one, more in ((place.x, other[name].x), (place.y, other[name].y)):
            if (np.abs(one - more / scale)[shown] > pixels).mean() > part:
                return False
    return True
