"""Folders of masks as PNG images. They come from other systems, so neither names nor contents are trusted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.masks import Rle, Size
from pixfound_tasks.models.mask_pictures import NotAMask, common_ground, ground_of, read_picture
from pixfound_tasks.models.replay_files import ImageKey, image_key

MAX_PIXELS = 1 << 25  # an image with more is not decoded; 8192 x 4096 is exactly as many
_CANDIDATE = re.compile(r"(.+)_([0-9]{1,9})_([0-9]{1,9})", re.DOTALL)
_SAMPLED = 64  # files of a folder that are looked at to find its ground

# (phrase, mask) of a candidate, or () for an image's only mask.
MaskKey = tuple[int, ...]
T = TypeVar("T")


class UnreadableMask(ValueError):
    """A file that is not an image, one that must not be decoded, or one that does not show which pixels are the mask.

    The last is so if `is_picture` is true.
    """

    def __init__(self, message: str, is_picture: bool = False) -> None:
        super().__init__(message)
        self.is_picture = is_picture


class PngMask(NamedTuple):
    """A mask of its image's size, whether the PNG had another size, and how it was read if not by "0 or not"."""

    mask: Rle
    is_resized: bool
    note: str = ""


@dataclass(frozen=True)
class MaskFolder:
    """The PNGs of a folder by image and mask; `count` is the number of files."""

    files: dict[ImageKey, dict[MaskKey, Path]]
    count: int

    @classmethod
    def find(cls, folder: Path) -> MaskFolder:
        """Every `*.png` directly in the folder, whatever its contents.

        The name is the key of an image, or ends in `_PHRASE_MASK`. A name that can be read both ways is listed both
        ways. Raises ValueError if there is no PNG, a link leads out of the folder, or two files are the same mask.
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

    @cached_property
    def has_candidates(self) -> bool:
        """Whether a file is a candidate's, by its name."""
        return any(key for files in self.files.values() for key in files)

    @cached_property
    def ground(self) -> int | None:
        """The color around the objects in most files of a sample, 0xRRGGBB; None if they do not agree.

        Where masks are inverted or color-mapped, one file alone does not say which of two colors is the ground.
        """
        paths = sorted({path for masks_of in self.files.values() for path in masks_of.values()})
        step = -(-len(paths) // _SAMPLED)
        return common_ground(map(_ground, paths[::step]))


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


def read_png(path: Path, size: Size, ground: int | None = None, image: Image.Image | None = None) -> PngMask:
    """A mask from a PNG, resized to `size` (height, width) by nearest neighbor if it has another size.

    The mask is every pixel that is not 0: not black in color or palette images, and not fully transparent. A picture of
    another kind is read as `read_picture` says, with `ground` and `image`, and gets a note. Raises UnreadableMask if
    the file is not a PNG, is broken, does not show which pixels are the mask, or has more than `MAX_PIXELS` pixels;
    such an image is not decoded.
    """
    mask, note = _decoded(path, lambda picture: read_picture(picture, ground, image))
    is_resized = mask.shape != size
    return PngMask(masks.encode(masks.resize(mask, size) if is_resized else mask), is_resized, note)


def _ground(path: Path) -> int | None:
    try:
        return _decoded(path, ground_of)
    except UnreadableMask:
        return None


def _decoded(path: Path, read: Callable[[Image.Image], T]) -> T:
    """Whatever `read` makes of the picture. Raises UnreadableMask."""
    if not path.is_file():
        raise UnreadableMask("not a file")
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise UnreadableMask(f"{picture.width} x {picture.height} pixels are too many to decode")
            picture.verify()  # lmms-eval makes Pillow fill truncated images with black instead of failing
        with Image.open(path, formats=["PNG"]) as picture:
            return read(picture)
    except UnreadableMask:
        raise
    except NotAMask as error:
        raise UnreadableMask(str(error), is_picture=True) from error
    except Exception as error:  # a decoder may raise anything on a broken image
        raise UnreadableMask(f"{type(error).__name__}: {error}") from error
