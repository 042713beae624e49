"""How a run was made: the settings that lmms-eval and the responses record, and the prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pixfound_tasks.runs import scores
from pixfound_tasks.runs.run import Document, Record, Run
from pixfound_tasks.runs.samples import Origin

_MOST_POINTS = 50  # entries kept; our responses have about 20, but any response can add more
_LONGEST = 500  # characters of a value
_LISTED = 5  # values listed per entry; they may differ between images
_SETTINGS = ("model", "model_args", "lmms_eval_version", "date", "limit")
# Field of a record -> name of its prompt.
_ASKED = {"vqa": "choice", "open": "open", "ground": "referring", "when": "referring, when"}


@dataclass(frozen=True)
class Provenance:
    """How a run was made. If documents or responses differ, all their values are kept, in the order of the images.

    Attributes:
        settings: what lmms-eval recorded: `model`, `model_args`, `lmms_eval_version`, `date` and `limit`.
        origins: the sources of the data.
        judges: the names of the judges of open answers.
        choice_judges: the names of the judges of choice answers; empty if the benchmark's rule graded them.
        prompts: the prompt templates of each protocol, the most frequent first, with `{question}`, `{options}` and
            `{expression}` in place of each document's text.
        responses: the provenance entries of the responses, with nested values as they came. If they name no versions,
            those of the run's tasks are there.
    """

    settings: Mapping[str, Any]
    origins: tuple[Origin, ...]
    judges: tuple[str, ...]
    choice_judges: tuple[str, ...]
    prompts: Mapping[str, Sequence[str]]
    responses: Mapping[str, Sequence[Any]]

    @property
    def mask_judges(self) -> tuple[str, ...]:
        """The names of the judges that selected masks."""
        notes = (note for note in self.responses.get("judge", ()) if isinstance(note, dict))
        return tuple(dict.fromkeys(str(note["name"]) for note in notes if note.get("name")))


def provenance(run: Run) -> Provenance:
    """Collects how a run was made."""
    answers = [answer for record in run.records for field in _ASKED if (answer := getattr(record, field))]
    values: dict[str, dict[str, Any]] = {}
    for answer in answers:
        for name, value in answer.response.provenance.items():
            if value is not None and (name in values or len(values) < _MOST_POINTS):
                values.setdefault(name, {}).setdefault(_as_text(value), value)
    # Responses of some models name more versions; those of others none.
    if "versions" not in values and (versions := run.settings.get("versions")):
        values["versions"] = {_as_text(versions): versions}
    return Provenance(
        settings={name: run.settings.get(name) for name in _SETTINGS},
        origins=tuple(dict.fromkeys(record.document.origin for record in run.records)),
        judges=_judges(run.records, "open"),
        choice_judges=_judges(run.records, "vqa"),
        prompts=_prompts(run.records),
        responses={name: tuple(seen.values()) for name, seen in values.items()},
    )


def as_texts(made: Provenance) -> dict[str, Any]:
    """Returns a provenance for people: each entry's values in one text, as the page and `report.json` have it."""
    return {
        **made.settings,
        "origin": ", ".join(dict.fromkeys(filter(None, map(_origin, made.origins)))),
        "judges": listed(made.judges),
        "choice_judges": listed(made.choice_judges),
        "prompts": {asked: listed(templates, " | ") for asked, templates in made.prompts.items()},
        "responses": {name: listed(list(map(_as_text, values))) for name, values in made.responses.items()},
    }


def _origin(origin: Origin) -> str:
    return f"{origin.text} ({origin.rules})" if origin.rules else origin.text


def listed(values: Sequence[str], separator: str = ", ") -> str:
    """Returns values as one text; of more than `_LISTED` values only their number is given."""
    more = len(values) - _LISTED
    return separator.join(values[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _as_text(value: Any) -> str:
    text = ", ".join(f"{name} {item}" for name, item in value.items()) if isinstance(value, Mapping) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\N{HORIZONTAL ELLIPSIS}"


def _judges(records: Iterable[Record], protocol: scores.Protocol) -> tuple[str, ...]:
    judgements = (answer.metrics.get("judgement") for answer in scores.answers(records, protocol))
    found = (judgement.get("by") for judgement in judgements if isinstance(judgement, dict))
    return tuple(dict.fromkeys(str(name) for name in found if name))


def _prompts(records: Sequence[Record]) -> dict[str, tuple[str, ...]]:
    found = {}
    for field, asked in _ASKED.items():
        answered = [(record.document, answer) for record in records if (answer := getattr(record, field))]
        templates = Counter(_template(answer.prompt, document) for document, answer in answered)
        if templates:
            found[asked] = tuple(template for template, _ in templates.most_common())
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
