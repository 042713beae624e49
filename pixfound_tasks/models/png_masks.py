"""Folders of masks as PNG pictures. They come from elsewhere, so neither names nor pictures are trusted."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.masks import Rle, Size
from pixfound_tasks.models.predictions import ImageKey, image_key

MAX_PIXELS = 1 << 25  # a picture with more is not decoded; 8192 x 4096 are as many
_CANDIDATE = re.compile(r"(.+)_([0-9]{1,9})_([0-9]{1,9})", re.DOTALL)
_SINGLE_CHANNEL = ("1", "L", "I", "I;16", "I;16B", "F")

# (phrase, mask), or () for an image's only mask.
MaskKey = tuple[int, ...]


class UnreadableMask(ValueError):
    """A file that is no picture, or one that is not to be decoded."""


class PngMask(NamedTuple):
    """A mask in its image's size, and whether the picture had another."""

    mask: Rle
    is_resized: bool


@dataclass(frozen=True)
class MaskFolder:
    """The PNGs of a folder by image and mask; `count` is how many files there are."""

    files: dict[ImageKey, dict[MaskKey, Path]]
    count: int

    @classmethod
    def find(cls, folder: Path) -> MaskFolder:
        """Every `*.png` right in the folder, whatever it holds.

        The name is its image's key, or ends in `_PHRASE_MASK`; one that can be read both ways is found both ways.
        Raises ValueError where there is none, where a link leads out of the folder, or where two are the same mask.
        """
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".png") if folder.is_dir() else []
        if not paths:
            raise ValueError(
                f"expected PNGs such as 00001.png, ADE_val_00000248.png or 1_000_002.png in masks={folder}, "
                "but found none"
            )
        files: dict[ImageKey, dict[MaskKey, Path]] = {}
        for path in paths:
            _check_place(path, folder)
            for image, mask in _readings(path.stem):
                other = files.setdefault(image, {}).setdefault(mask, path)
                if other != path:
                    raise ValueError(
                        f"expected one file per mask, but got {other.name!r} and {path.name!r}; remove one"
                    )
        return cls(files, len(paths))


def _readings(stem: str) -> list[tuple[ImageKey, MaskKey]]:
    found: list[tuple[ImageKey, MaskKey]] = [(image_key(stem), ())]
    if candidate := _CANDIDATE.fullmatch(stem):
        found.append((image_key(candidate[1]), (int(candidate[2]), int(candidate[3]))))
    return found


def _check_place(path: Path, folder: Path) -> None:
    if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise ValueError(
            f"expected files in masks={folder}, but {path.name!r} is a link out of it; copy the file there"
        )


def read_png(path: Path, size: Size) -> PngMask:
    """A mask from a picture, brought to `size` (height, width) by nearest neighbour where it has another.

    The mask is everything that is not 0: not black in colours and palettes, and not wholly transparent. Raises
    UnreadableMask for what is no PNG, broken, or larger than `MAX_PIXELS`, which is not decoded.
    """
    if not path.is_file():
        raise UnreadableMask("not a file")
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise UnreadableMask(f"{picture.width} x {picture.height} pixels")
            picture.verify()  # lmms-eval has Pillow fill up what is cut off, with black
        with Image.open(path, formats=["PNG"]) as picture:
            mask = _not_zero(picture)
    except UnreadableMask:
        raise
    except Exception as error:  # a decoder raises whatever a broken picture leads it to
        raise UnreadableMask(f"{type(error).__name__}: {error}") from error
    is_resized = mask.shape != size
    return PngMask(masks.encode(masks.resize(mask, size) if is_resized else mask), is_resized)


def _not_zero(picture: Image.Image) -> np.ndarray:
    if picture.mode in _SINGLE_CHANNEL:
        return np.asarray(picture) != 0
    colors = np.asarray(picture.convert("RGBA"))
    return colors[..., :3].any(-1) & (colors[..., 3] > 0)
