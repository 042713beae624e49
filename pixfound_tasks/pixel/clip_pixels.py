"""The images that CLIP sees, made with Pillow as transformers 4.31 makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from jaxtyping import Float32

_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class ClipPixels:
    """Resizes the shortest side of an image, crops its center and normalizes it.

    Later versions resize with torchvision, whose pixels differ slightly. The attributes have the names of transformers'
    `CLIPImageProcessor`, from which the geometry of the image tokens is read.
    """

    do_resize = True

    def __init__(self, config: Mapping[str, Any]) -> None:
        side = _side(config.get("size", 224))
        self.do_center_crop = bool(config.get("do_center_crop", True))
        self.size = {"shortest_edge": side} if self.do_center_crop else {"height": side, "width": side}
        crop = _side(config.get("crop_size", side))
        self.crop_size = {"height": crop, "width": crop}
        self.image_mean = list(config.get("image_mean", _MEAN))
        self.image_std = list(config.get("image_std", _STD))
        self.resample = Image.Resampling(config.get("resample", Image.Resampling.BICUBIC))

    def __call__(self, images: Sequence[Image.Image]) -> Float32[np.ndarray, "images 3 height width"]:
        """Return the pixels of RGB images."""
        return np.stack([self._pixels(image) for image in images])

    def _pixels(self, image: Image.Image) -> Float32[np.ndarray, "3 height width"]:
        if not self.do_center_crop:
            seen = image.resize((self.size["width"], self.size["height"]), self.resample)
            return self._normalized(seen)
        side, crop = self.size["shortest_edge"], self.crop_size["height"]
        width, height = image.size
        # The longer side is rounded down.
        size = (side, int(side * height / width)) if width <= height else (int(side * width / height), side)
        left, top = (size[0] - crop) // 2, (size[1] - crop) // 2
        seen = image.resize(size, self.resample).crop((left, top, left + crop, top + crop))
        return self._normalized(seen)

    def _normalized(self, seen: Image.Image) -> Float32[np.ndarray, "3 height width"]:
        pixels = np.asarray(seen, np.float32) * np.float32(1 / 255)
        mean, std = np.array(self.image_mean, np.float32), np.array(self.image_std, np.float32)
        return ((pixels - mean) / std).transpose(2, 0, 1)


def _side(size: Any) -> int:
    """Return the side of a square, which older files give as a number."""
    if isinstance(size, Mapping):
        return int(size.get("shortest_edge") or size["height"])
    return int(size)
