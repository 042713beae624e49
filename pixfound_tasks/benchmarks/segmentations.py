"""The masks of PixCV-Bench, from one file of COCO style annotations for each of the two image sources."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.benchmarks.readers import read_json
from pixfound_tasks.benchmarks.records.pixcvbench import SEGMENTATIONS, SOURCES
from pixfound_tasks.benchmarks.sources import DataError, Files
from pixfound_tasks.masks import InvalidMask, Rle, Size

_SHORTEST_POLYGON = 6  # numbers for three corners; pycocotools would read four numbers as a box


def name_in(folder: Path, path: Path) -> str:
    """Return the file's name. Segmentation files all have the same name, so theirs is preceded by their source.

    Raises DataError unless the folders between `folder` and a segmentation file name exactly one source.
    """
    if path.name != SEGMENTATIONS:
        return path.name
    place = path.relative_to(folder)
    sources = [source for source in SOURCES if source in str(place.parent).upper()]
    if len(sources) != 1:
        raise DataError(
            f"expected {SEGMENTATIONS} in a folder whose name holds one of {SOURCES}, but got {place} in {folder}: "
            "name the folder after the source of its images"
        )
    return f"{sources[0]}/{path.name}"


def read(files: Files, source: str) -> Mapping[str, list[Any]]:
    """Return the segmentations (polygons and RLEs, not converted) of a source's images by the images' base names.

    The list is empty if an image has no segmentation. Raises DataError if the file is not in COCO style.
    """
    name = f"{source}/{SEGMENTATIONS}"
    content = read_json(files, name)
    try:
        images = {image["id"]: PurePosixPath(image["file_name"]).name for image in content["images"]}
        found: dict[str, list[Any]] = {file: [] for file in images.values()}
        for annotation in content["annotations"]:
            found[images[annotation["image_id"]]].append(annotation["segmentation"])
    except (KeyError, TypeError) as error:
        raise DataError(
            f"expected COCO style images and annotations in {name}, but got {type(error).__name__}: {error}: fetch the "
            "file again"
        ) from error
    return found


def mask(segmentations: Sequence[Any], size: Size, where: str) -> Rle:
    """Return the union of an image's segmentations at the image's size (height, width) in pixels.

    Polygons are in the image's pixels. An RLE of another size is resized by nearest neighbor. Raises DataError if a
    segmentation is neither a polygon nor an RLE.
    """
    try:
        polygons = [_polygon(polygon) for each in segmentations if isinstance(each, list) for polygon in each]
        by_size: dict[Size, list[Rle]] = {}
        for each in segmentations:
            if not isinstance(each, list):
                stated = _stated_size(each)
                by_size.setdefault(stated, []).append(masks.read_mask(each, stated))
    except InvalidMask as error:
        raise DataError(f"expected readable masks for {where}, but got: {error}: fetch the file again") from error
    parts = [_resized(masks.union(rles, stated), size) for stated, rles in by_size.items()]
    return masks.union([masks.from_polygons(polygons, size), *parts], size)


def _polygon(value: Any) -> list[float]:
    is_polygon = isinstance(value, list) and all(isinstance(number, (int, float)) for number in value)
    if not is_polygon or len(value) < _SHORTEST_POLYGON or len(value) % 2:
        raise InvalidMask(f"expected a polygon [x0, y0, x1, y1, x2, y2, ...], but got {str(value)[:80]}")
    return value


def _stated_size(value: Any) -> Size:
    size = value.get("size") if isinstance(value, dict) else None
    if isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size):
        height, width = size
        if height * width <= (Image.MAX_IMAGE_PIXELS or math.inf):
            return height, width
    raise InvalidMask(f"expected polygons, or an RLE with a valid image size, but got {str(value)[:80]}")


def _resized(rle: Rle, size: Size) -> Rle:
    return rle if tuple(rle["size"]) == size else masks.encode(masks.resize(masks.decode(rle), size))
