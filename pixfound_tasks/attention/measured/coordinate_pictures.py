"""Where in the original image each number of `pixel_values` comes from, found by showing pictures to the processor.

The gray level of a coordinate picture depends on x or on y alone: a ramp, and a wave that refines it. What a processor
makes of it says, number by number, which x and y the number shows, whatever was resized, cropped, padded or tiled.
Numbers that stay the same show no place. A last picture, predicted from the places, proves them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pixfound_tasks.attention.geometry import Size
from pixfound_tasks.attention.measured.errors import NotMeasurable

if TYPE_CHECKING:
    from jaxtyping import Float64, Int

# The processor's output for one prompt with these images, before it is cast to the model's device and dtype.
Process = Callable[[Sequence[Image.Image]], Mapping[str, Any]]

_LEAST_SPAN = 0.6  # of the largest difference between black and white; numbers below it show padding too
# Allowed for flat gray pictures, and for what part of the numbers: some processors round to bfloat16, and the edges of
# padding are mixed.
_GRAY_ERROR, _GRAY_OFF = 0.6 / 255, 0.1
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
        NotMeasurable: if the processor adds noise, normalizes each image, quantizes, or lays out its output by content.
    """
    scale = _Scale(process, sizes)
    scale.check_gray()
    owners = scale.owners()
    coordinates = [_coordinate(scale, owners, axis) for axis in (0, 1)]
    places = {name: Places(owners[name], coordinates[0][name], coordinates[1][name]) for name in scale.low}
    _check(scale, places)
    return places


class _Scale:
    """Shows gray pictures to a processor, and returns its numbers in units of black (0) to white (1)."""

    def __init__(self, process: Process, sizes: Sequence[Size]) -> None:
        self.process, self.sizes = process, sizes
        black, white = (self._show([np.full((1, 1), level)] * len(sizes)) for level in (0.0, 255.0))
        names = [name for name, value in black.items() if _differ(name, value, white)]
        if not names:
            raise NotMeasurable(
                "expected pixel values that follow the brightness of a picture, but a black and a white one give the "
                "same: the processor normalizes each image or replaces its values"
            )
        self.low = {name: black[name].float() for name in names}
        spans = {name: white[name].float() - self.low[name] for name in names}
        self.span = {
            name: span.where(span.abs() > _LEAST_SPAN * span.abs().max(), torch.nan) for name, span in spans.items()
        }

    def show(self, levels: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Return the numbers for one picture per image, given as gray levels 0..255 that broadcast to its size."""
        return self.scaled(self._show(levels))

    def scaled(self, values: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the processor's numbers in units of black to white; NaN without a place."""
        for name, low in self.low.items():
            if values[name].shape != low.shape:
                raise NotMeasurable(
                    f"expected {name} of one shape for all pictures of a size, but got {tuple(low.shape)} and "
                    f"{tuple(values[name].shape)}: its layout depends on the picture's content"
                )
        return {name: (values[name].float() - low) / self.span[name] for name, low in self.low.items()}

    def check_gray(self) -> None:
        """Raise NotMeasurable if neighboring gray levels are not kept apart in proportion."""
        for level in (127.0, 128.0):
            for values in self.show([np.full((1, 1), level)] * len(self.sizes)).values():
                known = values[~values.isnan()]
                if len(known) and ((known - level / 255).abs() > _GRAY_ERROR).float().mean() > _GRAY_OFF:
                    raise NotMeasurable(
                        f"expected pixel values in proportion to gray levels, but gray {level:.0f} of 255 came as "
                        f"{255 * known.median():.2f}: the processor quantizes, normalizes each image or adds noise"
                    )

    def owners(self) -> dict[str, np.ndarray]:
        """Return the number of the image that each number shows, -1 for none."""
        found = {name: torch.zeros(span.shape, dtype=torch.long) for name, span in self.span.items()}
        for bit in range((len(self.sizes) - 1).bit_length()):
            levels = [np.full((1, 1), 255.0 * (index >> bit & 1)) for index in range(len(self.sizes))]
            for name, values in self.show(levels).items():
                found[name] += (values > 0.5).long() << bit
        return {name: owner.where(~self.span[name].isnan(), -1).numpy() for name, owner in found.items()}

    def _show(self, levels: Sequence[np.ndarray]) -> dict[str, Any]:
        pictures = [_picture(np.broadcast_to(level, size)) for level, size in zip(levels, self.sizes)]
        return dict(self.process(pictures))


def _coordinate(scale: _Scale, owners: dict[str, np.ndarray], axis: int) -> dict[str, np.ndarray]:
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


def _check(scale: _Scale, places: dict[str, Places]) -> None:
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
                f"{name} differ from it: the processor changes colors from image to image, or by place"
            )


def _slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the gray level of the picture that proves the places, at fractions of its width and height.

    It is linear, so that blur does not change it, and has little contrast, so that a normalized image would differ.
    """
    return 0.5 + 0.2 * (x - 0.5) + 0.15 * (y - 0.5)


def _differ(name: str, black: Any, white: dict[str, Any]) -> bool:
    if not torch.is_tensor(black) or not black.is_floating_point() or black.numel() < 3:
        return False
    other = white[name]
    if other.shape != black.shape:
        raise NotMeasurable(
            f"expected {name} of one shape for all pictures of a size, but its shape depends on content"
        )
    return not torch.equal(black, other)


def _picture(levels: np.ndarray) -> Image.Image:
    gray = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(gray[..., None], (*gray.shape, 3))))
