"""Turning the text output of any lmms-eval model into masks, after the model is freed."""

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
from pixfound_tasks.grounding.text_grounder import read_contract, read_reply, with_masks
from pixfound_tasks.prompts.text import COORDINATES
from pixfound_tasks.prompts.variants import changed_image
from pixfound_tasks.response import Box, Candidate, Point, Response
from pixfound_tasks.settings import read_setting
from pixfound_tasks.tasks import model_profiles

_lock = threading.Lock()  # lmms-eval scores in several threads, and a segmenter holds one image at a time


class Grounded(NamedTuple):
    """A response, and whether it holds more than the output itself: coordinates read or masks made here."""

    response: Response
    is_made: bool

    @property
    def is_measured(self) -> bool:
        """Whether it can be scored: False if boxes or points came and no segmenter could turn them into masks."""
        return self.response.masks is not None or not self.response.is_grounded


def read_answer(text: str, doc: dict[str, Any]) -> Grounded:
    """The response in a model's text: its masks as they are, its boxes or points turned into masks.

    Coordinates are read with the convention declared for the model, see `model_profiles`. The segmenter is that of
    `segmenter_name`. Both are recorded in the provenance. Never raises, because an error would lose the whole run.
    """
    profile, convention = model_profiles.get_profile(doc["benchmark"])
    kind = COORDINATES.get(profile)
    size = doc["height"], doc["width"]
    given = read_contract(text, size, convention, kind)
    response = given or read_reply(text, size, convention, kind, doc["expression"])
    if response.masks is not None:
        return Grounded(response, given is None)
    name, mask = segmenter_name(doc["benchmark"]), read_setting("PIXFOUND_MASK")
    try:
        return Grounded(with_masks(response, lambda prompts: _segment(name, doc, prompts), name, mask), True)
    except _Failed:
        return Grounded(response, True)


def segmenter_name(benchmark: str) -> str:
    """PIXFOUND_SEGMENTER, else the benchmark's default.

    The default is SAM for photographs, and a segmenter that needs no download for drawings.
    """
    return read_setting("PIXFOUND_SEGMENTER") or get_benchmark(benchmark).segmenter


class _Failed(Exception):
    pass


def _segment(name: str, doc: dict[str, Any], prompts: Sequence[Box | Point]) -> list[tuple[Candidate, ...]]:
    with _lock:
        segmenter = _segmenter(name, read_setting("PIXFOUND_MASK") != "single")
        if segmenter is None:
            raise _Failed
        image = np.asarray(image_of(doc))
        try:
            segmenter.set_image(image)
            return segmenter.segment(prompts)
        except Exception as error:  # running out of memory, for example
            logger.error(
                f"{name} fails on image {doc['id']}, so the image is not scored: {type(error).__name__}: {error}"
            )
            raise _Failed from error


def image_of(doc: dict[str, Any]) -> Image:
    """A document's RGB image, read from its benchmark and changed as its variation requires, if it has one."""
    return changed_image(_images(doc["benchmark"])[doc["id"]], doc)


@functools.cache
def _images(benchmark: str) -> Mapping[str, Image]:
    return benchmarks.images(benchmark)


@functools.cache
def _segmenter(name: str, multimask: bool = True) -> Segmenter | None:
    """The segmenter, or None if it cannot be loaded. Loading is tried, and a failure logged, once."""
    logger.info(f"boxes and points are turned into masks by {name} (PIXFOUND_SEGMENTER)")
    try:
        return segmenters.make_segmenter(name, multimask=multimask)
    except Exception as error:  # a corrupt weights file may raise any error
        logger.error(
            f"the segmenter cannot be loaded, so boxes and points are not scored: {type(error).__name__}: {error}"
        )
        return None
