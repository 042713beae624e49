"""The benchmarks' images, as data URIs that a page can carry."""

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
    """How an image is kept: pixels of its longest side, and JPEG's quality."""

    side: int
    quality: int


_DRAWING_SIDE = 128  # pixels: images up to this size are drawings, in which JPEG would leave traces
_MANY = 500  # images; more of them are kept smaller, so that those of PixCV-Bench take some 20 MB
_FEW_KEPT, _MANY_KEPT = _Kept(512, 85), _Kept(288, 60)


def load(benchmarks: Iterable[str]) -> Images:
    """The images of those benchmarks whose data is at hand; a warning says which are not, and why."""
    from pixfound_tasks.benchmarks import images

    found = {}
    for benchmark in sorted(benchmarks):
        try:
            found[benchmark] = images(benchmark)
        except Exception as error:  # whatever a download or a data set's files can raise: the page does without
            logger.warning(f"The images of {benchmark} are not available, the page shows masks alone: {error}")
    return found


def embed(
    images: Mapping[str, Image.Image], ids: Iterable[str], threads: ThreadPoolExecutor
) -> Iterator[tuple[str, str]]:
    """The images of these ids as data URIs, as far as there are any; the threads begin at once."""
    wanted = [id for id in ids if id in images]
    kept = _MANY_KEPT if len(wanted) > _MANY else _FEW_KEPT
    return zip(wanted, threads.map(lambda id: data_uri(images[id], kept), wanted))


def data_uri(image: Image.Image, kept: _Kept = _FEW_KEPT) -> str:
    """The image as PNG where it is a drawing, else as JPEG, no larger than it is kept."""
    is_drawing = max(image.size) <= _DRAWING_SIDE
    image = image.convert("RGB")
    image.thumbnail((kept.side, kept.side))
    file = io.BytesIO()
    if is_drawing:
        image.save(file, "PNG", optimize=True)
    else:
        image.save(file, "JPEG", quality=kept.quality, optimize=True)
    kind = "png" if is_drawing else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
