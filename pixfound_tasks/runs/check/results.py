"""Reads the scores of a run from lmms-eval's `*_results.json`, without its samples.

The newest results of each task and group are used. The module imports nothing heavy, so that a check starts at once.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.protocols import find_task

_RESULTS, _SAMPLES = "_results.json", "_samples_"
_FAILED_KEYS = ("error", "failed", "exception")


class Coverage(NamedTuple):
    """The number of documents of a task that were evaluated, and the number it has; None if the results do not say."""

    task: str
    documents: int | None
    known: int | None
    limited_by: str = ""

    @property
    def partial(self) -> bool:
        if self.documents is None or self.known is None:
            return bool(self.limited_by)
        return self.documents < self.known or self.limited_by.startswith("--offset")


@dataclass(frozen=True)
class TaskResult:
    """The metrics of a task or group, keyed as in lmms-eval (`score,none`), and how many documents they cover.

    `failed` is the reason if the file reports a failure or newer samples have no results; otherwise it is empty.
    """

    metrics: Mapping[str, Any]
    file: Path
    coverage: tuple[Coverage, ...]
    failed: str = ""


@dataclass(frozen=True)
class ModelResults:
    """One model's newest results by task and group. `broken` says why the newest file cannot be read, if it cannot."""

    model: str
    folder: Path
    tasks: Mapping[str, TaskResult]
    broken: str = ""


def read_results(run: Path) -> list[ModelResults]:
    """Reads the results of every model in an `--output_path` of lmms-eval, sorted by name.

    Returns an empty list if there is no results file.
    """
    by_folder: dict[Path, list[Path]] = {}
    # File names begin with the date, so that newer files come later.
    for file in sorted([*run.glob(f"*{_RESULTS}"), *run.glob(f"*/*{_RESULTS}")]):
        by_folder.setdefault(file.parent, []).append(file)
    found = sorted((_read_folder(files) for files in by_folder.values()), key=lambda results: results.model)
    counts = Counter(results.model for results in found)
    return [
        replace(each, model=f"{each.model} ({each.folder.name})") if counts[each.model] > 1 else each for each in found
    ]


def model_name(settings: Mapping[str, Any], fallback: str) -> str:
    """Returns the model's name as lmms-eval reports it, or `name=` for replayed predictions, or the fallback.

    `settings` may have `model_name`, `model` and `model_args`.
    """
    replayed = re.search(r"(?:^|,)name=([^,]+)", str(settings.get("model_args") or ""))
    if settings.get("model") == "pixfound_replay" and replayed:
        return replayed[1]
    return str(settings.get("model_name") or fallback)


def _read_folder(files: Iterable[Path]) -> ModelResults:
    """Merges the results files of one folder, which are sorted by date."""
    name, broken, tasks = "", "", {}
    for file in files:
        content, broken = _read_file(file)
        if broken:
            continue
        name = model_name({**_mapping(content.get("config")), "model_name": content.get("model_name")}, name)
        for task, metrics in _mapping(content.get("results")).items():
            tasks[task] = TaskResult(_mapping(metrics), file, _coverages(content, task), _failure(metrics))
    unfinished = _newest_samples(file.parent)
    for task, result in tasks.items():
        late = [part.task for part in result.coverage if unfinished.get(part.task, "") > _date(result.file, _RESULTS)]
        if late and not result.failed:
            tasks[task] = replace(result, failed=f"there are newer samples of {late[0]}, but no results with them")
    return ModelResults(name or file.parent.name, file.parent, tasks, broken)


def _read_file(file: Path) -> tuple[dict[str, Any], str]:
    """Returns the content of a results file, and what is wrong with it ("" if nothing)."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"{file.name} cannot be read ({error})"
    if not isinstance(content, dict) or not isinstance(content.get("results"), dict):
        return {}, f"{file.name} has no results"
    if failed := _failure(content):
        return {}, f"{file.name} says that {failed}"
    return content, ""


def _failure(entry: Any) -> str:
    if not isinstance(entry, dict):
        return f"it has no metrics, but {entry!r}"
    return next((f"it failed: {entry[key]}" for key in _FAILED_KEYS if entry.get(key)), "")


def _coverages(content: Mapping[str, Any], task: str) -> tuple[Coverage, ...]:
    """Returns the coverage of the task, or of each task of the group."""
    groups, config = _mapping(content.get("group_subtasks")), _mapping(content.get("config"))
    counts = _mapping(content.get("n-samples"))
    waiting, leaves = [task], {}
    seen = set()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        parts = groups.get(name)
        if isinstance(parts, list) and parts:
            waiting += map(str, parts)
        else:
            leaves[name] = _coverage(name, _mapping(counts.get(name)), config)
    return tuple(leaves.values())


def _coverage(task: str, counts: Mapping[str, Any], config: Mapping[str, Any]) -> Coverage:
    documents, known = (counts.get(key) if isinstance(counts.get(key), int) else None for key in _COUNTS)
    ours = find_task(task)
    if known is not None and ours and not ours.protocol.is_repeated:
        known = max(known, get_benchmark(ours.benchmark).document_count)
    limit, offset = config.get("limit"), config.get("offset")
    if offset:
        return Coverage(task, documents, known, f"--offset {offset}")
    if limit is None or limit == -1:
        return Coverage(task, documents, known)
    return Coverage(task, documents, known, f"--limit {limit:g}" if isinstance(limit, float) else f"--limit {limit}")


_COUNTS = ("effective", "original")  # of `n-samples`


def _newest_samples(folder: Path) -> dict[str, str]:
    """Returns the date of the newest samples, by task."""
    dates: dict[str, str] = {}
    for file in sorted(folder.glob(f"*{_SAMPLES}*.jsonl")):
        date, _, task = file.stem.partition(_SAMPLES)
        dates[task] = date
    return dates


def _date(file: Path, ending: str) -> str:
    return file.name.removesuffix(ending)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
