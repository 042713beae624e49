"""Groups rows into sections that can be compared, and ranks the rows within each section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pixfound_tasks.benchmarks.registry import benchmark_names
from pixfound_tasks.report.leaderboard.schema import COMPARED, SETTINGS

Row = Mapping[str, Any]
NOT_SAID = "not said"
# Settings that may differ within a section; if one differs, every row of the section shows it.
_MADE_WITH = (*(name for name in SETTINGS if name not in COMPARED), "versions")


@dataclass(frozen=True)
class Ranked:
    """A row and its rank in its section; `place` is None for a partial run or a run without a score.

    `made_with` has the settings, by name, in which the section's rows differ.
    """

    place: int | None
    row: Row
    made_with: dict[str, str]


@dataclass(frozen=True)
class Section:
    """Rows that can be compared, best first and partial runs last.

    `apart` has the settings, by name, that distinguish the section from other sections.
    """

    apart: dict[str, str]
    made_with: dict[str, str]  # by name, the settings that are the same in all rows
    rows: tuple[Ranked, ...]


@dataclass(frozen=True)
class Board:
    """All rows of one benchmark. `differ` names the settings in which sections differ; `common` has the others."""

    benchmark: str
    differ: tuple[str, ...]
    common: dict[str, str]
    sections: tuple[Section, ...]


def boards(rows: Sequence[Row]) -> list[Board]:
    """Returns one board per benchmark that has rows, with sections sorted by their best rows."""
    found = ((name, [row for row in rows if row["benchmark"] == name]) for name in benchmark_names())
    return [_board(name, members) for name, members in found if members]


def _board(benchmark: str, rows: Sequence[Row]) -> Board:
    by_key: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        by_key.setdefault(tuple(_compared(row).items()), []).append(row)
    keys = [dict(key) for key in by_key]
    differ = tuple(name for name in keys[0] if len({key[name] for key in keys}) > 1)
    sections = [_section({name: key[name] for name in differ}, members) for key, members in zip(keys, by_key.values())]
    common = {name: value for name, value in keys[0].items() if name not in differ and value != NOT_SAID}
    sections.sort(key=lambda section: _order(section.rows[0].row))
    return Board(benchmark, differ, common, tuple(sections))


def _compared(row: Row) -> dict[str, str]:
    data = row["data"]
    absent = {name: "not asked" if name.endswith("_prompt") else NOT_SAID for name in COMPARED}
    settings = {name: row["settings"][name] or absent[name] for name in COMPARED}
    return settings | {"data": f"content {data['content']}" if data["content"] else data["origin"]}


def _section(apart: dict[str, str], rows: Sequence[Row]) -> Section:
    made = [_made_with(row) for row in rows]
    differ = [name for name in _MADE_WITH if len({each[name] for each in made}) > 1]
    ranked: list[Ranked] = []
    for row in sorted(rows, key=_order):
        own = {name: value for name, value in _made_with(row).items() if name in differ}
        ranked.append(Ranked(_place(row, ranked), row, own))
    same = {name: made[0][name] for name in _MADE_WITH if name not in differ and made[0][name] != NOT_SAID}
    return Section(apart, same, tuple(ranked))


def _made_with(row: Row) -> dict[str, str]:
    values = {**row["settings"], "versions": row["versions"]}
    return {name: values[name] or NOT_SAID for name in _MADE_WITH}


def _order(row: Row) -> tuple[bool, bool, float, str]:
    score = row["scores"]["score"]
    return row["partial"], score is None, -score["value"] if score else 0.0, row["model"]


def _place(row: Row, before: Sequence[Ranked]) -> int | None:
    """Returns the rank of a row; rows with the same score have the same rank."""
    score = row["scores"]["score"]
    if row["partial"] or score is None:
        return None
    if before and before[-1].row["scores"]["score"]["value"] == score["value"]:
        return before[-1].place
    return len(before) + 1
