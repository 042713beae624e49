"""Functions that the evidence task YAMLs name: the masked image, the score of one prompt, and the rates of flips.

A document is prompted three times, see `prompts.evidence`: with its image, with the target region masked, and with a
control region masked. The flips are those of `analysis.evidence`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from loguru import logger
from PIL.Image import Image

from pixfound_tasks.analysis import metrics
from pixfound_tasks.analysis.evidence import Asking, flips
from pixfound_tasks.prompts.evidence import masked
from pixfound_tasks.response import from_text
from pixfound_tasks.response.final_answer import without_draft
from pixfound_tasks.response.option import is_correct_answer, lenient_choice, option_of
from pixfound_tasks.tasks.document import Document, paper_rule
from pixfound_tasks.tasks.find_faults import choice_faults
from pixfound_tasks.tasks.model_profiles import is_missing


def image(doc: Document) -> list[Image]:
    """The document's one image, RGB, masked as its kind of prompt requires."""
    return [masked(doc["image"], doc["painted"])]


def score_evidence(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """The chosen option, from which all rates are computed.

    `accuracy` is of the unmasked image, by the `paper` rule.
    """
    if is_missing(doc, results[0]):
        return _scores(doc, math.nan, math.nan, ["failed"])
    output = from_text(results[0], (doc["height"], doc["width"])).text
    chosen = lenient_choice(output, doc["options"])
    is_correct = is_correct_answer(without_draft(output), doc["options"], option_of(doc["answer"]), paper_rule(doc))
    return _scores(doc, chosen, float(is_correct), choice_faults(output, chosen is not None))


def _scores(doc: Document, chosen: float | None, accuracy: float, faults: list[str]) -> dict[str, Any]:
    return {
        **dict.fromkeys(("score", "flip_evidence", "flip_control"), Asking(doc["id"], doc["kind"], chosen)),
        "accuracy": accuracy if doc["kind"] == "plain" else None,
        "faults": faults,
        "pixfound": doc,
    }


def flip_evidence(askings: Iterable[Sequence[Any]]) -> float:
    """Fraction in 0..1 of documents whose answer changed with the target masked; NaN if none is complete."""
    return _mean(found.evidence for found in flips(askings).values())


def flip_control(askings: Iterable[Sequence[Any]]) -> float:
    """Fraction in 0..1 of documents whose answer changed with the control masked; NaN if none is complete."""
    return _mean(found.control for found in flips(askings).values())


def evidence_score(askings: Iterable[Sequence[Any]]) -> float:
    """`flip_evidence` minus `flip_control`, in -1..1: how much more the answers depend on the target region.

    A model that cannot see the target has to guess: with two options, a random guess flips half of the answers.
    """
    return _mean(found.difference for found in flips(askings).values())


def _mean(values: Iterable[float]) -> float:
    value = metrics.mean(values)
    if math.isnan(value):
        logger.warning("a metric is NaN: no document was prompted all three times, or a request failed")
    return value
