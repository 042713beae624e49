"""Converts a run's summary to a row of a leaderboard."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pixfound_tasks.files import replacing
from pixfound_tasks.report.leaderboard.schema import (
    LONGEST_NAME,
    LONGEST_TEXT,
    RULES,
    SCHEMA,
    SCORES,
    SETTINGS,
    check_row,
)
from pixfound_tasks.runs.summary import Summary

_FROM_RESPONSES = (
    "grounding", "phrases", "select", "similarity", "segmenter", "coordinates", "reducer", "query", "layers", "heads",
    "control", "seed",
)  # fmt: skip
_CONTENT = re.compile(r"\bcontent ([0-9a-f]{12})\b")
_CORRECTED = "corrected answers"
_MASK_JUDGE = re.compile(r"name (.+?), exchanges ")


def rows(summaries: Iterable[Summary]) -> list[dict[str, Any]]:
    """Returns one row per summary. Long strings are cut, and characters that UTF-8 cannot encode are replaced."""
    return [_row(summary) for summary in summaries]


def write_rows(path: Path, summaries: Iterable[Summary]) -> None:
    """Writes one row, or a list of rows if there are several summaries, as JSON. The file is replaced atomically."""
    found = rows(summaries)
    for row in found:
        check_row(row, str(path))
    text = json.dumps(found[0] if len(found) == 1 else found, indent=2, allow_nan=False)
    with replacing(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")


def _row(summary: Summary) -> dict[str, Any]:
    made = summary.provenance
    responses, origin = made["responses"], str(made["origin"] or "not said")
    content = _CONTENT.findall(origin)
    limit = made["limit"]
    return {
        "schema": SCHEMA,
        "model": _text(summary.model or "not said", LONGEST_NAME),
        "revision": _text(responses.get("revision"), LONGEST_NAME),
        "benchmark": summary.benchmark,
        "data": {"origin": _text(origin), "content": "+".join(dict.fromkeys(content))[:LONGEST_NAME] or None},
        "documents": summary.documents,
        "known_documents": summary.known_documents,
        "partial": summary.partial or summary.documents < summary.known_documents,
        "limit": limit if isinstance(limit, (int, float)) and math.isfinite(limit) and limit >= 0 else None,
        "scores": {name: _score(summary, name) for name in SCORES},
        "outcomes": _outcomes(summary),
        "settings": _settings(made),
        "versions": _text(", ".join(_versions(made))),
        "date": _text(made["date"], LONGEST_NAME),
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


def _settings(made: Mapping[str, Any]) -> dict[str, str | None]:
    """Returns the settings; a value is None if the run does not record it, as lmms-eval's own models record fewer."""
    responses, prompts = made["responses"], made["prompts"]
    judged = _MASK_JUDGE.match(responses.get("judge", ""))
    values = {name: responses.get(name) for name in _FROM_RESPONSES} | {
        **{f"{asked}_prompt": prompts.get(asked) for asked in ("choice", "open", "referring")},
        "answers": "corrected" if _CORRECTED in str(made["origin"]) else "original",
        "answer_rule": "paper",  # the only rule that the score uses
        "judge": made["judges"],
        "mask_judge": judged[1] if judged else None,
    }
    return {name: _text(values.get(name)) for name in SETTINGS}


def _versions(made: Mapping[str, Any]) -> Iterable[str]:
    said = str(made["responses"].get("versions") or "")
    # lmms-eval reports the commit of its working directory as its version, so a version in the responses goes first.
    if made["lmms_eval_version"] and "lmms-eval" not in said:
        yield f"lmms-eval {made['lmms_eval_version']}"
    if said:
        yield said


def _text(value: Any, longest: int = LONGEST_TEXT) -> str | None:
    """Returns the value as a string of at most `longest` characters that UTF-8 can encode; None if it is empty."""
    if value in (None, ""):
        return None
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= longest else text[: longest - 3] + "..."
