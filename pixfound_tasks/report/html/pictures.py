"""The benchmarks' images, as data URIs for the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from loguru import logger
from PIL import Image

Images = Mapping[str, Mapping[str, Image.Image]]  # benchmark -> id -> image


class _Kept(NamedTuple):
    """The longest side in pixels and the JPEG quality at which an image is stored."""

    side: int
    quality: int


_DRAWING_SIDE = 128  # pixels; images up to this size count as drawings, for which JPEG artifacts would show
_MANY = 500  # images; if there are more, they are reduced further, so that PixCV-Bench takes about 20 MB
_FEW_KEPT, _MANY_KEPT, _TIGHT_KEPT, _SMALL_KEPT = _Kept(512, 85), _Kept(288, 60), _Kept(224, 55), _Kept(160, 75)
_ORIGINAL_QUALITY = 92


def load(benchmarks: Iterable[str]) -> Images:
    """Loads the images of the benchmarks whose data is available; logs a warning, with the reason, for the others."""
    from pixfound_tasks.benchmarks import images

    found = {}
    for benchmark in sorted(benchmarks):
        try:
            found[benchmark] = images(benchmark)
        except Exception as error:  # any download or file error: the page works without images
            logger.warning(f"The images of {benchmark} are not available, so the page shows only masks: {error}")
    return found


def embed(
    images: Mapping[str, Image.Image], ids: Iterable[str], threads: ThreadPoolExecutor, is_tight: bool = False
) -> Iterator[tuple[str, str]]:
    """Yields the images of these ids as data URIs; ids without an image are skipped. The threads start immediately.

    If `is_tight`, the page has so many answers that its images must be small.
    """
    wanted = [id for id in ids if id in images]
    kept = _FEW_KEPT if len(wanted) <= _MANY else _TIGHT_KEPT if is_tight else _MANY_KEPT
    return zip(wanted, threads.map(lambda id: data_uri(images[id], kept), wanted))


def data_uri(image: Image.Image, kept: _Kept = _FEW_KEPT) -> str:
    """Encodes the image, reduced to the size in `kept`, as PNG if it is a drawing and as JPEG otherwise."""
    kind, content = encoded(image, kept)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def small_uri(image: Image.Image) -> str:
    """Encodes the image at the size of a thumbnail."""
    return data_uri(image, _SMALL_KEPT)


def encoded(image: Image.Image, kept: _Kept = _FEW_KEPT) -> tuple[str, bytes]:
    """Returns the kind, "png" for drawings or "jpeg", and the image reduced to the size in `kept`, in that format."""
    is_drawing = max(image.size) <= _DRAWING_SIDE
    image = image.convert("RGB")
    image.thumbnail((kept.side, kept.side))
    file = io.BytesIO()
    if is_drawing:
        image.save(file, "PNG", optimize=True)
        return "png", file.getvalue()
    image.save(file, "JPEG", quality=kept.quality, optimize=True)
    return "jpeg", file.getvalue()


def original(image: Image.Image) -> tuple[str, bytes]:
    """Returns the image at its own resolution; see `encoded`."""
    return encoded(image, _Kept(max(image.size), _ORIGINAL_QUALITY))
