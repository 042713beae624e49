"""From what any model of lmms-eval says to masks, after the model is freed."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from loguru import logger
from PIL.Image import Image

from pixfound_tasks import benchmarks
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.grounding.segmenters import base as segmenters
from pixfound_tasks.grounding.segmenters.base import Segmenter
from pixfound_tasks.grounding.words import read_words, with_masks
from pixfound_tasks.prompts.varied import changed_image
from pixfound_tasks.response import Box, Candidate, Point, Response
from pixfound_tasks.scoring import declared
from pixfound_tasks.settings import read_setting

_lock = threading.Lock()  # lmms-eval scores in several threads, and a segmenter holds one image


class Grounded(NamedTuple):
    """A response, and whether more was made of it here than the model's output says by itself."""

    response: Response
    is_made: bool

    @property
    def is_measured(self) -> bool:
        """Whether it can be scored: not where boxes or points came, and no segmenter could make masks of them."""
        return self.response.masks is not None or not self.response.is_grounded


def read_answer(text: str, doc: dict[str, Any]) -> Grounded:
    """The response in a model's words: its masks as they are, its boxes or points turned into masks.

    Coordinates are read by what is declared of the model, see `declared`; the segmenter is the one PIXFOUND_SEGMENTER
    names. Both go into the provenance. Never raises: an error would lose the whole run.
    """
    kind, convention = declared.noted(doc["benchmark"])
    response = read_words(text, (doc["height"], doc["width"]), convention, kind)
    if response.masks is not None:
        return Grounded(response, False)
    name = segmenter_name(doc["benchmark"])
    try:
        return Grounded(with_masks(response, lambda prompts: _segment(name, doc, prompts), name), True)
    except _Failed:
        return Grounded(response, True)


def segmenter_name(benchmark: str) -> str:
    """PIXFOUND_SEGMENTER, else the benchmark's own: SAM for photographs, for drawings one that needs no download."""
    return read_setting("PIXFOUND_SEGMENTER") or get_benchmark(benchmark).segmenter


class _Failed(Exception):
    pass


def _segment(name: str, doc: dict[str, Any], prompts: Sequence[Box | Point]) -> list[tuple[Candidate, ...]]:
    with _lock:
        segmenter = _segmenter(name)
        if segmenter is None:
            raise _Failed
        image = np.asarray(image_of(doc))
        try:
            segmenter.set_image(image)
            return segmenter.segment(prompts)
        except Exception as error:  # a full memory, for one
            logger.error(f"{name} fails on image {doc['id']}, which is not scored: {type(error).__name__}: {error}")
            raise _Failed from error


def image_of(doc: dict[str, Any]) -> Image:
    """The image of a document without one, from its benchmark, RGB; in its variation, where it has one."""
    return changed_image(_images(doc["benchmark"])[doc["id"]], doc)


@functools.cache
def _images(benchmark: str) -> Mapping[str, Image]:
    return benchmarks.images(benchmark)


@functools.cache
def _segmenter(name: str) -> Segmenter | None:
    """None where it cannot be loaded, which is tried, and logged, once."""
    logger.info(f"boxes and points become masks by {name} (PIXFOUND_SEGMENTER)")
    try:
        return segmenters.make_segmenter(name)
    except Exception as error:  # a broken file of weights raises errors of its own
        logger.error(f"boxes and points get no masks, and are not scored: {type(error).__name__}: {error}")
        return None
