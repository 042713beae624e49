"""Writes the samples and results of a task as lmms-eval logs them, so that one reader reads the runs of all harnesses.

Beside a date, the names of the files are those of lmms-eval: `DATE_samples_TASK.jsonl` and `DATE_results.json`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixfound_tasks.files import replacing


@dataclass(frozen=True)
class RunSettings:
    """How a run was made.

    Args:
        model: the model's name, which reports show.
        backend: what ran it, in place of lmms-eval's `--model`.
        model_args: its arguments, as text.
        versions: the versions of the software by name.
        limit: how many documents were evaluated at most; None for all.
    """

    model: str
    backend: str
    model_args: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None


@dataclass(frozen=True)
class TaskLog:
    """The scored samples and the metrics of one task.

    `known` is the number of documents that the task has. `groups` are the scores of the groups that the task completes,
    with the tasks of each; `evaluated` are the numbers of documents of these tasks.
    """

    task: str
    samples: Sequence[Mapping[str, Any]]
    metrics: Mapping[str, float]
    known: int
    groups: Mapping[str, float] = field(default_factory=dict)
    members: Mapping[str, Sequence[str]] = field(default_factory=dict)
    evaluated: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def write_task(folder: Path, log: TaskLog, settings: RunSettings) -> Path:
    """Write one task's samples and results into the folder of a model, and return the results file.

    Earlier files are kept; readers take the newest. Raises OSError if the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    date = _free_date(folder)
    _write(folder / f"{date}_samples_{log.task}.jsonl", map(_as_json, log.samples))
    results = folder / f"{date}_results.json"
    _write(results, [json.dumps(_results(log, settings, date), indent=2, ensure_ascii=False)])
    return results


def _results(log: TaskLog, settings: RunSettings, date: str) -> dict[str, Any]:
    groups = {name: {"score,none": score, "alias": name} for name, score in log.groups.items()}
    counts = {**log.evaluated, log.task: (len(log.samples), log.known)}
    metrics = {f"{name},none": value for name, value in log.metrics.items()}
    return {
        "results": {**groups, log.task: {"alias": log.task, **metrics}},
        "groups": groups,
        "group_subtasks": {name: list(log.members[name]) for name in groups},
        "configs": {log.task: {"metadata": {"versions": dict(settings.versions)}}},
        "n-samples": {task: {"original": known, "effective": count} for task, (count, known) in counts.items()},
        "config": {"model": settings.backend, "model_args": settings.model_args, "limit": settings.limit},
        "model_name": settings.model,
        "date": date,
    }


def _as_json(sample: Mapping[str, Any]) -> str:
    return json.dumps(sample, ensure_ascii=False)


def _write(file: Path, lines: Iterable[str]) -> None:
    with replacing(file) as beside, beside.open("w", encoding="utf-8", errors="replace") as written:
        written.writelines(f"{line}\n" for line in lines)


def _free_date(folder: Path) -> str:
    """The date as in lmms-eval's file names, of the first second from now on of which there are no files."""
    seconds = time.time()
    while True:
        date = time.strftime("%Y%m%d_%H%M%S", time.localtime(seconds))
        if not (folder / f"{date}_results.json").exists():
            return date
        seconds += 1
