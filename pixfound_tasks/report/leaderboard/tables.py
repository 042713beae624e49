"""Renders a leaderboard as Markdown. Rows are untrusted and are shown as text, never as markup."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pixfound_tasks.analysis.faults import MOST_UNREADABLE
from pixfound_tasks.report.formats import NOT_MEASURED, OUTCOME_NAMES, percent
from pixfound_tasks.report.leaderboard.sections import Board, Ranked, Row, Section, boards

COLUMNS = {  # heading -> name of a score; columns without any value in a section are left out
    "S": "score",
    "A\N{DAGGER}": "open_answering",
    "Accuracy\N{DAGGER}": "open_accuracy",
    "A": "answering",
    "Accuracy": "accuracy",
    "M\N{DAGGER}": "open_grounding",
    "M": "grounding",
    "Oracle": "oracle_miou",
    "Chance": "chance_miou",
    "Unparsed answers": "unparsed_vqa",
    "Unparsed groundings": "unparsed_ground",
    "Unjudged": "unjudged",
}
NOTE = (
    "In percent, with 95 % intervals. S: harmonic mean of the higher A and the higher M. A: pairs answered correctly "
    "(images, if the benchmark has no pairs). M: mean IoU. \N{DAGGER}: open questions, graded by a judge. Oracle: the "
    "candidate mask with the highest IoU. Chance: the same for random points. Outcomes: both right, VQA-only failure, "
    "grounding-only failure, both wrong, by the paper's rule. Partial runs are not ranked. Mostly unreadable: most "
    "answers or groundings could not be read, and so the scores say little."
)
_MARKUP = re.compile(r"[\\`*_\[\]|~#!$@]|:(?=//)|(?<=www)\.")


def visible(text: str) -> str:
    """Returns text as one line in which invisible and bidirectional control characters are escaped as `\\uXXXX`."""
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    is_hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return f"\\u{ord(character):04x}" if is_hidden else character


def as_markdown(rows: Sequence[Row]) -> str:
    """Returns the leaderboard as GitHub-flavored Markdown."""
    lines = ["# Leaderboard", "", _escaped(NOTE)]
    for board in boards(rows):
        lines += ["", f"## {board.benchmark}", *_paragraph("All rows", board.common)]
        if board.differ:
            lines += ["", _escaped(apart_note(board))]
        for number, section in enumerate(board.sections, 1):
            if section.apart:
                lines += ["", f"### Section {number}", *_paragraph("Here", section.apart)]
            lines += [*_paragraph("Made with", section.made_with), "", *_table(section)]
    return "\n".join(lines) + "\n"


def apart_note(board: Board) -> str:
    """Returns a sentence that names the settings in which the sections differ."""
    differ = ", ".join(board.differ).replace("_", " ")
    return f"{len(board.sections)} sections, not to be compared with each other; they differ in: {differ}."


def _paragraph(begin: str, values: Mapping[str, str]) -> list[str]:
    said = "; ".join(f"{name.replace('_', ' ')}: {_escaped(value)}" for name, value in values.items())
    return ["", f"{begin}: {said}."] if said else []


def _table(section: Section) -> Iterable[str]:
    columns = columns_of(section)
    extra = ["Made with"] if any(each.made_with for each in section.rows) else []
    headings = ["#", "Model", *columns, "Outcomes", "Images", *extra]
    yield f"| {' | '.join(headings)} |"
    yield f"|{'|'.join('---:' if heading in columns else '---' for heading in headings)}|"
    for each in section.rows:
        said = [_escaped(made_with(each))] if extra else []
        scores = (score_text(each.row, name) for name in columns.values())
        cells = [place(each), _escaped(model(each.row)), *scores, outcomes_text(each.row), marks(each.row), *said]
        yield f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Escapes text so that no Markdown renderer interprets it as markup."""
    text = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(lambda found: "\\" + found[0], text)


def columns_of(section: Section) -> dict[str, str]:
    """Returns the columns, as heading -> score, in which at least one row of the section has a value."""
    return {
        heading: name for heading, name in COLUMNS.items() if any(each.row["scores"][name] for each in section.rows)
    }


def place(ranked: Ranked) -> str:
    """Returns a row's rank, or a dash if it has none."""
    return str(ranked.place or NOT_MEASURED)


def model(row: Row) -> str:
    """Returns a model's name, with its revision if that is known."""
    return row["model"] + (f" @ {row['revision'][:12]}" if row["revision"] else "")


def score_text(row: Row, name: str) -> str:
    """Formats a score in percent, with its interval."""
    found = row["scores"][name]
    if not found:
        return NOT_MEASURED
    return " ".join(filter(None, (percent(found["value"]), interval_text(found, "({})"))))


def interval_text(score: Mapping[str, Any] | None, form: str = "{}") -> str:
    """Formats a score's interval in percent; "" if there is none."""
    if not score or score["low"] is None or score["high"] is None:
        return ""
    return form.format(f"{100 * score['low']:.0f}\N{EN DASH}{100 * score['high']:.0f}")


def outcomes_text(row: Row) -> str:
    """Formats the counts of the four outcomes by the paper's rule, in the order of `OUTCOME_NAMES`."""
    if not row["outcomes"]:
        return NOT_MEASURED
    return " / ".join(str(row["outcomes"]["paper"][name]) for name in OUTCOME_NAMES)


def images(row: Row) -> str:
    """Formats the number of images of a row and, if the run is partial, the number in the benchmark."""
    if not row["partial"]:
        return str(row["documents"])
    limit = f", limit {row['limit']:g}" if row["limit"] is not None else ""
    return f"partial: {row['documents']} of {row['known_documents']}{limit}"


def is_unreadable(row: Row) -> bool:
    """Whether most answers or groundings of a row could not be read, or most answers not be judged."""
    found = (row["scores"][name] for name in ("unparsed_vqa", "unparsed_ground", "unjudged"))
    return any(score is not None and score["value"] > MOST_UNREADABLE for score in found)


def marks(row: Row) -> str:
    """Formats what a reader must know of a row beside its number of images."""
    return images(row) + ", mostly unreadable" * is_unreadable(row)


def made_with(ranked: Ranked) -> str:
    """Formats the settings in which the rows of a section differ."""
    return "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in ranked.made_with.items())
