"""The benchmarks' images, as data URIs that a page can carry."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping

from loguru import logger
from PIL import Image

Images = Mapping[str, Mapping[str, Image.Image]]  # benchmark -> id -> image

_DRAWING_SIDE = 128  # pixels: images up to this size are drawings, in which JPEG would leave traces
_MANY = 500  # images; more of them are embedded smaller, so that the page stays under some 60 MB
_LONGEST_SIDE = {"few": 512, "many": 384}  # pixels
_JPEG_QUALITY = 85


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


def embed(images: Mapping[str, Image.Image], ids: Iterable[str]) -> dict[str, str]:
    """The images of these ids as data URIs, as far as there are any."""
    wanted = [id for id in ids if id in images]
    side = _LONGEST_SIDE["many" if len(wanted) > _MANY else "few"]
    return {id: _data_uri(images[id], side) for id in wanted}


def _data_uri(image: Image.Image, side: int) -> str:
    is_drawing = max(image.size) <= _DRAWING_SIDE
    image = image.convert("RGB")
    image.thumbnail((side, side))
    file = io.BytesIO()
    if is_drawing:
        image.save(file, "PNG", optimize=True)
    else:
        image.save(file, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    kind = "png" if is_drawing else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
