"""The data of the page's gallery, as plain JSON values.

The `listing` has what filters, sorting and search need, and the page reads it when it opens. The `blocks` have what
only a visible card needs: masks, phrases, maps and the image. The page unpacks them one by one, and each entry of the
listing says where its block is, see `stores`. Long texts of a model are cut, so that they cannot make the page large.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from pixfound_tasks import masks
from pixfound_tasks.analysis.best_phrase import GroundedImage
from pixfound_tasks.report.html import pictures
from pixfound_tasks.report.html.details import LONGEST_NAME, cut, details
from pixfound_tasks.report.html.stores import InPage, Store
from pixfound_tasks.runs.outcomes import KINDS
from pixfound_tasks.runs.progress import Track, untracked
from pixfound_tasks.runs.run import Answer, Document, Record, Run
from pixfound_tasks.runs.scores import is_correct
from pixfound_tasks.runs.summary import Summary


class Gallery(NamedTuple):
    """The listing as JSON values, and blocks of text that needs no escaping: base64, and images as data URIs."""

    listing: dict[str, Any]
    blocks: list[str]


def contents(
    runs: Sequence[Run],
    summaries: Sequence[Summary],
    images: pictures.Images,
    track: Track = untracked,
    store: Store | None = None,
) -> Gallery:
    """Builds the gallery of runs, given one summary per run. `store` keeps the blocks, by default inside the page.

    The listing has `documents` by benchmark and id, shared by all runs, and for each run its `answers`, sorted by id.
    """
    store = store or InPage(sum(len(run.records) for run in runs))
    documents: dict[str, dict[str, Any]] = {}
    for run in runs:
        of_benchmark = documents.setdefault(run.benchmark, {})
        of_benchmark |= {record.document.id: _document(record.document, store.mask_side) for record in run.records}
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # encode images while the runs are processed
        kept = {
            name: store.add_images(name, images.get(name, {}), list(found), threads)
            for name, found in documents.items()
        }
        places = {name: {id: number for number, id in enumerate(found)} for name, found in documents.items()}
        answered = [
            _run(run, summary, number, store, places[run.benchmark], track)
            for number, (run, summary) in enumerate(zip(runs, summaries))
        ]
        for name, found in kept.items():
            for id, fields in track(found, f"images of {name}", len(documents[name])):
                documents[name][id] |= fields
    store.finish()
    return Gallery({"documents": documents, "runs": answered}, list(store.blocks))


def unpacked(block: str) -> Any:
    """Decodes a block of details."""
    return json.loads(zlib.decompress(base64.b64decode(block)))


def _packed(value: Any) -> str:
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode("ascii"), 6)).decode("ascii")


def _document(document: Document, side: int) -> dict[str, Any]:
    return {
        "pair": document.pair,
        "question": cut(document.question),
        "options_text": cut(document.options_text),
        "answer": cut(document.answer, LONGEST_NAME),
        "expression": document.expression if document.expression is None else cut(document.expression),
        "width": document.width,
        "height": document.height,
        **{kind: cut(getattr(document, kind), LONGEST_NAME) for kind in KINDS},
        "absent": masks.area(document.mask) == 0,
        "mask": masks.shrunk([document.mask], side)[0],
        "image": None,
        "original": None,
    }


def _run(
    run: Run, summary: Summary, number: int, store: Store, places: Mapping[str, int], track: Track
) -> dict[str, Any]:
    """Returns a run's answers. `number` is that of the run, and `places` has those of the documents, by id."""
    by_rule = summary.failures.get(summary.main_questions, {})
    answers = []
    for record in track(run.records, f"drawing {run.benchmark}", len(run.records)):
        id = record.document.id
        answer = _answer(record, {rule: of.by_image[id] for rule, of in by_rule.items() if id in of.by_image} or None)
        if record.grounding:
            block = _packed(details(record.grounding, store))
            answer["ground"]["block"] = store.add_details(run.benchmark, places[id], number, block)
        answers.append(answer)
    return {"model": cut(run.model, LONGEST_NAME), "benchmark": run.benchmark, "answers": answers}


def _answer(record: Record, outcomes: dict[str, str] | None) -> dict[str, Any]:
    vqa = {"text": cut(record.vqa.response.text), "right": is_correct(record)} if record.vqa else None
    return {
        "id": record.document.id,
        "outcomes": outcomes,
        "vqa": vqa,
        "open": _open_answer(record.open) if record.open else None,
        "ground": _grounding(record.grounding) if record.grounding else None,
    }


def _open_answer(answer: Answer) -> dict[str, Any]:
    """`correct` is None if the answer was not judged; `by` is None if the log does not name the judge."""
    judgement = answer.metrics.get("judgement")
    judgement = judgement if isinstance(judgement, dict) else {}
    is_unjudged = answer.metrics.get("unjudged") == 1
    return {
        "text": cut(answer.response.text),
        "right": None if is_unjudged else answer.metrics.get("accuracy") == 1,
        "by": cut(str(judgement["by"]), LONGEST_NAME) if judgement.get("by") else None,
    }


def _grounding(image: GroundedImage) -> dict[str, Any]:
    """`said` is "mask", "absent" if the predicted mask is empty, or None if no mask could be parsed."""
    response, has_pixels = image.response, masks.area(image.prediction) > 0
    # An empty mask means "not there" only if the whole answer could be parsed.
    is_absent = response.is_grounded and not response.problems
    return {
        "text": cut(response.text),
        "iou": None if image.expression is None else image.iou,
        "said": "mask" if has_pixels else "absent" if is_absent else None,
    }
