"""Converts a run's summary to a row of a leaderboard."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.files import replacing
from pixfound_tasks.report.leaderboard.schema import (
    LONGEST_NAME,
    LONGEST_TEXT,
    RULES,
    SCHEMA,
    SCORES,
    SETTINGS,
    check_row,
    is_path,
)
from pixfound_tasks.response.option import PAPER_RULES
from pixfound_tasks.runs.provenance import Provenance, as_texts
from pixfound_tasks.runs.summary import Summary

_FROM_RESPONSES = (
    "grounding", "phrases", "select", "similarity", "segmenter", "coordinates", "reducer", "query", "layers", "heads",
    "control", "seed", "candidates", "enlarge", "mask", "point", "no_candidate", "preset", "pad", "temperature",
    "sampling_seed", "geometry",
)  # fmt: skip


def rows(summaries: Iterable[Summary], report: str | None = None) -> list[dict[str, Any]]:
    """Returns one row per summary. Long strings are cut, and characters that UTF-8 cannot encode are replaced.

    `report` is the link to their report, see `schema.Link`.
    """
    return [_row(summary) | {"report": report} for summary in summaries]


def write_rows(path: Path, summaries: Iterable[Summary], page: Path | None = None) -> None:
    """Writes one row, or a list of rows if there are several summaries, as JSON. The file is replaced atomically.

    The rows link to the `page` of the report if it lies in a folder beside the file.
    """
    found = rows(summaries, _link(page, path.parent) if page else None)
    for row in found:
        check_row(row, str(path))
    text = json.dumps(found[0] if len(found) == 1 else found, indent=2, allow_nan=False)
    with replacing(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")


def _link(page: Path, folder: Path) -> str | None:
    """Returns the path of the page from the folder; None if it is not below it, or has unusual characters."""
    try:
        link = page.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return None
    return link if is_path(link) else None


def _row(summary: Summary) -> dict[str, Any]:
    made, texts = summary.provenance, as_texts(summary.provenance)
    contents = dict.fromkeys(origin.content for origin in made.origins if origin.content)
    limit = made.settings["limit"]
    return {
        "schema": SCHEMA,
        "model": _text(summary.model or "not said", LONGEST_NAME),
        "revision": _text(texts["responses"].get("revision"), LONGEST_NAME),
        "benchmark": summary.benchmark,
        "data": {"origin": _text(texts["origin"] or "not said"), "content": _text("+".join(contents), LONGEST_NAME)},
        "documents": summary.documents,
        "known_documents": summary.known_documents,
        "partial": summary.partial or summary.documents < summary.known_documents,
        "limit": limit if isinstance(limit, (int, float)) and math.isfinite(limit) and limit >= 0 else None,
        "scores": {name: _score(summary, name) for name in SCORES},
        "outcomes": _outcomes(summary),
        "settings": _settings(summary.benchmark, made, texts),
        "versions": _text(", ".join(_versions(texts))),
        "date": _text(made.settings["date"], LONGEST_NAME),
    }


def _score(summary: Summary, name: str) -> dict[str, float | None] | None:
    value = getattr(summary, name)
    if not math.isfinite(value):
        return None
    interval = summary.intervals.get(name)
    ends = (interval.low, interval.high) if interval else (math.nan, math.nan)
    low, high = (min(max(float(end), 0.0), 1.0) if math.isfinite(end) else None for end in ends)
    return {"value": value, "low": low, "high": high}


def _outcomes(summary: Summary) -> dict[str, Any] | None:
    by_rule = summary.failures.get(summary.main_questions)
    if not by_rule:
        return None
    return {"questions": summary.main_questions, **{rule: dict(by_rule[rule].counts) for rule in RULES}}


def _settings(benchmark: str, made: Provenance, texts: Mapping[str, Any]) -> dict[str, str | None]:
    """Returns the settings; a value is None if the run does not record it, as lmms-eval's own models record fewer."""
    changed = dict.fromkeys(origin.answers for origin in made.origins if origin.answers != "original")
    values = {name: texts["responses"].get(name) for name in _FROM_RESPONSES} | {
        **{f"{asked}_prompt": texts["prompts"].get(asked) for asked in ("choice", "open", "referring")},
        "answers": ", ".join(changed) or "original",
        "answer_rule": _answer_rule(benchmark, texts["choice_judges"]),
        "documents": ", ".join(dict.fromkeys(origin.rules for origin in made.origins if origin.rules)),
        "judge": texts["judges"],
        "mask_judge": ", ".join(made.mask_judges),
    }
    return {name: _text(values.get(name)) for name in SETTINGS}


def _answer_rule(benchmark: str, judges: str) -> str:
    """Returns what grades choice answers; earlier versions read all benchmarks by the letter or the text."""
    if judges:
        return f"judge {judges}"
    rule = get_benchmark(benchmark).paper_rule
    return "paper" if rule == PAPER_RULES[0] else f"paper ({rule})"


def _versions(texts: Mapping[str, Any]) -> Iterable[str]:
    said = texts["responses"].get("versions", "")
    # lmms-eval reports the commit of its working directory as its version, so a version in the responses goes first.
    if texts["lmms_eval_version"] and "lmms-eval" not in said:
        yield f"lmms-eval {texts['lmms_eval_version']}"
    if said:
        yield said


def _text(value: Any, longest: int = LONGEST_TEXT) -> str | None:
    """Returns the value as a string of at most `longest` characters that UTF-8 can encode; None if it is empty."""
    if value in (None, ""):
        return None
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= longest else text[: longest - 3] + "..."
