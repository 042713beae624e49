"""The schema of a row, and reading rows. Rows are untrusted, so every field is checked."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from pixfound_tasks.analysis.metrics import score
from pixfound_tasks.benchmarks.registry import benchmark_names, get_benchmark
from pixfound_tasks.report.formats import OUTCOME_NAMES

SCHEMA = "pixfound-leaderboard/1"
SCORES = (
    "score", "open_answering", "open_accuracy", "answering", "accuracy", "open_grounding", "grounding", "oracle_miou",
    "chance_miou", "unparsed_vqa", "unparsed_ground", "unjudged",
)  # fmt: skip
# Rows that differ in one of these settings are in different sections.
COMPARED = (
    "choice_prompt", "open_prompt", "referring_prompt", "answers", "answer_rule", "grounding", "phrases", "select",
    "similarity", "mask_judge", "judge", "mask", "no_candidate", "preset", "documents", "candidates", "enlarge",
    "geometry",
)  # fmt: skip
SETTINGS = (
    *COMPARED, "segmenter", "coordinates", "reducer", "query", "layers", "heads", "control", "seed", "point", "pad",
    "temperature", "sampling_seed",
)  # fmt: skip
# Rows of earlier versions do not have these.
LATER = (
    "mask", "no_candidate", "preset", "documents", "candidates", "enlarge", "point", "pad", "temperature",
    "sampling_seed", "geometry",
)  # fmt: skip
RULES = ("paper", "strict")
LONGEST_NAME, LONGEST_TEXT = 200, 2000  # characters

_LARGEST_FILE = 5 << 20  # bytes
_SHOWN = 60  # characters of a value in a message
_CLOSE = 1e-9
_PLACEHOLDER = object()


class LeaderboardError(ValueError):
    """Raised if a file has no valid leaderboard rows. The message names the file and the field."""


class Text(NamedTuple):
    """A string of at most `longest` characters, or null if `optional`."""

    longest: int = LONGEST_TEXT
    optional: bool = True


class Number(NamedTuple):
    """A number from 0 to `most`, an integer if `whole`, or null if `optional`."""

    most: float = 1.0
    whole: bool = False
    optional: bool = False


class Link(NamedTuple):
    """The address of a report, or null: an absolute one of the web, or a path below the folder of the row's file."""


class Choice(NamedTuple):
    """One of these values."""

    values: tuple[Any, ...]


class Optional(NamedTuple):
    """A value of type `kind`, or null."""

    kind: Any


_LARGEST = 10**9
# A path of plain names, none of which is "." or "..": nothing that a browser reads as an address of another kind.
_PATH = re.compile(r"(?:(?!\.{1,2}/)[\w.~-]+/)+[\w-][\w.~-]*", re.ASCII)
_ADDRESS = re.compile(r"https?://[\w.-]+(?::\d+)?/[\w.~/?#=&%+,:@-]*", re.ASCII)
_SCORE = {"value": Number(), "low": Number(optional=True), "high": Number(optional=True)}
_OUTCOMES = dict.fromkeys(OUTCOME_NAMES, Number(_LARGEST, whole=True))
ROW = {
    "schema": Choice((SCHEMA,)),
    "model": Text(LONGEST_NAME, optional=False),
    "revision": Text(LONGEST_NAME),
    "benchmark": Choice(benchmark_names()),
    "data": {"origin": Text(optional=False), "content": Text(LONGEST_NAME)},
    "documents": Number(_LARGEST, whole=True),
    "known_documents": Number(_LARGEST, whole=True),
    "partial": Choice((True, False)),
    "limit": Number(_LARGEST, optional=True),
    "scores": {name: Optional(_SCORE) for name in SCORES},
    "outcomes": Optional({"questions": Choice(("choice", "open")), **{rule: _OUTCOMES for rule in RULES}}),
    "settings": {name: Text() for name in SETTINGS},
    "versions": Text(),
    "date": Text(LONGEST_NAME),
    "report": Link(),
}


def read_rows(*files: Path) -> list[dict[str, Any]]:
    """Reads and checks the rows of these files, without duplicates.

    Raises `LeaderboardError` if a file cannot be read or a field is invalid.
    """
    found = {}
    for file in files:
        content = _read(file)
        if _is_report(content):
            raise LeaderboardError(
                f"expected rows in {file}, but got the report.json of `pixfound report`; write rows with "
                "`pixfound report RUN --leaderboard FILE`"
            )
        for index, row in enumerate(content if isinstance(content, list) else [content]):
            if isinstance(row, dict) and isinstance(row.get("settings"), dict):
                row["settings"] = dict.fromkeys(LATER) | row["settings"]
                row.setdefault("report", None)
            check_row(row, f"{file}, row {index + 1}" if isinstance(content, list) else str(file))
            found[json.dumps(row, sort_keys=True)] = row
    return list(found.values())


def _is_report(content: Any) -> bool:
    first = content[0] if isinstance(content, list) and content else content
    return isinstance(first, dict) and "schema" not in first and {"model", "provenance", "intervals"} <= first.keys()


def _read(file: Path) -> Any:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise LeaderboardError(f"expected at most {_LARGEST_FILE >> 20} MB in {file}, but it has more")
        text = file.read_text(encoding="utf-8")
        if file.suffix in (".yaml", ".yml"):
            from pixfound_tasks.report.eval_results import read_eval_results

            return read_eval_results(text, str(file))
        return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except LeaderboardError:
        raise
    except OSError as error:
        raise LeaderboardError(f"expected a file of rows in {file}, but got: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise LeaderboardError(
            f"expected JSON in {file}, as `pixfound report --leaderboard` writes it, but got: {error}"
        ) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {_shown(twice)} twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant}, which is not a number")


def check_row(row: Any, where: str) -> None:
    """Checks a row. Raises `LeaderboardError` if it is invalid; the message names `where` and the field."""
    _check(row, ROW, where, "")
    known = get_benchmark(row["benchmark"]).document_count
    _expect(row["known_documents"] == known, str(known), row["known_documents"], where, "known_documents")
    _expect(row["documents"] <= known, f"at most {known}", row["documents"], where, "documents")
    if row["documents"] < known:
        _expect(row["partial"], f"true with {row['documents']} of {known} documents", False, where, "partial")
    for name, found in row["scores"].items():
        if found and None not in (found["low"], found["high"]):
            _expect(found["low"] <= found["high"], "low <= high", found, where, f"scores.{name}")
    for rule in RULES if row["outcomes"] else ():
        total = sum(row["outcomes"][rule].values())
        _expect(total <= known, f"at most {known} in all", total, where, f"outcomes.{rule}")
    _check_score(row["scores"], where)


def _check_score(scores: Mapping[str, Any], where: str) -> None:
    """Checks that S is the harmonic mean of the other scores."""
    value = {name: found["value"] if found else math.nan for name, found in scores.items()}
    correct = score((value["answering"], value["open_answering"]), (value["grounding"], value["open_grounding"]))
    same = (math.isnan(correct) and math.isnan(value["score"])) or abs(correct - value["score"]) <= _CLOSE
    _expect(same, f"the harmonic mean of A and M, {correct:.6f}", value["score"], where, "scores.score")


def _check(value: Any, kind: Any, where: str, field: str) -> None:
    if isinstance(kind, Optional):
        if value is not None:
            _check(value, kind.kind, where, field)
    elif isinstance(kind, Mapping):
        _check_fields(value, kind, where, field)
    elif isinstance(kind, Text):
        _check_text(value, kind, where, field)
    elif isinstance(kind, Number):
        _check_number(value, kind, where, field)
    elif isinstance(kind, Link):
        _check_link(value, where, field)
    else:
        same = any(type(value) is type(allowed) and value == allowed for allowed in kind.values)
        _expect(same, "one of " + ", ".join(map(repr, kind.values)), value, where, field)


def _check_fields(value: Any, kind: Mapping[str, Any], where: str, field: str) -> None:
    _expect(isinstance(value, dict), "an object with fields " + ", ".join(kind), value, where, field or "(the row)")
    for name in value:
        nearest = get_close_matches(name, kind, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        if name not in kind:
            place = f"{where}, field {field}" if field else where
            raise LeaderboardError(f"expected no field {_shown(name)} in {place}, as {SCHEMA} has none{hint}")
    for name, part in kind.items():
        path = f"{field}.{name}" if field else name
        _expect(name in value, "the field to be there", _PLACEHOLDER, where, path)
        _check(value[name], part, where, path)


def _check_text(value: Any, kind: Text, where: str, field: str) -> None:
    if value is None and kind.optional:
        return
    expected = f"a string of 1 to {kind.longest} characters" + " or null" * kind.optional
    _expect(isinstance(value, str) and 0 < len(value) <= kind.longest, expected, value, where, field)
    is_writable = not any("\ud800" <= character <= "\udfff" for character in value)
    _expect(is_writable, "a string without lone surrogates", value, where, field)


def is_path(link: str) -> bool:
    """Whether a link is a path below the folder of its row, such as `model/index.html`."""
    return bool(_PATH.fullmatch(link))


def _check_link(value: Any, where: str, field: str) -> None:
    expected = "null, an address such as https://example.org/report/, or a path of plain names such as model/index.html"
    is_link = (
        isinstance(value, str) and len(value) <= LONGEST_TEXT and bool(is_path(value) or _ADDRESS.fullmatch(value))
    )
    _expect(value is None or is_link, expected, value, where, field)


def _check_number(value: Any, kind: Number, where: str, field: str) -> None:
    if value is None and kind.optional:
        return
    types = (int,) if kind.whole else (int, float)
    expected = f"{'an integer' if kind.whole else 'a number'} from 0 to {kind.most:g}" + " or null" * kind.optional
    holds = type(value) in types and math.isfinite(value) and 0 <= value <= kind.most
    _expect(holds, expected, value, where, field)


def _expect(holds: bool, expected: str, got: Any, where: str, field: str) -> None:
    if not holds:
        came = "nothing" if got is _PLACEHOLDER else _shown(got)
        raise LeaderboardError(f"expected {expected} in {where}, field {field}, but got {came}")


def _shown(value: Any) -> str:
    """Returns the value as one short line of ASCII."""
    text = value if isinstance(value, str) else json.dumps(value)
    return ascii(text[:_SHOWN]) + "..." * (len(text) > _SHOWN) if isinstance(value, str) else text[:_SHOWN]
