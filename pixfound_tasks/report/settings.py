"""How two runs were made, as far as they differ in it, and what that means for comparing them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pixfound_tasks.report.run import PROTOCOLS, Record, Run

Both = Sequence[tuple[Record, Record]]

_OF_RUN = ("model", "model_args", "limit", "lmms_eval_version")
# Where these differ, so may the scores of one and the same model.
_WHAT_MATTERS = {
    "origin": "data",
    "grounding": "grounding",
    "phrases": "noun phrases",
    "select": "selection",
    "similarity": "selection",
    "segmenter": "segmenter",
    "coordinates": "reading of coordinates",
    "judge": "judge of masks",
    "judges": "judge of open answers",
}
_OF_DOCUMENTS = ("prompt", "model")  # notes on single documents, and what the run's own settings say
_MOST_VALUES = 5  # of a setting; what has more is a note on documents
_CONTENTS = ("question", "options", "answer", "expression", "mask", "size")
_SHOWN = 200  # characters of a prompt


class Setting(NamedTuple):
    """A setting whose values differ; several values are joined by commas, none is empty. `matters`: see warnings."""

    name: str
    first: str
    second: str
    matters: bool


def differing_settings(first: Run, second: Run, both: Both) -> list[Setting]:
    """Of the runs, and of the responses to documents that both have; those that matter come first."""
    of_runs = ({name: _listed([run.settings.get(name)]) for name in _OF_RUN} for run in (first, second))
    of_answers = (_of_answers(answers) for answers in _shared_answers(both))
    sides = [{**run, **answers} for run, answers in zip(of_runs, of_answers)]
    names = dict.fromkeys([*sides[0], *sides[1]])
    found = [Setting(name, *(side.get(name, "") for side in sides), name in _WHAT_MATTERS) for name in names]
    return sorted((each for each in found if each.first != each.second), key=lambda each: not each.matters)


def warn(settings: Iterable[Setting], both: Both) -> list[str]:
    """What stands between the runs but the models."""
    warnings = [
        f"the {_WHAT_MATTERS[each.name]} differs: {each.name} is {each.first or 'not said'} in the first run and "
        f"{each.second or 'not said'} in the second"
        for each in settings
        if each.matters
    ]
    return [*warnings, *_about_prompts(both), *_about_contents(both)]


def _shared_answers(both: Both) -> tuple[list[tuple[Record, str]], list[tuple[Record, str]]]:
    """The records with the names of the protocols that both runs have answers to."""
    first: list[tuple[Record, str]] = []
    second: list[tuple[Record, str]] = []
    for record, other in both:
        for name in PROTOCOLS.values():
            if getattr(record, name) and getattr(other, name):
                first.append((record, name))
                second.append((other, name))
    return first, second


def _of_answers(answers: Iterable[tuple[Record, str]]) -> dict[str, str]:
    """What responses, judgements and documents say of how they were made."""
    values: dict[str, dict[Any, None]] = {"origin": {}}
    for record, protocol in answers:
        answer = getattr(record, protocol)
        notes = {key: value for key, value in answer.response.provenance.items() if key not in _OF_DOCUMENTS}
        if isinstance(notes.get("judge"), dict):
            notes["judge"] = notes["judge"].get("name")
        if answer.response.selected:
            notes.setdefault("select", answer.response.selected.by)
        if isinstance(judgement := answer.metrics.get("judgement"), dict):
            notes["judges"] = judgement.get("by")
        for name, value in {"origin": record.document.origin, **notes}.items():
            values.setdefault(str(name), {})["" if value is None else str(value)] = None
    return {name: _listed(seen) for name, seen in values.items() if len(seen) <= _MOST_VALUES}


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(sorted(str(value) for value in values if value not in (None, "")))


def _about_prompts(both: Both) -> list[str]:
    warnings = []
    for name in PROTOCOLS.values():
        asked = [(getattr(record, name), getattr(other, name)) for record, other in both]
        asked = [(answer.prompt, other.prompt) for answer, other in asked if answer and other]
        different = [prompts for prompts in asked if prompts[0] != prompts[1]]
        if different:
            first, second = (repr(prompt[:_SHOWN]) for prompt in different[0])
            warnings.append(
                f"the prompts of {len(different)} of {len(asked)} documents differ ({name}), "
                f"such as {first} in the first run and {second} in the second"
            )
    return warnings


def _about_contents(both: Both) -> list[str]:
    found = {
        name: sum(getattr(record.document, name) != getattr(other.document, name) for record, other in both)
        for name in _CONTENTS
    }
    said = ", ".join(f"{name} of {count}" for name, count in found.items() if count)
    return [f"the runs are of different data: documents of the same id differ ({said} of {len(both)})"] if said else []
