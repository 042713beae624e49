"""Task functions of protocol 1: open answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pixfound_tasks import masks
from pixfound_tasks.analysis.faults import Flag
from pixfound_tasks.analysis.metrics import OpenIou
from pixfound_tasks.prompts import text as prompts
from pixfound_tasks.prompts.judge import STUDY
from pixfound_tasks.response import Response, from_text
from pixfound_tasks.response.option import option_of
from pixfound_tasks.settings import read_setting
from pixfound_tasks.tasks.aggregations import OpenPart
from pixfound_tasks.tasks.document import Document, answer_part, size_of
from pixfound_tasks.tasks.find_faults import open_faults
from pixfound_tasks.tasks.grading import grade, judge_from_environment
from pixfound_tasks.tasks.model_profiles import is_missing, note_backend


def open_prompt(doc: Document, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> str:
    """The question, to be answered freely."""
    note_backend(doc, lmms_eval_specific_kwargs)
    judge_from_environment()  # fails on a bad setting before a model has answered anything
    return _open_question(doc)


def _open_question(doc: Document) -> str:
    kind = read_setting("PIXFOUND_OPENKIND")
    return doc["prompt"] or prompts.open_question(doc["question"], doc["options_text"], kind)


def _shown_question(doc: Document, response: Response) -> str:
    """The question that the judge is shown: the prompt. In the study's files, LLaVA's begins with a line `<image>`."""
    is_studys = read_setting("PIXFOUND_JUDGING") == STUDY and response.provenance.get("preset") == "paper"
    return f"<image>\n{_open_question(doc)}" if is_studys else _open_question(doc)


def score_open(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """`accuracy` by the judge that PIXFOUND_JUDGE names.

    `unjudged` is 1 if the judge gave no verdict; the answer then counts as incorrect. `miou` is over the masks that
    came with the answer; an answer without masks counts as an empty mask. If the request failed, all values are NaN,
    which makes every mean NaN.
    """
    if is_missing(doc, results[0]):
        return _failed(doc)
    size = size_of(doc)
    response = from_text(results[0], size)
    judge = judge_from_environment()
    judgement = grade(_shown_question(doc, response), doc["options"], option_of(doc["answer"]), response.text, judge)
    is_correct = judgement.verdict is True
    part, iou = answer_part(doc, is_correct), _open_iou(doc, response)
    faults = open_faults(response, judgement.verdict)
    return {
        "score": OpenPart(part, iou),
        "pair_accuracy": None if doc["pair"] is None else part,
        "accuracy": float(is_correct),
        "unjudged": Flag(judgement.verdict is None, faults),
        "miou": iou,
        "judgement": judgement._asdict(),
        "faults": faults,
        "pixfound": doc,
    }


def _failed(doc: Document) -> dict[str, Any]:
    part, iou = answer_part(doc, math.nan), OpenIou(math.nan, True)
    return {
        "score": OpenPart(part, iou),
        "pair_accuracy": None if doc["pair"] is None else part,
        "accuracy": math.nan,
        "unjudged": Flag(math.nan, ["failed"]),
        "miou": iou,
        "judgement": None,
        "faults": ["failed"],
        "pixfound": doc,
    }


def _open_iou(doc: Document, response: Response) -> OpenIou:
    came = response.masks is not None
    if doc["expression"] is None:
        return OpenIou(None, came)
    return OpenIou(masks.iou(masks.union(response.masks or (), size_of(doc)), doc["mask"]), came)
