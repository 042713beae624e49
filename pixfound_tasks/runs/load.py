"""Reading one run, for use in Python."""

from __future__ import annotations

from pathlib import Path

from pixfound_tasks.runs.run import Run, read_runs


def load_run(folder: str | Path, benchmark: str | None = None, model: str | None = None) -> Run:
    """Return the run of one model on one benchmark.

    Args:
        folder: an `--output_path` of lmms-eval with `--log_samples`.
        benchmark: the benchmark's name; needed if the folder has several.
        model: the model's name as lmms-eval has it; needed if the folder has several.

    Raises:
        RunError: the folder has no run.
        ValueError: not exactly one run has this benchmark and this model.
    """
    runs = read_runs(Path(folder))
    found = [run for run in runs if benchmark in (None, run.benchmark) and model in (None, run.model)]
    if len(found) != 1:
        there = ", ".join(f"{run.model} on {run.benchmark}" for run in runs)
        raise ValueError(
            f"expected one run in {folder}, but {len(found)} match; it has {there}: give benchmark= and model="
        )
    return found[0]
