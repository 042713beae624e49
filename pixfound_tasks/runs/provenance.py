"""How a run was made: the settings that lmms-eval and the responses record, and the prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pixfound_tasks.runs import scores
from pixfound_tasks.runs.run import Document, Record, Run

_MOST_POINTS = 50  # entries kept; our responses have about 20, but any response can add more
_LONGEST = 500  # characters of a value
_LISTED = 5  # values listed per entry; they may differ between images
_SETTINGS = ("model", "model_args", "lmms_eval_version", "date", "limit")
_ASKED = {
    "vqa": "choice",
    "open": "open",
    "ground": "referring",
    "when": "referring, when",
}  # field of a record -> name of its prompt


def provenance(run: Run) -> dict[str, Any]:
    """Returns the settings of a run by name. If responses differ in an entry, its value lists what occurs.

    `origin` is the source of the data, and `judges` names the judges of open answers. `prompts` has the prompt
    templates of each protocol, with `{question}`, `{options}` and `{expression}` in place of each document's text.
    `responses` has the provenance entries of the responses.
    """
    answers = [answer for record in run.records for field in _ASKED if (answer := getattr(record, field))]
    values: dict[str, dict[str, None]] = {}
    for answer in answers:
        for name, value in answer.response.provenance.items():
            if value is not None and (name in values or len(values) < _MOST_POINTS):
                values.setdefault(name, {})[_as_text(value)] = None
    origins = dict.fromkeys(record.document.origin for record in run.records if record.document.origin)
    return {
        **{name: run.settings.get(name) for name in _SETTINGS},
        "origin": ", ".join(origins),
        "judges": _listed(_judges(run.records)),
        "prompts": _prompts(run.records),
        "responses": {name: _listed(list(seen)) for name, seen in values.items()},
    }


def _as_text(value: Any) -> str:
    text = ", ".join(f"{name} {item}" for name, item in value.items()) if isinstance(value, Mapping) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\N{HORIZONTAL ELLIPSIS}"


def _judges(records: Iterable[Record]) -> list[str]:
    """Returns the names of the judges of open answers."""
    judgements = (answer.metrics.get("judgement") for answer in scores.answers(records, "open"))
    found = (judgement.get("by") for judgement in judgements if isinstance(judgement, dict))
    return list(dict.fromkeys(str(name) for name in found if name))


def _prompts(records: Sequence[Record]) -> dict[str, str]:
    """Returns the prompt templates of each protocol, the most frequent one first."""
    found = {}
    for field, asked in _ASKED.items():
        answered = [(record.document, answer) for record in records if (answer := getattr(record, field))]
        templates = Counter(_template(answer.prompt, document) for document, answer in answered)
        if templates:
            found[asked] = _listed([template for template, _ in templates.most_common()], " | ")
    return found


def _template(prompt: str, document: Document) -> str:
    lettered = [(chr(ord("A") + index), text) for index, text in enumerate(document.options)]
    written = (
        "\n".join(f"{letter}. {text}" for letter, text in lettered),
        "\n".join(f"({letter}) {text}" for letter, text in lettered),
        document.options_text,
    )
    places = {document.question: "{question}", **dict.fromkeys(written, "{options}")}
    places[str(document.expression)] = "{expression}"
    for text, place in places.items():
        if text:
            prompt = prompt.replace(text, place, 1)
    return prompt.replace("\n", " ")


def _listed(values: Sequence[str], separator: str = ", ") -> str:
    more = len(values) - _LISTED
    return separator.join(values[:_LISTED]) + (f" and {more} more" if more > 0 else "")
