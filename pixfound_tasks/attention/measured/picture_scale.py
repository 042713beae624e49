"""Gray pictures that are shown to a processor, whose numbers are read in units of black to white."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pixfound_tasks.attention.geometry import Size
from pixfound_tasks.attention.measured.errors import NotMeasurable

# The processor's output for one prompt with these images, before it is cast to the model's device and dtype.
Process = Callable[[Sequence[Image.Image]], Mapping[str, Any]]

_LEAST_SPAN = 0.6  # of the largest difference between black and white; numbers below it show padding too
# Allowed for flat gray pictures, and for what part of the numbers: some processors round to bfloat16, and the edges of
# padding are mixed.
_GRAY_ERROR, _GRAY_OFF = 0.6 / 255, 0.1
_MEAN, _DEVIATION = 127.5, 40.0  # of all pictures that are shown to a processor that normalizes each
_DARKER, _LESS = 90.0, 40.0  # mean and amplitude of a picture that it must not tell from those
_SAME = 0.02  # of the range of its numbers: what they may differ by


class NotProportional(NotMeasurable):
    """A processor does not give pictures of one color in proportion to their gray level."""


class Scale:
    """Shows gray pictures to a processor, and returns its numbers in units of black (0) to white (1)."""

    def __init__(self, process: Process, sizes: Sequence[Size]) -> None:
        self.process, self.sizes = process, list(sizes)
        self._begin()

    def _begin(self) -> None:
        """Find out how the processor's numbers follow gray levels."""
        sizes = self.sizes
        black, white = (self.processed([np.full((1, 1), level)] * len(sizes)) for level in (0.0, 255.0))
        names = [name for name, value in black.items() if _differ(name, value, white)]
        if not names:
            raise NotProportional(
                "expected pixel values that follow the brightness of a picture, but a black and a white one give the "
                "same: the processor normalizes each image or replaces its values"
            )
        self.low = {name: black[name].float() for name in names}
        spans = {name: white[name].float() - self.low[name] for name in names}
        self.span = _known(spans)

    def show(self, levels: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Return the numbers for one picture per image, given as gray levels 0..255 that broadcast to its size."""
        return self.scaled(self.processed(levels))

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
        """Raise NotProportional if neighboring gray levels are not kept apart in proportion."""
        for level in (127.0, 128.0):
            for values in self.show([np.full((1, 1), level)] * len(self.sizes)).values():
                known = values[~values.isnan()]
                if len(known) and ((known - level / 255).abs() > _GRAY_ERROR).float().mean() > _GRAY_OFF:
                    raise NotProportional(
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

    def processed(self, levels: Sequence[np.ndarray]) -> dict[str, Any]:
        pictures = [_picture(np.broadcast_to(level, size)) for level, size in zip(levels, self.sizes)]
        return dict(self.process(pictures))


class NormalizedScale(Scale):
    """The same for a processor that takes out the mean and the standard deviation of each picture, for one image.

    All pictures have the same mean and deviation, so that they are normalized alike. What the processor makes of gray
    levels is found with waves: in a wave, its negative, and one that is a quarter further, their distance from the mean
    adds up to the same everywhere.
    """

    def _begin(self) -> None:
        width = self.sizes[0][1]
        phase = 2 * np.pi * (np.arange(width) + 0.5) / width
        sine, negative, cosine = (
            self.processed([127.5 + _MEAN * wave[None]]) for wave in (np.sin(phase), -np.sin(phase), np.cos(phase))
        )
        # As it comes, darker and with less contrast.
        plain = Scale.processed(self, [_DARKER + _LESS * np.sin(phase)[None]])
        names = [name for name, value in sine.items() if _differ(name, value, negative)]
        if not names or any(_apart(plain[name], sine[name]) > _SAME for name in names):
            raise NotProportional("expected pixel values that do not depend on brightness and contrast, but they do")
        middle = {name: (sine[name].float() + negative[name].float()) / 2 for name in names}
        amplitude = _DEVIATION * np.sqrt(2) / 255
        spans = {
            name: torch.hypot(sine[name].float() - middle[name], cosine[name].float() - middle[name]) / amplitude
            for name in names
        }
        self.low = {name: middle[name] - spans[name] * _MEAN / 255 for name in names}
        self.span = _known(spans)

    def show(self, levels: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Return the numbers for a picture of these gray levels, in units of black to white as if it were shown so."""
        scale, offset = _alike(np.broadcast_to(levels[0], self.sizes[0]))
        return {name: (255 * value - offset) / scale / 255 for name, value in super().show(levels).items()}

    def check_gray(self) -> None:
        """Gray pictures cannot be normalized."""

    def owners(self) -> dict[str, np.ndarray]:
        """Return 0 for numbers that show the image, and -1 for others."""
        return {name: torch.where(span.isnan(), -1, 0).numpy() for name, span in self.span.items()}

    def processed(self, levels: Sequence[np.ndarray]) -> dict[str, Any]:
        shown = np.broadcast_to(levels[0], self.sizes[0])
        scale, offset = _alike(shown)
        return super().processed([shown * scale + offset])


def _alike(levels: np.ndarray) -> tuple[float, float]:
    """Return the scale and offset that give gray levels the mean and deviation of all pictures."""
    if not levels.std() > 0:
        raise NotMeasurable("expected an image of several pixels, because the processor normalizes each image")
    scale = _DEVIATION / float(levels.std())
    return scale, _MEAN - scale * float(levels.mean())


def _apart(one: Tensor, other: Tensor) -> float:
    """Return the usual difference between two tensors, in ranges of their numbers."""
    return float((one - other).abs().float().median() / (other.max() - other.min()))


def _known(spans: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the differences between black and white, NaN where a number shows little of the picture."""
    return {name: span.where(span.abs() > _LEAST_SPAN * span.abs().max(), torch.nan) for name, span in spans.items()}


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
