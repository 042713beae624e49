"""Task functions of the emergence task: the best phrase of an answer to protocol 3, and where it begins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pixfound_tasks.analysis.best_phrase import GroundedImage, record
from pixfound_tasks.analysis.concepts import classified, classifier_from_environment
from pixfound_tasks.response import to_text
from pixfound_tasks.tasks.answer_masks import read_answer
from pixfound_tasks.tasks.document import Document
from pixfound_tasks.tasks.find_faults import grounding_faults
from pixfound_tasks.tasks.model_profiles import is_missing
from pixfound_tasks.tasks.referring import referring_prompt

_WHEN = ("oracle_miou", "chance_miou", "exact_phrase_rate", "median_location")


def when_prompt(doc: Document, lmms_eval_specific_kwargs: dict[str, str] | None = None) -> str:
    """The referring prompt."""
    classifier_from_environment()  # fails on a bad setting before a model has answered anything
    return referring_prompt(doc, lmms_eval_specific_kwargs)


def score_when(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """The best phrase by the ground truth: its IoU, the random-point baseline's IoU, its match and its location.

    Values are None, which no metric counts, if there is no expression, no baseline, or no phrase with a known place in
    the answer. `concept` (what the best phrase is about) and `classified_by` (the classifier's name) are not metrics.
    """
    sample: dict[str, Any] = {"concept": None, "classified_by": None, "faults": [], "pixfound": doc}
    if is_missing(doc, results[0]):
        value = None if doc["expression"] is None else math.nan
        return {**dict.fromkeys(_WHEN, value), **sample, "faults": ["failed"]}
    grounded = read_answer(results[0], doc)
    sample["faults"] = grounding_faults(grounded.response, doc["mask"] if doc["expression"] is not None else None)
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
