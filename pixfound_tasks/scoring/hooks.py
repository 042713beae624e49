"""What the task YAMLs name: prompts, images and scores of a document, and how scores become metrics.

A document has the columns of `benchmarks.documents`. Every sample is logged with its document under `pixfound`, so
that reports need nothing but the log.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from loguru import logger

from pixfound_tasks import masks, prompts
from pixfound_tasks.masks import Overlap
from pixfound_tasks.response import from_text
from pixfound_tasks.scoring import metrics
from pixfound_tasks.scoring.answers import is_right, lenient_choice, letter_of
from pixfound_tasks.scoring.metrics import PairPart

Document = dict[str, Any]


def image(doc: Document) -> list:
    """The document's one image, RGB."""
    return [doc["image"].convert("RGB")]


# Protocol 2: choice questions.


def choice_prompt(doc: Document) -> str:
    return prompts.choice_question(doc["question"], doc["options"])


def choice_target(doc: Document) -> str:
    return doc["answer"]


def score_choice(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """`accuracy` by the `paper` rule, `lenient_accuracy` beside it; `unparsed` where neither finds an option."""
    answer = from_text(results[0], _size(doc)).text
    right = [letter_of(index) for index in range(len(doc["options"]))].index(doc["answer"])
    is_correct = is_right(answer, doc["options"], right)
    chosen = lenient_choice(answer, doc["options"])
    part = PairPart(doc["pair"], is_correct)
    return {
        "score": part,
        "pair_accuracy": part,
        "accuracy": float(is_correct),
        "lenient_accuracy": float(is_correct or chosen == right),
        "unparsed": float(chosen is None),
        "pixfound": doc,
    }


# Protocol 3: referring expressions.


def referring_prompt(doc: Document, lmms_eval_specific_kwargs: dict[str, str] | None = None) -> str:
    """The wording for the model at hand: the YAML's `lmms_eval_specific_kwargs` name its kind.

    Where a question is about no object the authors ask for "None", and so do we; such images have no IoU.
    """
    return prompts.referring_prompt(str(doc["expression"]), (lmms_eval_specific_kwargs or {}).get("kind", "attention"))


def referring_target(doc: Document) -> str:
    return str(doc["expression"])


def score_grounding(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """Overlap of the prediction and the true mask; None, which no mean counts, where there is no expression."""
    truth, size = doc["mask"], _size(doc)
    response = from_text(results[0], size)
    unparsed = {"unparsed": float(not response.is_grounded or bool(response.problems)), "pixfound": doc}
    if doc["expression"] is None:
        names = ("score", "miou", "ciou", "precision_50", "absent_accuracy", "oracle_miou")
        return {**dict.fromkeys(names), **unparsed}
    prediction = response.prediction(size)
    found = masks.iou(prediction, truth)
    is_absent = masks.area(truth) == 0
    return {
        "score": found,
        "miou": found,
        "ciou": masks.overlap(prediction, truth),
        "precision_50": float(found > metrics.HIT_IOU),
        "absent_accuracy": float(masks.area(prediction) == 0) if is_absent else None,
        "oracle_miou": metrics.response_oracle(response, truth).iou,
        **unparsed,
    }


def _size(doc: Document) -> masks.Size:
    return doc["height"], doc["width"]


# Aggregations: lmms-eval's own crash on None.


def mean(values: Iterable[float | None]) -> float:
    return _explained(metrics.mean(values), "no document has a referring expression")


def mean_of_absent(values: Iterable[float | None]) -> float:
    return _explained(metrics.mean(values), "no document has an absent object")


def pair_accuracy(parts: Iterable[Sequence]) -> float:
    return _explained(metrics.pair_accuracy(PairPart(*part) for part in parts), "no pair has both of its images")


def cumulative_iou(overlaps: Iterable[Sequence | None]) -> float:
    overlaps = [overlap and Overlap(*overlap) for overlap in overlaps]
    return _explained(metrics.cumulative_iou(overlaps), "no document has an expression")


def harmonic_mean(values: Sequence[float], sizes: Sequence[int], weight_by_size: bool) -> float:
    """A group's score S, from the score of question answering and that of grounding."""
    if len(values) != 2:
        logger.warning(f"S is NaN: expected the scores of question answering and grounding, but got {len(values)}")
        return math.nan
    return metrics.harmonic_mean(values)


def _explained(value: float, reason: str) -> float:
    if math.isnan(value):
        logger.warning(f"a metric is NaN: {reason}")
    return value
