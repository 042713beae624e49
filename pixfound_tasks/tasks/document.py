"""What the task functions of all protocols share.

Task functions are named by the task YAMLs: a document's prompt, its image, its target, and the scores of an answer. A
document has the columns of `benchmarks.documents`. Every sample is logged with its document under `pixfound`, so that
reports need only the log. `aggregations` turns the scores into metrics.
"""

from __future__ import annotations

from typing import Any

from pixfound_tasks import masks
from pixfound_tasks.analysis.metrics import PairPart

Document = dict[str, Any]


def image(doc: Document) -> list[Any]:
    """The document's one image, RGB."""
    return [doc["image"].convert("RGB")]


def answer_target(doc: Document) -> str:
    """The correct option's letter."""
    return doc["answer"]


def answer_part(doc: Document, is_correct: bool) -> PairPart | float:
    """What an answer adds to the score: half a pair, or 0 or 1 if the images have no pairs."""
    return float(is_correct) if doc["pair"] is None else PairPart(doc["pair"], is_correct)


def size_of(doc: Document) -> masks.Size:
    """The image's height and width in pixels."""
    return doc["height"], doc["width"]
