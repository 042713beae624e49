"""Which of the runs in two folders are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pixfound_tasks.choices import check_choice
from pixfound_tasks.runs.run import RECORDED, Run, RunError


def runs_of_model(runs: Sequence[Run], folder: Path, model: str | None, option: str) -> list[Run]:
    """One model's runs of a folder, one a benchmark; `option` is how the model can be chosen.

    Raises:
        RunError: where it has several models and none is named, or there are several runs of a model on a benchmark.
        ValueError: where it has no model of that name.
    """
    models = sorted({run.model for run in runs})
    if model is not None:
        check_choice(option, model, models)
    elif len(models) > 1:
        raise RunError(f"expected one model in {folder}, but got {', '.join(models)}; choose one with {option}.")
    chosen = [run for run in runs if run.model == (model or models[0])]
    benchmark, count = Counter(run.benchmark for run in chosen).most_common(1)[0]
    if count > 1:
        raise RunError(f"expected one run on {benchmark} in {folder}, but got {count}; give one of its own folders.")
    return chosen


def pair_up(first: Sequence[Run], second: Sequence[Run]) -> list[tuple[Run, Run]]:
    """The runs on the benchmarks that both have; raises RunError where there is none, or no task of it."""
    others = {run.benchmark: run for run in second}
    pairs = [(run, others[run.benchmark]) for run in first if run.benchmark in others]
    if not pairs:
        has = (", ".join(run.benchmark for run in runs) for runs in (first, second))
        raise RunError(
            f"expected a benchmark that both runs have, but got {next(has)} and {next(has)}; evaluate both on one."
        )
    for run, other in pairs:
        if not run.tasks & other.tasks & {*RECORDED.values()}:
            has = (", ".join(sorted(each.tasks)) for each in (run, other))
            raise RunError(
                f"expected one of {', '.join(RECORDED)} of {run.benchmark} in both runs, but got {next(has)} and "
                f"{next(has)}; evaluate both on one."
            )
    return pairs
