"""The tiles that Sa2VA's InternVL sees of an image, made with Pillow as the authors' code makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pixfound_tasks.hosts.image_processors import internvl_tiles

if TYPE_CHECKING:
    from jaxtyping import Float32

_SIDE = 448
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class TilePixels:
    """Stretches an image to the grid of at most 12 tiles nearest to its aspect ratio, and cuts it into these tiles.

    If there is more than one, the whole image follows as a thumbnail. The numbers are those of the authors' code, which
    does not read them from the checkpoint's config.json. The attributes have the names of transformers' image processor
    of InternVL, from which the geometry of the image tokens is read.
    """

    crop_to_patches = True
    min_patches, max_patches = 1, 12

    def __init__(self) -> None:
        self.size = {"height": _SIDE, "width": _SIDE}
        self.image_mean, self.image_std = list(_MEAN), list(_STD)

    def grid(self, image: Image.Image) -> tuple[int, int]:
        """Return the rows and columns of an image's tiles."""
        return internvl_tiles((image.height, image.width), (_SIDE, _SIDE), self.min_patches, self.max_patches)

    def count(self, image: Image.Image) -> int:
        """Return the number of an image's tiles, including the thumbnail."""
        rows, columns = self.grid(image)
        return rows * columns + (rows * columns > 1)

    def __call__(self, images: Sequence[Image.Image]) -> Float32[np.ndarray, "tiles 3 448 448"]:
        """Return the pixels of the tiles of RGB images, image by image and row by row."""
        return np.concatenate([self._tiles(image) for image in images])

    def _tiles(self, image: Image.Image) -> Float32[np.ndarray, "tiles 3 448 448"]:
        rows, columns = self.grid(image)
        whole = _pixels(image, columns, rows)
        tiles = whole.reshape(3, rows, _SIDE, columns, _SIDE).transpose(1, 3, 0, 2, 4).reshape(-1, 3, _SIDE, _SIDE)
        return tiles if len(tiles) == 1 else np.concatenate([tiles, _pixels(image, 1, 1)[None]])


def _pixels(image: Image.Image, columns: int, rows: int) -> Float32[np.ndarray, "3 height width"]:
    size = (columns * _SIDE, rows * _SIDE)
    pixels = np.asarray(image.resize(size, Image.Resampling.BICUBIC), np.float32) / np.float32(255)
    return ((pixels - np.array(_MEAN, np.float32)) / np.array(_STD, np.float32)).transpose(2, 0, 1)
