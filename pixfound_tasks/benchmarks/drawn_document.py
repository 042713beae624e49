"""Makes a document of a drawn scene and its question, for all data versions of PixMini."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from pixfound_tasks.benchmarks.documents import Document
from pixfound_tasks.masks import encode


def drawn_document(
    index: int,
    half: int,
    question: Any,
    pattern: str,
    expression: str,
    image: np.ndarray,
    mask: np.ndarray,
    version: str,
) -> Document:
    """Return the document of one half (0 or 1) of the pair with this index.

    `question` has the fields of `mini.questions.Question`. The image is uint8 (height, width, 3) RGB, the mask bool
    (height, width).
    """
    number = 2 * index + half + 1
    height, width = mask.shape
    return Document(
        benchmark="pixmini",
        id=str(number),
        file=f"{number}.png",
        pair=index,
        question=question.text,
        options=list(question.options),
        options_text=question.options_text,
        prompt=None,
        answer=question.letter.lower(),
        pattern=pattern,
        task="",
        source="",
        expression=expression,
        mask=encode(mask),
        width=width,
        height=height,
        origin=f"drawn, version {version}",
        image={"bytes": _png(image), "path": None},
    )


def _png(image: np.ndarray) -> bytes:
    """Encode an image as PNG, without loss."""
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
