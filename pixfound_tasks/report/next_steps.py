"""The commands to look at next, which summaries in the terminal end with."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from pixfound_tasks.runs.summary import Summary


class Step(NamedTuple):
    """A command, and what it shows."""

    command: str
    shows: str


def print_steps(console: Console, steps: Sequence[Step]) -> None:
    """Prints the commands below each other, each after what it shows; a command is never wrapped or cut."""
    console.print(Text("Next", "bold"))
    for step in steps:
        console.print(Text(f"  {step.shows}:", "dim"), soft_wrap=True)
        console.print(Text(f"    {step.command}"), soft_wrap=True)


def after_evaluation(output_path: str | None) -> list[Step]:
    """Returns what to do after an evaluation. `output_path` is None if its samples were not kept."""
    if output_path is None:
        return [Step("pixfound run ... --output_path runs/NAME --log_samples", "to have a report, keep the samples")]
    run = shlex.quote(output_path)
    return [
        Step(f"pixfound report {run}", "scores with intervals, pictures, failures"),
        Step(f"pixfound check {run} --require 'TASK.METRIC>=FRACTION'", "a requirement for continuous integration"),
        Step(f"pixfound compare OTHER_RUN {run}", "what changed since another run"),
    ]


def after_report(runs: Sequence[Path], summaries: Sequence[Summary]) -> list[Step]:
    """Returns what to do after a report on these runs, beside opening its page."""
    all_runs = " ".join(shlex.quote(str(run)) for run in runs)
    return [
        _comparison(runs, summaries),
        Step(f"pixfound report {all_runs} --table latex", "the scores as a table for a paper"),
    ]


def _comparison(runs: Sequence[Path], summaries: Sequence[Summary]) -> Step:
    shows, first = "differences with intervals", shlex.quote(str(runs[0]))
    models = list(dict.fromkeys(each.model for each in summaries))
    if len(runs) > 1:
        return Step(f"pixfound compare {first} {shlex.quote(str(runs[1]))}", shows)
    if len(models) > 1:
        names = f"--model-a {shlex.quote(models[0])} --model-b {shlex.quote(models[1])}"
        return Step(f"pixfound compare {first} {first} {names}", shows)
    return Step(f"pixfound compare OTHER_RUN {first}", "what changed since another run")
