"""Where in the original image each number of `pixel_values` comes from, found by showing pictures to the processor.

The gray level of a coordinate picture depends on x or on y alone: a ramp, and a wave that refines it. What a processor
makes of it says, number by number, which x and y the number shows, whatever was resized, cropped, padded or tiled.
Numbers that stay the same show no place. A last picture, predicted from the places, proves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from pixfound_tasks.attention.geometry import Size
from pixfound_tasks.attention.measured.errors import NotMeasurable
from pixfound_tasks.attention.measured.picture_scale import NormalizedScale, NotProportional, Process, Scale

if TYPE_CHECKING:
    from jaxtyping import Float64, Int

_CHECK_ERROR, _CHECKED = 4 / 255, 0.98  # allowed for the last picture, and for what part of the numbers
_WAVE = 120.0  # amplitude in gray levels
_WAVES, _SHORTEST = 24, 12  # at most so many waves along a side, of at least so many pixels
_LEAST_AMPLITUDE = 0.07  # of a wave in the processed picture, in units of black to white; finer waves are blurred away


class Places(NamedTuple):
    """The places that the numbers of one pixel tensor show, each array in the tensor's own shape.

    Attributes:
        image: the number of the image, -1 for a number that shows no place.
        x: in pixels of that image, NaN without a place. Pixel centers lie at halves.
        y: likewise.
    """

    image: Int[np.ndarray, "*numbers"]
    x: Float64[np.ndarray, "*numbers"]
    y: Float64[np.ndarray, "*numbers"]


def noise_pictures(sizes: Sequence[Size], seed: int) -> list[Image.Image]:
    """Return pictures of random colors, neither dark nor bright."""
    generator = np.random.RandomState(seed)
    return [Image.fromarray(generator.randint(40, 216, (*size, 3)).astype(np.uint8)) for size in sizes]


def locate(process: Process, sizes: Sequence[Size]) -> dict[str, Places]:
    """Return the places of the numbers of every pixel tensor, by its name.

    Args:
        process: see `Process`.
        sizes: (height, width) of the prompt's images.

    Raises:
        NotMeasurable: if the processor adds noise, quantizes, normalizes each of several images, or lays out its
            output by content.
    """
    try:
        return _located(Scale(process, sizes))
    except NotProportional as error:
        if len(sizes) > 1:
            raise
        try:
            return _located(NormalizedScale(process, sizes))
        except NotMeasurable:
            raise error from None


def _located(scale: Scale) -> dict[str, Places]:
    scale.check_gray()
    owners = scale.owners()
    coordinates = [_coordinate(scale, owners, axis) for axis in (0, 1)]
    places = {name: Places(owners[name], coordinates[0][name], coordinates[1][name]) for name in scale.low}
    _check(scale, places)
    return places


def _coordinate(scale: Scale, owners: dict[str, np.ndarray], axis: int) -> dict[str, np.ndarray]:
    """Return the x (axis 0) or y (axis 1) of every number."""
    lengths = np.array([size[1 - axis] for size in scale.sizes])
    centers = [(np.arange(length) + 0.5).reshape((1, -1) if axis == 0 else (-1, 1)) for length in lengths]
    own = {name: lengths[owner.clip(0)] for name, owner in owners.items()}  # the length of each number's image
    ramps = scale.show([255 * center / length for center, length in zip(centers, lengths)])
    found = {name: values.numpy() * own[name] for name, values in ramps.items()}
    waves = min(_WAVES, int(lengths.min()) // _SHORTEST)
    if waves < 2:
        return found
    periods = lengths / waves
    sine, cosine = (
        scale.show([127.5 + _WAVE * wave(2 * np.pi * center / period) for center, period in zip(centers, periods)])
        for wave in (np.sin, np.cos)
    )
    return {
        name: _refined(coarse, sine[name].numpy() - 0.5, cosine[name].numpy() - 0.5, own[name] / waves)
        for name, coarse in found.items()
    }


def _refined(coarse: np.ndarray, sine: np.ndarray, cosine: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Return coordinates refined by the phase of a wave; as they were if the wave is blurred away."""
    phase = np.arctan2(sine, cosine) / (2 * np.pi)
    fine = (phase + np.round(coarse / period - phase)) * period
    is_kept = (np.hypot(sine, cosine) > _LEAST_AMPLITUDE) & (np.abs(fine - coarse) < 0.3 * period)
    return np.where(is_kept, fine, coarse)


def _check(scale: Scale, places: dict[str, Places]) -> None:
    """Raise NotMeasurable unless the places predict a picture, and the processor gives it twice the same."""
    pictures = []
    for height, width in scale.sizes:
        x, y = (np.arange(length) + 0.5 for length in (width, height))
        pictures.append(255 * _slope(x[None, :] / width, y[:, None] / height))
    first, second = (scale.show(pictures) for _ in range(2))
    for name, place in places.items():
        values = first[name].numpy()
        if not np.array_equal(values, second[name].numpy(), equal_nan=True):
            raise NotMeasurable("expected equal pixel values for equal pictures, but they differ: it adds noise")
        own = np.array(scale.sizes)[place.image.clip(0)]
        with np.errstate(invalid="ignore"):
            error = np.abs(values - _slope(place.x / own[..., 1], place.y / own[..., 0]))
        known = error[place.image >= 0]
        if len(known) and (known < _CHECK_ERROR).mean() < _CHECKED:
            raise NotMeasurable(
                f"expected pixel values that show a picture as it is, but {(known >= _CHECK_ERROR).mean():.0%} of "
                f"{name} differ from it: the processor changes colors from image to image or by place, or crops each "
                "image by its content"
            )


def _slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the gray level of the picture that proves the places, at fractions of its width and height.

    It is linear, so that blur does not change it, and has little contrast, so that a normalized image would differ.
    """
    return 0.5 + 0.2 * (x - 0.5) + 0.15 * (y - 0.5)
