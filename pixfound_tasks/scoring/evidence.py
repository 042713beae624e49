"""What the evidence tasks' YAMLs name: the painted image, the score of one asking, and how often answers change.

A document is asked three times, see `prompts.evidence`. Its answer flips where the chosen option is another than that
for the unpainted image. An answer that points at no option, or at several, counts as an option of its own: from "A" to
words that choose nothing is a flip, from such words to others is none. Documents of which an asking is missing (a run
with a limit) are left out of all rates of flips.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from loguru import logger
from PIL.Image import Image

from pixfound_tasks.prompts.evidence import KINDS, painted_out
from pixfound_tasks.response import from_text
from pixfound_tasks.scoring import metrics
from pixfound_tasks.scoring.answers import is_right, lenient_choice, option_of

Document = dict[str, Any]


class Asking(NamedTuple):
    """One of a document's three askings, and the option chosen, counted from 0; None where none was."""

    id: str
    kind: str
    chosen: int | None


class Flips(NamedTuple):
    """Whether a document's answer changed with the region that it is about, and with the control region."""

    evidence: bool
    control: bool


def image(doc: Document) -> list[Image]:
    """The document's one image, RGB, painted as its kind of asking wants it."""
    return [painted_out(doc["image"], doc["painted"])]


def score_evidence(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """The chosen option, from which all rates come, and of the unpainted image `accuracy` by the `paper` rule."""
    answer = from_text(results[0], (doc["height"], doc["width"])).text
    asking = Asking(doc["id"], doc["kind"], lenient_choice(answer, doc["options"]))
    is_correct = is_right(answer, doc["options"], option_of(doc["answer"]))
    return {
        **dict.fromkeys(("score", "flip_evidence", "flip_control"), asking),
        "accuracy": float(is_correct) if doc["kind"] == "plain" else None,
        "pixfound": doc,
    }


def flips(askings: Iterable[Sequence[Any]]) -> dict[str, Flips]:
    """The flips of every document that was asked all three times, by id, in whatever order the askings come."""
    chosen: dict[str, dict[str, int | None]] = {}
    for asking in askings:
        asking = Asking(*asking)
        chosen.setdefault(asking.id, {})[asking.kind] = asking.chosen
    return {
        id: Flips(*(options[kind] != options["plain"] for kind in Flips._fields))
        for id, options in chosen.items()
        if options.keys() >= set(KINDS)
    }


def flip_evidence(askings: Iterable[Sequence[Any]]) -> float:
    """Share of documents in 0..1 whose answer changed with what the question is about; NaN for no whole document."""
    return _mean(float(found.evidence) for found in flips(askings).values())


def flip_control(askings: Iterable[Sequence[Any]]) -> float:
    """Share of documents in 0..1 whose answer changed with as much painted out elsewhere; NaN as above."""
    return _mean(float(found.control) for found in flips(askings).values())


def evidence_score(askings: Iterable[Sequence[Any]]) -> float:
    """`flip_evidence` minus `flip_control`, in -1..1: how much more the answers depend on what they are about.

    Where nothing is to be seen a model has to guess: with two options, one that guesses by chance flips on half.
    """
    return _mean(float(found.evidence) - found.control for found in flips(askings).values())


def _mean(values: Iterable[float]) -> float:
    value = metrics.mean(values)
    if math.isnan(value):
        logger.warning("a metric is NaN: no document was asked all three times")
    return value
