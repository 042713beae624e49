"""The settings in which two runs differ, and warnings about those that make scores less comparable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pixfound_tasks.runs.provenance import as_texts, provenance
from pixfound_tasks.runs.run import RECORDED, Record, Run

Both = Sequence[tuple[Record, Record]]

_OF_RUN = ("model", "model_args", "limit", "lmms_eval_version", "origin", "judges", "choice_judges")
# Settings that can change the scores of the same model.
_WHAT_MATTERS = {
    "origin": "data",
    "grounding": "grounding",
    "candidates": "kind of candidates",
    "enlarge": "size of the image that the model sees",
    "geometry": "geometry of image tokens",
    "phrases": "noun phrases",
    "select": "selection",
    "similarity": "selection",
    "segmenter": "segmenter",
    "mask": "rule for masks",
    "no_candidate": "rule for answers without a mask",
    "preset": "preset",
    "temperature": "sampling",
    "coordinates": "reading of coordinates",
    "judge": "judge of masks",
    "judges": "judge of open answers",
    "choice_judges": "judge of choice answers",
}
_NOT_SETTINGS = ("prompt", "judge", "model")  # entries about single documents; the model's name, which the run has too
_CONTENTS = ("question", "options", "answer", "expression", "mask", "size")
_SHOWN = 200  # characters of a prompt


class Setting(NamedTuple):
    """A setting that differs. Several values are joined by commas; no value is "". `warn` reports those that matter."""

    name: str
    first: str
    second: str
    matters: bool


def differing_settings(first: Run, second: Run, both: Both) -> list[Setting]:
    """Returns the settings that differ between the runs and their shared answers; those that matter come first."""
    shared = zip(*(_shared_answers(*records) for records in both))
    one, other = (_settings(replace(run, records=records)) for run, records in zip((first, second), shared))
    names = dict.fromkeys([*_WHAT_MATTERS, *one, *other])
    found = (Setting(name, one.get(name, ""), other.get(name, ""), name in _WHAT_MATTERS) for name in names)
    return [each for each in found if each.first != each.second]


def warn(settings: Iterable[Setting], both: Both) -> list[str]:
    """Returns warnings about differences between the runs other than the model.

    If the grounding differs, what only one kind of grounding has is not worth a warning.
    """
    settings = list(settings)
    is_other_grounding = any(each.name == "grounding" for each in settings)
    warnings = [
        f"the {_WHAT_MATTERS[each.name]} differs: {each.name} is {each.first or 'not recorded'} in the first run and "
        f"{each.second or 'not recorded'} in the second"
        for each in settings
        if each.matters and ((each.first and each.second) or not is_other_grounding)
    ]
    return [*warnings, *_about_prompts(both), *_about_contents(both)]


def _shared_answers(*records: Record) -> tuple[Record, ...]:
    """Removes from the records of one document the answers that only one of them has."""
    names = RECORDED.values()
    alone: dict[str, Any] = {name: None for name in names if not all(getattr(record, name) for record in records)}
    return tuple(replace(record, **alone) for record in records)


def _settings(run: Run) -> dict[str, str]:
    made = provenance(run)
    said = as_texts(made)
    answers = [answer for record in run.records for name in RECORDED.values() if (answer := getattr(record, name))]
    chosen_by = {answer.response.selected.by for answer in answers if answer.response.selected}
    settings = {"select": ", ".join(sorted(chosen_by)), "judge": ", ".join(sorted(made.mask_judges))}
    settings |= {name: text for name, text in said["responses"].items() if name not in _NOT_SETTINGS}
    return settings | {name: "" if said[name] is None else str(said[name]) for name in _OF_RUN}


def _about_prompts(both: Both) -> list[str]:
    warnings = []
    for name in RECORDED.values():
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
