"""Functions that the evidence task YAMLs name: the masked image, the score of one prompt, and the rates of flips.

A document is prompted three times, see `prompts.evidence`: with its image, with the target region masked, and with a
control region masked. Its answer flips if the chosen option differs from the one chosen for the unmasked image. An
answer that names no option, or several, counts as an option of its own: from "A" to an answer without a choice is a
flip, from one such answer to another is not. Documents that were not prompted all three times (a run with a limit) are
left out of all flip rates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from loguru import logger
from PIL.Image import Image

from pixfound_tasks.analysis import metrics
from pixfound_tasks.prompts.evidence import KINDS, masked
from pixfound_tasks.response import from_text
from pixfound_tasks.response.option import is_correct_answer, lenient_choice, option_of

Document = dict[str, Any]


class Asking(NamedTuple):
    """One of a document's three prompts, and the option chosen, counted from 0; None if none was."""

    id: str
    kind: str
    chosen: int | None


class Flips(NamedTuple):
    """Whether a document's answer changed when the target region was masked, and when the control region was."""

    evidence: bool
    control: bool


def image(doc: Document) -> list[Image]:
    """The document's one image, RGB, masked as its kind of prompt requires."""
    return [masked(doc["image"], doc["painted"])]


def score_evidence(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """The chosen option, from which all rates are computed.

    `accuracy` is of the unmasked image, by the `paper` rule.
    """
    answer = from_text(results[0], (doc["height"], doc["width"])).text
    asking = Asking(doc["id"], doc["kind"], lenient_choice(answer, doc["options"]))
    is_correct = is_correct_answer(answer, doc["options"], option_of(doc["answer"]))
    return {
        **dict.fromkeys(("score", "flip_evidence", "flip_control"), asking),
        "accuracy": float(is_correct) if doc["kind"] == "plain" else None,
        "pixfound": doc,
    }


def flips(askings: Iterable[Sequence[Any]]) -> dict[str, Flips]:
    """The flips of every document that was prompted all three times, by id. The samples may come in any order."""
    chosen: dict[str, dict[str, int | None]] = {}
    for asking in askings:
        asking = Asking(*asking)
        chosen.setdefault(asking.id, {})[asking.kind] = asking.chosen
    return {
        id: Flips(*(options[kind] != options["plain"] for kind in Flips._fields))
        for id, options in chosen.items()
        if options.keys() >= set(KINDS)
    }


def flip_evidence(askings: Iterable[Sequence[Any]]) -> float:
    """Fraction in 0..1 of documents whose answer changed with the target masked; NaN if none is complete."""
    return _mean(float(found.evidence) for found in flips(askings).values())


def flip_control(askings: Iterable[Sequence[Any]]) -> float:
    """Fraction in 0..1 of documents whose answer changed with the control masked; NaN if none is complete."""
    return _mean(float(found.control) for found in flips(askings).values())


def evidence_score(askings: Iterable[Sequence[Any]]) -> float:
    """`flip_evidence` minus `flip_control`, in -1..1: how much more the answers depend on the target region.

    A model that cannot see the target has to guess: with two options, a random guess flips half of the answers.
    """
    return _mean(float(found.evidence) - found.control for found in flips(askings).values())


def _mean(values: Iterable[float]) -> float:
    value = metrics.mean(values)
    if math.isnan(value):
        logger.warning("a metric is NaN: no document was prompted all three times")
    return value
