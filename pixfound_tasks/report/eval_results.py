"""A run's scores in the hub's own format: `.eval_results/BENCHMARK.yaml`, for the repository of the model.

One entry per score: S under the benchmark's name, and the score of each task under the task's. The data set is the
benchmark's on the hub, and values are fractions. `notes` is the run's whole leaderboard row as JSON, without what is
null: prompts, judges, segmenter, versions, counts, intervals. So `pixfound leaderboard` reads such files, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml, parse_eval_result_entries

from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.files import replacing
from pixfound_tasks.report.leaderboard.rows import rows
from pixfound_tasks.report.leaderboard.schema import LATER, ROW, SCHEMA, SCORES, SETTINGS, LeaderboardError
from pixfound_tasks.runs.summary import Summary

FOLDER = ".eval_results"  # in the repository of a model
SUFFIXES = (".yaml", ".yml")
# The end of a task's name, after the benchmark's -> the score of a row.
_SCORES = {"": "score", "_vqa": "answering", "_vqa_open": "open_answering", "_ground": "grounding"}
_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})_\d{6}")
_REQUIRED = [name for name in ROW if name not in ("scores", "settings")]


def write_eval_results(folder: Path, summaries: Iterable[Summary]) -> list[Path]:
    """Write `MODEL/.eval_results/BENCHMARK.yaml` for every run into the folder, and return the files.

    The folder of a model can be uploaded into its repository as it is. Benchmarks without a data set on the hub, such
    as PixMini, which is drawn by code, are left out. Raises LeaderboardError if there are no others.
    """
    found = rows(summaries)
    check_on_hub(row["benchmark"] for row in found)
    return [_write(folder, row, entries) for row in found if (entries := _entries(row))]


def check_on_hub(benchmarks: Iterable[str]) -> None:
    """Raise LeaderboardError if no benchmark has a data set on the hub."""
    names = list(dict.fromkeys(benchmarks))
    if all(get_benchmark(name).files is None for name in names):
        raise LeaderboardError(
            "expected a benchmark with a data set on the hub, to whose leaderboard results belong, but "
            f"{', '.join(names)} has none; use --leaderboard FILE for it"
        )


def _write(folder: Path, row: Mapping[str, Any], entries: list[EvalResultEntry]) -> Path:
    model = re.sub(r"[^\w.-]+", "__", row["model"]).lstrip(".") or "model"
    place = folder / model / FOLDER / f"{row['benchmark']}.yaml"
    place.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True, width=120)
    with replacing(place) as beside:
        beside.write_text(text, encoding="utf-8")
    return place


def _entries(row: Mapping[str, Any]) -> list[EvalResultEntry]:
    benchmark = get_benchmark(row["benchmark"])
    if benchmark.files is None:
        return []
    dataset = benchmark.files.annotations
    revision = re.search(rf"{re.escape(dataset)} @ ([0-9a-f]{{40}})", row["data"]["origin"])
    date = _DATE.match(row["date"] or "")
    notes = json.dumps(_measured(row), ensure_ascii=False)
    return [
        EvalResultEntry(
            dataset_id=dataset,
            task_id=f"{benchmark.name}{end}",
            value=row["scores"][name]["value"],
            dataset_revision=revision[1] if revision else None,
            date="-".join(date.groups()) if date else None,
            notes=notes,
        )
        for end, name in _SCORES.items()
        if row["scores"][name]
    ]


def _measured(value: Any) -> Any:
    """The value without what is null, in it and in its parts."""
    if not isinstance(value, Mapping):
        return value
    return {name: _measured(part) for name, part in value.items() if part is not None}


def read_eval_results(text: str, where: str) -> list[dict[str, Any]]:
    """The leaderboard rows, not yet checked, in the text of such a file; `where` is its name for messages.

    Raises LeaderboardError if it is no such file, was not written by this package, or a value differs from its notes.
    """
    try:
        entries = parse_eval_result_entries(yaml.safe_load(text))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise LeaderboardError(
            f"expected the hub's evaluation results in {where}, but got {type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}"
        ) from error
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        row = _row_in(entry, where)
        end = str(entry.task_id).removeprefix(str(row["benchmark"]))
        score = row["scores"].get(_SCORES.get(end, ""))
        value = score.get("value") if isinstance(score, dict) else None
        if value != entry.value:
            raise LeaderboardError(
                f"expected the value {value} of the notes for {entry.task_id!r} in {where}, but got {entry.value!r}"
            )
        found[json.dumps(row, sort_keys=True)] = row
    return list(found.values())


def _row_in(entry: EvalResultEntry, where: str) -> dict[str, Any]:
    """The row in an entry's notes, with null for what was left out."""
    try:
        row = json.loads(entry.notes or "")
    except (ValueError, TypeError, RecursionError):
        row = None
    if not isinstance(row, dict) or row.get("schema") != SCHEMA:
        raise LeaderboardError(
            f"expected entries whose notes are a row of {SCHEMA} in {where}, as `pixfound report RUN --eval-results` "
            f"writes them, but {entry.task_id!r} has others; ask its author for the run's row"
        )
    scores, settings, data = (_mapping(row.get(name)) for name in ("scores", "settings", "data"))
    ends = {"low": None, "high": None}
    whole = {name: {**ends, **score} if isinstance(score, dict) else score for name, score in scores.items()}
    return {
        **dict.fromkeys(_REQUIRED),
        **row,
        "data": {"content": None, **data},
        "scores": {**dict.fromkeys(SCORES), **whole},
        "settings": {**dict.fromkeys((*SETTINGS, *LATER)), **settings},
    }


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
