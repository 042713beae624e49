"""The data of the page's gallery, as plain JSON values.

The `listing` has what filters, sorting and search need, and the page reads it when it opens. The `blocks` have what
only a visible card needs: masks, phrases, maps and the image. The page unpacks them one by one, and each entry of the
listing has the number of its block. Long texts of a model are cut, so that they cannot make the page large.
"""

from __future__ import annotations

import base64
import json
import math
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from pixfound_tasks import masks
from pixfound_tasks.analysis.best_phrase import GroundedImage
from pixfound_tasks.masks import Rle
from pixfound_tasks.report.html import pictures
from pixfound_tasks.response import Phrase, Selection
from pixfound_tasks.response.maps import to_fields
from pixfound_tasks.runs.outcomes import KINDS
from pixfound_tasks.runs.progress import Track, untracked
from pixfound_tasks.runs.run import Answer, Document, Record, Run
from pixfound_tasks.runs.scores import is_correct
from pixfound_tasks.runs.summary import Summary

_LONGEST_TEXT = 4000  # characters
_LONGEST_NAME = 200
_MOST_PHRASES, _MOST_CANDIDATES = 100, 12
# Pairs of a maximum number of answers and the longest side, in pixels, at which their masks are stored. With these,
# three models on PixCV-Bench take about 10 MB each.
_MASK_SIDES = ((500, 256), (2000, 128), (math.inf, 96))


class Gallery(NamedTuple):
    """The listing as JSON values, and blocks of text that needs no escaping: base64, and images as data URIs."""

    listing: dict[str, Any]
    blocks: list[str]


def contents(
    runs: Sequence[Run], summaries: Sequence[Summary], images: pictures.Images, track: Track = untracked
) -> Gallery:
    """Builds the gallery of runs, given one summary per run.

    The listing has `documents` by benchmark and id, shared by all runs, and for each run its `answers`, sorted by id.
    """
    blocks: list[str] = []

    def add(block: str) -> int:
        blocks.append(block)
        return len(blocks) - 1

    documents: dict[str, dict[str, Any]] = {}
    count = sum(len(run.records) for run in runs)
    side = next(side for most, side in _MASK_SIDES if count <= most)
    for run in runs:
        of_benchmark = documents.setdefault(run.benchmark, {})
        of_benchmark |= {record.document.id: _document(record.document, side) for record in run.records}
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # encode images while the runs are processed
        embedded = {name: pictures.embed(images.get(name, {}), found, threads) for name, found in documents.items()}
        answered = [_run(run, summary, side, add, track) for run, summary in zip(runs, summaries)]
        for name, uris in embedded.items():
            for id, uri in track(uris, f"images of {name}", len(documents[name])):
                documents[name][id]["image"] = add(uri)
    return Gallery({"documents": documents, "runs": answered}, blocks)


def unpacked(block: str) -> Any:
    """Decodes a block of details."""
    return json.loads(zlib.decompress(base64.b64decode(block)))


def _packed(value: Any) -> str:
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode("ascii"), 6)).decode("ascii")


def _document(document: Document, side: int) -> dict[str, Any]:
    return {
        "pair": document.pair,
        "question": _cut(document.question),
        "options_text": _cut(document.options_text),
        "answer": _cut(document.answer, _LONGEST_NAME),
        "expression": document.expression if document.expression is None else _cut(document.expression),
        "width": document.width,
        "height": document.height,
        **{kind: _cut(getattr(document, kind), _LONGEST_NAME) for kind in KINDS},
        "absent": masks.area(document.mask) == 0,
        "mask": masks.shrunk([document.mask], side)[0],
        "image": None,
    }


def _run(run: Run, summary: Summary, side: int, add: Callable[[str], int], track: Track) -> dict[str, Any]:
    by_rule = summary.failures.get(summary.main_questions, {})
    answers = []
    for record in track(run.records, f"drawing {run.benchmark}", len(run.records)):
        id = record.document.id
        answer = _answer(record, {rule: of.by_image[id] for rule, of in by_rule.items() if id in of.by_image} or None)
        if record.grounding:
            answer["ground"]["block"] = add(_packed(_details(record.grounding, side)))
        answers.append(answer)
    return {"model": _cut(run.model, _LONGEST_NAME), "benchmark": run.benchmark, "answers": answers}


def _answer(record: Record, outcomes: dict[str, str] | None) -> dict[str, Any]:
    vqa = {"text": _cut(record.vqa.response.text), "right": is_correct(record)} if record.vqa else None
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
        "text": _cut(answer.response.text),
        "right": None if is_unjudged else answer.metrics.get("accuracy") == 1,
        "by": _cut(str(judgement["by"]), _LONGEST_NAME) if judgement.get("by") else None,
    }


def _grounding(image: GroundedImage) -> dict[str, Any]:
    """`said` is "mask", "absent" if the predicted mask is empty, or None if no mask could be parsed."""
    response, has_pixels = image.response, masks.area(image.prediction) > 0
    # An empty mask means "not there" only if the whole answer could be parsed.
    is_absent = response.is_grounded and not response.problems
    return {
        "text": _cut(response.text),
        "iou": None if image.expression is None else image.iou,
        "said": "mask" if has_pixels else "absent" if is_absent else None,
    }


def _details(image: GroundedImage, side: int) -> dict[str, Any]:
    """Returns what a card needs in addition to the listing.

    `mask` is the prediction. `oracle` is the phrase and index of the candidate mask with the highest IoU. The IoUs of
    candidate masks are computed at full resolution, before the masks are reduced.
    """
    response, oracle = image.response, image.oracle
    phrases = response.phrases[:_MOST_PHRASES]
    found = [candidate.mask for phrase in phrases for candidate in phrase.candidates[:_MOST_CANDIDATES]]
    prediction, *small = masks.shrunk([image.prediction, *found], side)
    kept = zip(small, _ious(found, image.target))
    return {
        "mask": prediction,
        "phrases": [_phrase(phrase, kept) for phrase in phrases],
        "selected": _selection(response.selected) if response.selected else None,
        "oracle": None if oracle.candidate is None else [oracle.probe, oracle.candidate],
    }


def _ious(found: Sequence[Rle], target: Rle) -> list[float]:
    return masks.ious(found, target) if masks.area(target) else [float(masks.area(mask) == 0) for mask in found]


def _phrase(phrase: Phrase, kept: Iterator[tuple[Rle, float]]) -> dict[str, Any]:
    """`kept` yields the reduced mask and the IoU of each of the phrase's candidates."""
    return {
        "text": _cut(phrase.text, _LONGEST_NAME),
        "chars": phrase.chars,
        "similarity": phrase.similarity,
        "point": phrase.point,
        "map": to_fields(phrase.map) if phrase.map else None,
        "candidates": [
            {"mask": mask, "score": candidate.score, "iou": round(iou, 4)}
            for candidate, (mask, iou) in zip(phrase.candidates[:_MOST_CANDIDATES], kept)
        ],
    }


def _selection(selection: Selection) -> dict[str, Any]:
    return {**vars(selection), "by": _cut(selection.by, _LONGEST_NAME)}


def _cut(text: str, longest: int = _LONGEST_TEXT) -> str:
    more = len(text) - longest
    return f"{text[:longest]}\N{HORIZONTAL ELLIPSIS} (and {more} more characters)" if more > 0 else text
