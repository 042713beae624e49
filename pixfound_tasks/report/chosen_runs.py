"""Choosing runs by the names of their models and their benchmark."""

from __future__ import annotations

from collections.abc import Sequence

from pixfound_tasks.choices import check_choice
from pixfound_tasks.report.formats import one_line
from pixfound_tasks.runs.run import Run


def choose_runs(runs: Sequence[Run], models: str | None = None, benchmark: str | None = None) -> list[Run]:
    """Returns the runs of one benchmark, in the order of `models`: names, or parts of them, separated by commas.

    A part of a name is read without regard to case. Raises ValueError if the runs are of several benchmarks and none is
    given, or if a name fits no model or several.
    """
    names = list(dict.fromkeys(run.benchmark for run in runs))
    if benchmark is None and len(names) > 1:
        raise ValueError(f"expected runs of one benchmark, but got {', '.join(names)}: choose one with --benchmark")
    if benchmark is not None:
        check_choice("the benchmark", benchmark, names)
    found = [run for run in runs if run.benchmark == (benchmark or names[0])]
    if models is None:
        return found
    asked = [name.strip() for name in models.split(",") if name.strip()]
    if not asked:
        raise ValueError(f"expected --models as names separated by commas, but got {models!r}; {_known(found)}")
    return [_choose(name, found) for name in asked]


def _choose(name: str, runs: Sequence[Run]) -> Run:
    exact = [run for run in runs if run.model == name]
    found = exact or [run for run in runs if name.casefold() in run.model.casefold()]
    if len(found) != 1:
        fitting = "none" if not found else "several"
        raise ValueError(
            f"expected --models as names of models or parts of them, but {fitting} fit {name!r}; {_known(runs)}"
        )
    return found[0]


def _known(runs: Sequence[Run]) -> str:
    return f"the runs have {', '.join(one_line(run.model, 100) for run in runs)}"
