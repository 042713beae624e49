"""Task functions of protocol 3: referring expressions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pixfound_tasks import masks
from pixfound_tasks.analysis import metrics
from pixfound_tasks.analysis.faults import Flag
from pixfound_tasks.benchmarks.expressions import prompted_expression
from pixfound_tasks.grounding.segmenters.base import check_segmenter
from pixfound_tasks.grounding.selection import check_mask
from pixfound_tasks.prompts import text as prompts
from pixfound_tasks.response import to_text
from pixfound_tasks.settings import read_setting
from pixfound_tasks.tasks import model_profiles
from pixfound_tasks.tasks.answer_masks import read_answer, segmenter_name
from pixfound_tasks.tasks.document import Document, of_source, size_of
from pixfound_tasks.tasks.find_faults import grounding_faults

_OVERLAPS = ("score", "miou", "ciou", "precision_50", "absent_accuracy", "oracle_miou")


def referring_prompt(doc: Document, lmms_eval_specific_kwargs: dict[str, str] | None = None) -> str:
    """The referring prompt for the current model; `lmms_eval_specific_kwargs` names its kind, see `model_profiles`.

    If a question is about no object, the authors prompt for "None". So do we, and such images have no IoU.
    """
    kind = model_profiles.set_profile(doc["benchmark"], lmms_eval_specific_kwargs).kind
    check_segmenter(segmenter_name(doc["benchmark"]))
    check_mask(read_setting("PIXFOUND_MASK"))
    return prompts.referring_prompt(prompted_expression(doc), kind)


def referring_target(doc: Document) -> str:
    """The referring expression."""
    return str(doc["expression"])


def score_grounding(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """Overlap of the predicted and the ground-truth mask.

    `grounded` is the response, if its masks were made here. Values are None, which no mean counts, if there is no
    expression. They are NaN, which makes every mean NaN, if the request failed or no segmenter could turn the boxes or
    points into masks. `faults` are names in `analysis.faults`.
    """
    if model_profiles.is_missing(doc, results[0]):
        return {**_unknown(doc), "unparsed": Flag(math.nan, ["failed"]), "faults": ["failed"], "pixfound": doc}
    target, size = doc["mask"], size_of(doc)
    grounded = read_answer(results[0], doc)
    response = grounded.response
    faults = grounding_faults(response, target if doc["expression"] is not None else None)
    unparsed = Flag(not response.is_grounded or bool(response.problems), faults)
    sample = {"unparsed": unparsed, "faults": faults, "pixfound": doc}
    if grounded.is_made:
        sample["grounded"] = to_text(response)
    if doc["expression"] is None or not grounded.is_measured:
        return {**_unknown(doc), **sample}
    prediction = response.prediction(size)
    # In the study's procedure, an answer without a phrase is wrong also about an absent object.
    found = 0.0 if response.provenance.get("unanswered") is True else masks.iou(prediction, target)
    is_absent = masks.area(target) == 0
    return {
        "score": found,
        "miou": found,
        "source_mean": of_source(doc, found),
        "ciou": masks.overlap(prediction, target),
        "precision_50": float(found > metrics.HIT_IOU),
        "absent_accuracy": found if is_absent else None,
        "oracle_miou": metrics.response_oracle(response, target).iou,
        **sample,
    }


def _unknown(doc: Document) -> dict[str, Any]:
    """No value without an expression, else NaN."""
    if doc["expression"] is None:
        return {**dict.fromkeys(_OVERLAPS), "source_mean": of_source(doc, None)}
    unknown = dict.fromkeys(_OVERLAPS, math.nan)
    return {**unknown, "ciou": (math.nan, math.nan), "source_mean": of_source(doc, math.nan)}
