"""The metrics of our tasks as lmms-eval aggregated them, whichever they are: the table of protocols names them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.protocols import PROTOCOLS, metrics_of
from pixfound_tasks.runs.check.results import read_results

Metrics = Mapping[str, Mapping[str, float]]
"""Values by the suffix of the task, such as "ground", and the name of the metric."""


class MetricDifference(NamedTuple):
    """A metric of two runs, each over the run's own documents, and second minus first."""

    task: str
    metric: str
    first: float
    second: float
    difference: float


def read_metrics(folder: Path, benchmark: str) -> dict[str, dict[str, float]]:
    """Return the newest metrics of a benchmark's tasks in the folder of one model.

    Tasks with variations are left out: their metrics depend on the variations, see `sensitivity`.
    """
    results = {name: result for model in read_results(folder) for name, result in model.tasks.items()}
    found: dict[str, dict[str, float]] = {}
    for protocol in PROTOCOLS:
        if result := results.get(f"{benchmark}_{protocol.suffix}"):
            names = [metric.name for metric in metrics_of(protocol, get_benchmark(benchmark))]
            values = {name: _number(result.metrics.get(f"{name},none")) for name in names}
            found[protocol.suffix] = {name: value for name, value in values.items() if value is not None}
    return {suffix: values for suffix, values in found.items() if values}


def compare_metrics(first: Metrics, second: Metrics) -> list[MetricDifference]:
    """Return the difference of every metric that both runs have."""
    return [
        MetricDifference(task, name, value, second[task][name], second[task][name] - value)
        for task, values in first.items()
        for name, value in values.items()
        if name in second.get(task, {})
    ]


def _number(value: object) -> float | None:
    """A value as a float, NaN included; None if it is not a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else math.nan
