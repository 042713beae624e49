"""Separates a run with `grounding=both` into two: the masks that the model drew, and those of its attention.

Both come from the same answers. Shown side by side and compared, they say whether a model's mask decoder finds what its
attention finds. The run of the attention has " (attention)" after the model's name.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from pixfound_tasks import masks
from pixfound_tasks.analysis.metrics import HIT_IOU, response_oracle
from pixfound_tasks.masks import Rle
from pixfound_tasks.response import Response
from pixfound_tasks.runs.run import Answer, Record, Run

BOTH, SUFFIX = "both", " (attention)"


def separated(run: Run) -> list[Run]:
    """Returns the run alone or, if its responses have masks of both kinds, the drawn masks and those of attention."""
    answers = [answer for record in run.records for answer in (record.ground, record.open) if answer]
    if not any(_is_both(answer.response) for answer in answers):
        return [run]
    drawn = replace(run, records=tuple(map(_drawn, run.records)))
    attended = replace(
        run,
        model=f"{run.model}{SUFFIX}",
        records=tuple(map(_attended, run.records)),
        repeated={},
        metrics={},  # those that lmms-eval aggregated are of the drawn masks
    )
    return [drawn, attended]


def _is_both(response: Response) -> bool:
    return response.provenance.get("grounding") == BOTH


def _drawn(record: Record) -> Record:
    """The record without what attention gave: phrases, selection, random points, and the answers about `when`."""
    parts: dict[str, Any] = {"when": None}
    for name in ("ground", "open"):
        answer = getattr(record, name)
        if answer and _is_both(answer.response):
            response = replace(answer.response, phrases=(), selected=None, control=(), token_maps=())
            found = {"oracle_miou": answer.metrics.get("miou")} if name == "ground" else {}
            parts[name] = replace(answer, response=_noted(response, "own"), metrics={**answer.metrics, **found})
    return replace(record, **parts)


def _attended(record: Record) -> Record:
    """The record with the mask that was selected from attention as the answer."""
    parts = {}
    for name in ("ground", "open"):
        answer = getattr(record, name)
        if answer and _is_both(answer.response):
            response = _noted(replace(answer.response, masks=_selected(answer.response), scores=()), "attention")
            scored = replace(answer, response=response)
            parts[name] = replace(scored, metrics={**answer.metrics, **_scores(record, scored, name)})
    return replace(record, **parts)


def _noted(response: Response, grounding: str) -> Response:
    return replace(response, provenance={**response.provenance, "grounding": grounding})


def _selected(response: Response) -> tuple[Rle, ...]:
    chosen = response.selected
    if chosen is None or chosen.phrase is None or chosen.candidate is None or chosen.phrase >= len(response.phrases):
        return ()
    candidates = response.phrases[chosen.phrase].candidates
    return (candidates[chosen.candidate].mask,) if chosen.candidate < len(candidates) else ()


def _scores(record: Record, answer: Answer, name: str) -> dict[str, Any]:
    """The metrics that depend on the masks, as the tasks compute them; {} where the task measured nothing."""
    document, logged = record.document, answer.metrics.get("miou")
    if document.expression is None or _is_nan(logged):
        return {}
    found = masks.iou(answer.response.prediction(document.size), document.mask)
    if name == "open":
        return {"miou": [found, True]}
    return {
        "miou": found,
        "score": found,
        "ciou": list(masks.overlap(answer.response.prediction(document.size), document.mask)),
        "precision_50": float(found > HIT_IOU),
        "absent_accuracy": found if masks.area(document.mask) == 0 else None,
        "oracle_miou": response_oracle(answer.response, document.mask).iou,
    }


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
