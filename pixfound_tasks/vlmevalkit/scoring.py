"""Scores the replies to one dataset, and writes them as lmms-eval would."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from pixfound_tasks.runs.check.results import TaskResult, read_results
from pixfound_tasks.runs.metrics import read_metrics
from pixfound_tasks.runs.writing import RunSettings, TaskLog, write_task
from pixfound_tasks.tasks.adapted import AdaptedTask, group_members, group_scores
from pixfound_tasks.tasks.document import Document
from pixfound_tasks.vlmevalkit.models import Model, declared_of

_LOCK = ".pixfound.lock"
BACKEND = "vlmevalkit"  # in place of lmms-eval's --model


class Asked(Protocol):
    """What a dataset was asked: its task, the documents and prompts by id, and how many documents the task has."""

    task: AdaptedTask
    documents: Mapping[str, Document]
    prompts: Mapping[str, str]
    known: int
    limit: int | None


def score_and_write(
    asked: Asked, replies: Mapping[str, str | None], folder: Path, model: Model, versions: Mapping[str, str]
) -> dict[str, float]:
    """Return the metrics; write samples, metrics, and the scores S of groups that are now complete into the folder.

    `replies` are by document id; None is a request that failed. Raises OSError if nothing can be written.
    """
    task = asked.task
    if first := next(iter(asked.documents.values()), None):
        task.prompt(first, declared_of(model))  # stores what is declared of the model, also in another process
    samples = [
        task.sample(doc, asked.prompts[name], replies[name], number)
        for number, (name, doc) in enumerate(asked.documents.items())
    ]
    metrics, benchmark = task.metrics(samples), task.benchmark.name
    settings = RunSettings(model.name, BACKEND, model.as_text, versions, asked.limit)
    # With --api-mode, every dataset is scored in a process of its own, and the last one finds all results.
    with FileLock(folder / _LOCK):
        scores = group_scores(benchmark, {**read_metrics(folder, benchmark), task.protocol.suffix: metrics})
        members = group_members(benchmark)
        groups = {name: score for name, score in scores.items() if task.name in members[name]}
        log = TaskLog(task.name, samples, metrics, asked.known, groups, members, _evaluated(folder))
        write_task(folder, log, settings)
    return {name: value for name, value in metrics.items() if not math.isnan(value)} | groups


def _evaluated(folder: Path) -> dict[str, tuple[int, int]]:
    """How many documents earlier tasks in the folder evaluated, and have."""
    results: dict[str, TaskResult] = {
        name: each for model in read_results(folder) for name, each in model.tasks.items()
    }
    parts = {part.task: part for result in results.values() for part in result.coverage}
    return {
        name: (part.documents, part.known)
        for name, part in parts.items()
        if part.documents is not None and part.known is not None
    }
