"""Renders a leaderboard as one HTML page. Rows are untrusted and are shown as text, never as markup.

The page opens from disk and loads nothing. Its script sorts and filters what is there already, and a content security
policy allows no other script. Without scripts, all rows are shown in the order of their ranks.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from pixfound_tasks.report.formats import OUTCOME_NAMES, one_line, percent
from pixfound_tasks.report.leaderboard.schema import SCHEMA, SETTINGS
from pixfound_tasks.report.leaderboard.sections import Row, Section, boards
from pixfound_tasks.report.leaderboard.tables import (
    COLUMNS,
    NOTE,
    apart_note,
    columns_of,
    images,
    interval_text,
    is_unreadable,
    made_with,
    place,
    visible,
)
from pixfound_tasks.report.templates import make_environment

_HERE = Path(__file__).parent
_LONGEST = 60  # characters of a value to filter by
# Columns that are better if they are lower, and so are sorted the other way.
_LOWER = ("chance_miou", "unparsed_vqa", "unparsed_ground", "unjudged")


class Filter(NamedTuple):
    """A setting in which the rows of the page differ, and its values, in the order of the rows."""

    name: str
    values: tuple[str, ...]


class Downloads(NamedTuple):
    """Files beside the page that have the same rows."""

    markdown: str
    rows: str


def as_html(rows: Sequence[Row], downloads: Downloads | None = None) -> str:
    """Returns the leaderboard as HTML text."""
    environment = make_environment(_HERE, _shown)
    filters = find_filters(rows)
    style = _text("../html/page.css") + _text("../html/media.css") + _text("leaderboard.css")
    script = _text("leaderboard.js")
    functions: dict[str, Callable[..., Any]] = {
        each.__name__: each
        for each in (
            apart_note, columns_of, place, interval_text, images, made_with, percent, is_unreadable, interval_style,
            benchmark_rows,
        )
    }  # fmt: skip
    return environment.get_template("leaderboard.html.jinja").render(
        boards=boards(rows), note=NOTE, outcomes=OUTCOME_NAMES, schema=SCHEMA, style=Markup(style),
        script=Markup(script), script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        filters=[(each.name.replace("_", " "), [one_line(value, _LONGEST) for value in each.values])
                 for each in filters],
        values=lambda row: " ".join(str(each.values.index(_value(row, each.name))) for each in filters),
        columns=COLUMNS, lower=_LOWER, downloads=downloads, count=len(rows), **functions,
    )  # fmt: skip


def find_filters(rows: Sequence[Row]) -> list[Filter]:
    """Returns the settings in which rows differ."""
    found = (
        Filter(name, tuple(dict.fromkeys(_value(row, name) for row in rows)))
        for name in ("benchmark", "data", *SETTINGS)
    )
    return [each for each in found if len(each.values) > 1]


def _value(row: Row, name: str) -> str:
    if name == "data":
        return str(row["data"]["content"] or row["data"]["origin"])
    value = row[name] if name == "benchmark" else row["settings"][name]
    return str(value or "not said")


def interval_style(score: Mapping[str, Any]) -> Markup:
    """Returns where the interval of a score begins and ends on a line from 0 to 100, as CSS; "" if there is none."""
    low, high = score["low"], score["high"]
    if low is None or high is None:
        return Markup("")
    return Markup(f"left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%")


def benchmark_rows(sections: Sequence[Section]) -> int:
    """Returns the number of rows in all sections of a benchmark."""
    return sum(len(section.rows) for section in sections)


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
