"""Selects the runs of two folders that are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pixfound_tasks.choices import check_choice
from pixfound_tasks.runs.run import RECORDED, Run, RunError


def runs_of_model(runs: Sequence[Run], folder: Path, model: str | None, option: str) -> list[Run]:
    """Returns one model's runs in a folder, one per benchmark. `option` is the option that selects the model.

    Raises:
        RunError: if the folder has several models and `model` is None, or has several runs of it on one benchmark.
        ValueError: if the folder has no model of that name.
    """
    models = sorted({run.model for run in runs})
    if model is not None:
        check_choice(option, model, models)
    elif len(models) > 1:
        raise RunError(f"expected one model in {folder}, but got {', '.join(models)}; choose one with {option}.")
    chosen = [run for run in runs if run.model == (model or models[0])]
    benchmark, count = Counter(run.benchmark for run in chosen).most_common(1)[0]
    if count > 1:
        raise RunError(f"expected one run on {benchmark} in {folder}, but got {count}; give a folder with only one.")
    return chosen


def pair_up(first: Sequence[Run], second: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Pairs the runs by benchmark. Raises `RunError` if they share no benchmark, or no task of a shared benchmark."""
    others = {run.benchmark: run for run in second}
    pairs = [(run, others[run.benchmark]) for run in first if run.benchmark in others]
    if not pairs:
        has = (", ".join(run.benchmark for run in runs) for runs in (first, second))
        raise RunError(
            f"expected a benchmark that both runs have, but got {next(has)} and {next(has)}; "
            "evaluate both runs on the same benchmark."
        )
    for run, other in pairs:
        if not run.tasks & other.tasks & {*RECORDED.values()}:
            has = (", ".join(sorted(each.tasks)) for each in (run, other))
            raise RunError(
                f"expected one of {', '.join(RECORDED)} of {run.benchmark} in both runs, but got {next(has)} and "
                f"{next(has)}; evaluate both runs on the same task."
            )
    return pairs
