"""From what any model of lmms-eval says to masks, after the model is freed."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from loguru import logger
from PIL.Image import Image

from pixfound_tasks import benchmarks
from pixfound_tasks.grounding import segmenters
from pixfound_tasks.grounding.segmenters import Segmenter
from pixfound_tasks.grounding.words import read_words, with_masks
from pixfound_tasks.response import Box, Candidate, Point, Response
from pixfound_tasks.scoring import declared


class _NoSegmenter(Exception):
    pass


_lock = threading.Lock()  # lmms-eval scores in several threads, and a segmenter holds one image


class Grounded(NamedTuple):
    """A response, and whether more was made of it here than the model's output says by itself."""

    response: Response
    is_made: bool


def read_answer(text: str, doc: dict[str, Any]) -> Grounded:
    """The response in a model's words: its masks as they are, its boxes or points turned into masks.

    Coordinates are read by what is declared of the model, see `declared`; the segmenter is the one PIXFOUND_SEGMENTER
    names. Both go into the provenance. Where that cannot be loaded, boxes and points stay without masks.
    """
    response = read_words(text, (doc["height"], doc["width"]), declared.convention(doc["benchmark"]))
    if response.masks is not None:
        return Grounded(response, False)
    name = segmenter_name(doc["benchmark"])
    try:
        return Grounded(with_masks(response, lambda prompts: _segment(name, doc, prompts), name), True)
    except _NoSegmenter:
        return Grounded(response, True)


def segmenter_name(benchmark: str) -> str:
    """PIXFOUND_SEGMENTER, else SAM for photographs, and for PixMini's drawings one that needs no download."""
    default = "region" if benchmark == "pixmini" else segmenters.DEFAULT
    return os.environ.get("PIXFOUND_SEGMENTER") or default


def _segment(name: str, doc: dict[str, Any], prompts: Sequence[Box | Point]) -> list[tuple[Candidate, ...]]:
    image = np.asarray(_images(doc["benchmark"])[doc["id"]])
    with _lock:
        segmenter = _segmenter(name)
        if segmenter is None:
            raise _NoSegmenter
        segmenter.set_image(image)
        return segmenter.segment(prompts)


@functools.cache
def _images(benchmark: str) -> Mapping[str, Image]:
    return benchmarks.images(benchmark)


@functools.cache
def _segmenter(name: str) -> Segmenter | None:
    """None where it cannot be loaded, which is tried and logged once. An error here would lose the whole run."""
    logger.info(f"boxes and points become masks by {name} (PIXFOUND_SEGMENTER)")
    try:
        return segmenters.make_segmenter(name)
    except ValueError as error:
        logger.error(f"boxes and points get no masks, and are not scored: {error}")
        return None
