"""What the task functions of all protocols share.

Task functions are named by the task YAMLs: a document's prompt, its image, its target, and the scores of an answer. A
document has the columns of `benchmarks.documents`. Every sample is logged with its document under `pixfound`, so that
reports need only the log. `aggregations` turns the scores into metrics.
"""

from __future__ import annotations

from typing import Any

from pixfound_tasks import masks
from pixfound_tasks.analysis.metrics import PairPart
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.images import without_alpha
from pixfound_tasks.response.option import PAPER_RULES

Document = dict[str, Any]


def image(doc: Document) -> list[Any]:
    """The document's one image, RGB."""
    return [without_alpha(doc["image"])]


def answer_target(doc: Document) -> str:
    """The correct option's letter."""
    return doc["answer"]


def answer_part(doc: Document, is_correct: bool | float) -> PairPart | float:
    """What an answer adds to the score: half a pair, or 0 or 1 if the images have no pairs. NaN: it is missing."""
    return float(is_correct) if doc["pair"] is None else PairPart(doc["pair"], is_correct)


def paper_rule(doc: Document) -> str:
    """How the `paper` rule of the document's benchmark reads answers."""
    return get_benchmark(doc["benchmark"]).paper_rule if "benchmark" in doc else PAPER_RULES[0]


def of_source(doc: Document, value: float | None) -> tuple[str, float | None]:
    """A document's value with its source, for the mean over sources."""
    return str(doc.get("source") or ""), value


def size_of(doc: Document) -> masks.Size:
    """The image's height and width in pixels."""
    return doc["height"], doc["width"]
