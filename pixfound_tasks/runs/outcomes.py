"""The failure analysis of a run: answers to choice or open questions, crossed with groundings."""

from __future__ import annotations

from typing import Literal

from pixfound_tasks import masks
from pixfound_tasks.analysis import failures
from pixfound_tasks.analysis.best_phrase import GroundedImage
from pixfound_tasks.analysis.failures import Failures, ImageFacts
from pixfound_tasks.runs.run import Record, Run
from pixfound_tasks.runs.scores import is_correct

ANSWERING: dict[str, Literal["vqa", "open"]] = {"choice": "vqa", "open": "open"}  # -> field of a record
KINDS = ("pattern", "source", "task")  # fields of a document; "" if the benchmark does not have them

ByRule = dict[str, Failures]


def find_failures(run: Run) -> dict[str, ByRule]:
    """Returns the failure analysis by kind of question and by rule, over the images that also have a grounding."""
    found = {}
    for asked, field in ANSWERING.items():
        facts = [
            image_facts(record, record.grounding, is_correct(record, field))
            for record in run.records
            if getattr(record, field) and record.grounding
        ]
        if facts:
            found[asked] = {rule: failures.analyse(facts, rule) for rule in failures.RULES}
    return found


def image_facts(record: Record, grounding: GroundedImage, correct: bool) -> ImageFacts:
    """Returns what the failure analysis needs of an image; `correct` is about its answer."""
    document = record.document
    return ImageFacts(
        document.id,
        document.pair,
        {kind: name for kind in KINDS if (name := getattr(document, kind))},
        correct,
        grounding.iou,
        masks.area(document.mask),
        masks.area(grounding.prediction),
        document.width * document.height,
    )
