"""What the page's gallery shows of every image, as plain JSON values; masks are the counts of their RLE."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from pixfound_tasks.masks import area
from pixfound_tasks.report.outcomes import KINDS, find_failures
from pixfound_tasks.report.page import pictures
from pixfound_tasks.report.run import Document, Record, Run
from pixfound_tasks.report.scores import iou, is_right
from pixfound_tasks.response import Phrase, Probe, Response
from pixfound_tasks.scoring import metrics


def contents(runs: Sequence[Run], images: pictures.Images) -> dict[str, Any]:
    """`documents` and `images` by benchmark and id, once for all runs, and of every run the `answers` by id."""
    documents: dict[str, dict[str, Any]] = {}
    for run in runs:
        of_benchmark = documents.setdefault(run.benchmark, {})
        of_benchmark |= {record.document.id: _document(record.document) for record in run.records}
    embedded = {name: pictures.embed(images.get(name, {}), of_benchmark) for name, of_benchmark in documents.items()}
    return {"documents": documents, "images": embedded, "runs": [_run(run) for run in runs]}


def _document(document: Document) -> dict[str, Any]:
    names = ("pair", "question", "options_text", "answer", "expression", "width", "height", *KINDS)
    return {name: getattr(document, name) for name in names} | {"mask": document.mask["counts"]}


def _run(run: Run) -> dict[str, Any]:
    found = find_failures(run)
    outcomes: dict[str, dict[str, str]] = {}
    for rule, result in (found.get("choice") or found.get("open") or {}).items():
        for outcome, units in result.units.items():
            for id in chain.from_iterable(units):
                outcomes.setdefault(id, {})[rule] = outcome
    return {
        "model": run.model,
        "benchmark": run.benchmark,
        "answers": [_answers(record, outcomes.get(record.document.id)) for record in run.records],
    }


def _answers(record: Record, outcomes: dict[str, str] | None) -> dict[str, Any]:
    vqa = {"text": record.vqa.response.text, "right": is_right(record)} if record.vqa else None
    return {
        "id": record.document.id,
        "outcomes": outcomes,
        "vqa": vqa,
        "open": _open_answer(record) if record.open else None,
        "ground": _grounding(record, record.ground.response) if record.ground else None,
    }


def _open_answer(record: Record) -> dict[str, Any]:
    """`right` is None where nobody could judge the answer; `by` is None where the log does not say who judged."""
    judgement = record.open.metrics.get("judgement")
    judgement = judgement if isinstance(judgement, dict) else {}
    is_unjudged = record.open.metrics.get("unjudged") == 1
    return {
        "text": record.open.response.text,
        "right": None if is_unjudged else record.open.metrics.get("accuracy") == 1,
        "by": str(judgement["by"]) if judgement.get("by") else None,
    }


def _grounding(record: Record, response: Response) -> dict[str, Any]:
    document = record.document
    oracle = metrics.oracle(response.phrases, document.mask)
    prediction = response.prediction(document.size)
    # An empty mask says "not there" only where nothing of the answer was unreadable.
    says_something = response.is_grounded and (area(prediction) > 0 or not response.problems)
    return {
        "text": response.text,
        "iou": None if document.expression is None else iou(record),
        "mask": prediction["counts"] if says_something else None,
        "phrases": [_phrase(phrase) for phrase in response.phrases],
        "selected": vars(response.selected) if response.selected else None,
        "oracle": None if oracle.candidate is None else [oracle.probe, oracle.candidate],
    }


def _phrase(phrase: Phrase) -> dict[str, Any]:
    names = ("text", "chars", "similarity", "point")
    return {name: getattr(phrase, name) for name in names} | {"candidates": _candidates(phrase)}


def _candidates(probe: Probe) -> list[dict[str, Any]]:
    return [{"mask": candidate.mask["counts"], "score": candidate.score} for candidate in probe.candidates]
