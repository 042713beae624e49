"""The failure analysis of a run: answers to choice or open questions, crossed with groundings."""

from __future__ import annotations

from typing import Literal

from pixfound_tasks import masks
from pixfound_tasks.analysis import failures
from pixfound_tasks.analysis.failures import Failures, ImageFacts
from pixfound_tasks.runs.run import Answer, Record, Run
from pixfound_tasks.runs.scores import iou, is_correct

ANSWERING: dict[str, Literal["vqa", "open"]] = {"choice": "vqa", "open": "open"}  # -> field of a record
KINDS = ("pattern", "source", "task")  # fields of a document; "" if the benchmark does not have them

ByRule = dict[str, Failures]


def find_failures(run: Run) -> dict[str, ByRule]:
    """Returns the failure analysis by kind of question and by rule, over the images that also have a grounding."""
    found = {}
    for asked, field in ANSWERING.items():
        facts = [
            _facts(record, record.ground, field) for record in run.records if getattr(record, field) and record.ground
        ]
        if facts:
            found[asked] = {rule: failures.analyse(facts, rule) for rule in failures.RULES}
    return found


def _facts(record: Record, grounding: Answer, field: Literal["vqa", "open"]) -> ImageFacts:
    document = record.document
    return ImageFacts(
        document.id,
        document.pair,
        {kind: name for kind in KINDS if (name := getattr(document, kind))},
        is_correct(record, field),
        iou(record),
        masks.area(document.mask),
        masks.area(grounding.response.prediction(document.size)),
        document.width * document.height,
    )
