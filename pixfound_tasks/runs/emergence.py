"""When grounding emerges, computed from a run's `..._when` task or, without one, from its `..._ground` task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pixfound_tasks.analysis.best_phrase import records as best_phrases
from pixfound_tasks.analysis.concepts import make_classifier, split_concepts
from pixfound_tasks.analysis.emergence import Emergence, summarize
from pixfound_tasks.runs.run import Answer, Record
from pixfound_tasks.runs.uncertainty import unit_of


def when(records: Sequence[Record]) -> Emergence | None:
    """Computes emergence from a run's records. Returns None if no image with an expression has a grounding."""
    answered = [
        (record.document, image, answer)
        for record in records
        if record.document.expression is not None
        and (image := record.when_grounding)
        and (answer := record.when or record.ground)
    ]
    if not answered:
        return None
    classifier = make_classifier("words")
    logged = {document.id: _logged_concept(answer) for document, _, answer in answered}
    by = dict.fromkeys(by for _, by in filter(None, logged.values())) or {classifier.name: None}
    found = best_phrases((image for _, image, _ in answered), classifier)
    if any(logged.values()):
        found = [replace(record, concept=(logged[record.image] or (None,))[0]) for record in found]
    units = {document.id: unit_of(document.id, document.pair) for document, *_ in answered}
    return summarize(found, ", ".join(by), units)


def _logged_concept(answer: Answer) -> tuple[str | None, str] | None:
    """Returns the concept that a `..._when` task logged and its classifier's name, or None if it logged none."""
    concept, by = ", ".join(split_concepts(answer.metrics.get("concept"))), answer.metrics.get("classified_by")
    return (concept or None, str(by)) if by else None
