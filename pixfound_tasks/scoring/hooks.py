"""Functions that the task YAMLs name: the prompts, images and scores of a document.

A document has the columns of `benchmarks.documents`. Every sample is logged with its document under `pixfound`, so that
reports need only the log. `aggregations` turns the scores into metrics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pixfound_tasks import masks
from pixfound_tasks.grounding.segmenters.base import check_segmenter
from pixfound_tasks.prompts import text as prompts
from pixfound_tasks.response import Response, from_text, to_text
from pixfound_tasks.scoring import declared, metrics
from pixfound_tasks.scoring.aggregations import OpenPart
from pixfound_tasks.scoring.answers import is_right, lenient_choice, option_of
from pixfound_tasks.scoring.best_phrase import GroundedImage, record
from pixfound_tasks.scoring.concepts import classified, classifier_from_environment
from pixfound_tasks.scoring.grounded import read_answer, segmenter_name
from pixfound_tasks.scoring.judge import grade, judge_from_environment
from pixfound_tasks.scoring.metrics import OpenIou, PairPart

Document = dict[str, Any]
_WHEN = ("oracle_miou", "chance_miou", "exact_phrase_rate", "median_location")
_OVERLAPS = ("score", "miou", "ciou", "precision_50", "absent_accuracy", "oracle_miou")


def image(doc: Document) -> list[Any]:
    """The document's one image, RGB."""
    return [doc["image"].convert("RGB")]


def answer_target(doc: Document) -> str:
    """The correct option's letter."""
    return doc["answer"]


# Protocol 1: open answers.


def open_prompt(doc: Document) -> str:
    """The question, to be answered freely."""
    judge_from_environment()  # fails on a bad setting before a model has answered anything
    return _open_question(doc)


def _open_question(doc: Document) -> str:
    return doc["prompt"] or prompts.open_question(doc["question"], doc["options_text"])


def score_open(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """`accuracy` by the judge that PIXFOUND_JUDGE names.

    `unjudged` is 1 if the judge gave no verdict; the answer then counts as incorrect. `miou` is over the masks that
    came with the answer; an answer without masks counts as an empty mask.
    """
    size = _size(doc)
    response = from_text(results[0], size)
    judge = judge_from_environment()
    judgement = grade(_open_question(doc), doc["options"], option_of(doc["answer"]), response.text, judge)
    is_correct = judgement.verdict is True
    part, iou = _answer_part(doc, is_correct), _open_iou(doc, response)
    return {
        "score": OpenPart(part, iou),
        "pair_accuracy": None if doc["pair"] is None else part,
        "accuracy": float(is_correct),
        "unjudged": float(judgement.verdict is None),
        "miou": iou,
        "judgement": judgement._asdict(),
        "pixfound": doc,
    }


def _open_iou(doc: Document, response: Response) -> OpenIou:
    came = response.masks is not None
    if doc["expression"] is None:
        return OpenIou(None, came)
    return OpenIou(masks.iou(masks.union(response.masks or (), _size(doc)), doc["mask"]), came)


# Protocol 2: choice questions.


def choice_prompt(doc: Document) -> str:
    """The question with its options and the instruction how to choose."""
    if doc["prompt"]:
        return f"{doc['prompt']}\n{prompts.CHOICE_INSTRUCTION}"
    return prompts.choice_question(doc["question"], doc["options"])


def score_choice(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """`accuracy` by the `paper` rule, and `lenient_accuracy`. `unparsed` is 1 if neither rule finds an option."""
    answer = from_text(results[0], _size(doc)).text
    right = option_of(doc["answer"])
    is_correct = is_right(answer, doc["options"], right)
    chosen = lenient_choice(answer, doc["options"])
    part = _answer_part(doc, is_correct)
    return {
        "score": part,
        "pair_accuracy": None if doc["pair"] is None else part,
        "accuracy": float(is_correct),
        "lenient_accuracy": float(is_correct or chosen == right),
        "unparsed": float(chosen is None),
        "pixfound": doc,
    }


def _answer_part(doc: Document, is_correct: bool) -> PairPart | float:
    """What an answer adds to the score: half a pair, or 0 or 1 if the images have no pairs."""
    return float(is_correct) if doc["pair"] is None else PairPart(doc["pair"], is_correct)


# Protocol 3: referring expressions.


def referring_prompt(doc: Document, lmms_eval_specific_kwargs: dict[str, str] | None = None) -> str:
    """The referring prompt for the current model; `lmms_eval_specific_kwargs` names its kind, see `declared`.

    If a question is about no object, the authors prompt for "None". So do we, and such images have no IoU.
    """
    kind = declared.note(doc["benchmark"], lmms_eval_specific_kwargs).kind
    check_segmenter(segmenter_name(doc["benchmark"]))
    return prompts.referring_prompt(str(doc["expression"]), kind)


def referring_target(doc: Document) -> str:
    """The referring expression."""
    return str(doc["expression"])


def score_grounding(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """Overlap of the predicted and the ground-truth mask.

    `grounded` is the response, if its masks were made here. Values are None, which no mean counts, if there is no
    expression. They are NaN, which makes every mean NaN, if no segmenter could turn the boxes or points into masks.
    """
    truth, size = doc["mask"], _size(doc)
    grounded = read_answer(results[0], doc)
    response = grounded.response
    sample = {"unparsed": float(not response.is_grounded or bool(response.problems)), "pixfound": doc}
    if grounded.is_made:
        sample["grounded"] = to_text(response)
    if doc["expression"] is None:
        return {**dict.fromkeys(_OVERLAPS), **sample}
    if not grounded.is_measured:
        return {**dict.fromkeys(_OVERLAPS, math.nan), "ciou": (math.nan, math.nan), **sample}
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
        **sample,
    }


def when_prompt(doc: Document, lmms_eval_specific_kwargs: dict[str, str] | None = None) -> str:
    """The referring prompt."""
    classifier_from_environment()  # fails on a bad setting before a model has answered anything
    return referring_prompt(doc, lmms_eval_specific_kwargs)


def score_when(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """The best phrase by the ground truth: its IoU, the random-point baseline's IoU, its match and its location.

    Values are None, which no metric counts, if there is no expression, no baseline, or no phrase with a known place in
    the answer. `concept` (what the best phrase is about) and `classified_by` (the classifier's name) are not metrics.
    """
    grounded = read_answer(results[0], doc)
    sample: dict[str, Any] = {"concept": None, "classified_by": None, "pixfound": doc}
    if grounded.is_made:
        sample["grounded"] = to_text(grounded.response)
    if doc["expression"] is None:
        return {**dict.fromkeys(_WHEN), **sample}
    if not grounded.is_measured:
        return {**dict.fromkeys(_WHEN, math.nan), **sample}
    image = GroundedImage(doc["id"], grounded.response, doc["mask"], doc["expression"])
    # An answer without phrases has no random points. If its run has baselines, its own has no candidates.
    found = record(image, controlled=grounded.response.provenance.get("control"))
    return {
        "oracle_miou": found.oracle_iou,
        "chance_miou": found.chance_iou,
        "exact_phrase_rate": None if found.match is None else float(found.match == "exact"),
        "median_location": found.token_location,
        **sample,
        **classified(found.phrase, grounded.response.text)._asdict(),
    }


def _size(doc: Document) -> masks.Size:
    return doc["height"], doc["width"]
