"""Prints a comparison of two runs as tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pixfound_tasks.report.console import make_console, make_table
from pixfound_tasks.report.formats import NOT_MEASURED, SCORE_NAMES, is_measured, one_line, p_value, percent
from pixfound_tasks.report.narrow_tables import print_table
from pixfound_tasks.runs.compare.comparison import Difference, RunComparison
from pixfound_tasks.runs.compare.flips import Flips, Regression
from pixfound_tasks.runs.metrics import MetricDifference

_IDS = 12  # flipped documents listed per line; the JSON has all of them
_TEXT = 34  # characters of an expression or an answer
_SETTING = 60
_ROUNDING = 1e-12


def print_comparisons(comparisons: Sequence[RunComparison], worst: int, brief: bool = False) -> None:
    """Prints all tables, with the `worst` largest falls in IoU; or, if `brief`, only that of the scores."""
    console = make_console()
    for comparison in comparisons:
        _print_scores(console, comparison)
        if not brief:
            _print_details(console, comparison, worst)
    if sum(len(comparison.differences) for comparison in comparisons) > 1:
        console.print(Text("adjusted: p-values adjusted for all scores above by Holm's method", "dim"))


def _print_scores(console: Console, comparison: RunComparison) -> None:
    left_out = f"left out: {comparison.only_first} only in the first run, {comparison.only_second} only in the second"
    console.print(Text(f"{comparison.first.benchmark}: {comparison.documents} documents compared; {left_out}", "bold"))
    for name, run in (("first", comparison.first), ("second", comparison.second)):
        console.print(Text(f"{name + ':':8}{one_line(run.model)} ({one_line(str(run.folder))})"))
    for warning in comparison.warnings:
        console.print(Text(f"Warning: {one_line(warning)}", "yellow"))
    print_table(console, _differences(comparison.differences))
    for each in comparison.differences:
        if each.effect.reason:
            console.print(Text(f"{SCORE_NAMES[each.score]}: no interval because {each.effect.reason}", "dim"))


def _print_details(console: Console, comparison: RunComparison, worst: int) -> None:
    if changed := [each for each in comparison.metrics if _differs(each)]:
        print_table(console, _metrics(changed))
    if is_equal(comparison):
        console.print(Text("no difference: all scores are equal, and every answer is correct in both runs or in none"))
    if comparison.flips:
        print_table(console, _flips(comparison.flips))
    if worst and comparison.regressions:
        print_table(console, _regressions(comparison.regressions, worst))
    if comparison.settings:
        print_table(console, _settings(comparison))


def is_equal(comparison: RunComparison) -> bool:
    """Whether all scores of what both runs have are equal, up to rounding errors, and nothing flipped or got worse."""
    compared: list[Difference | MetricDifference] = [*comparison.differences, *comparison.metrics]
    if comparison.regressions or any(each.lost or each.gained for each in comparison.flips):
        return False
    return bool(compared) and all(_is_close(each.first, each.second) for each in compared)


def _is_close(first: float, second: float) -> bool:
    return abs(first - second) <= _ROUNDING or not (is_measured(first) or is_measured(second))


def _differences(differences: Sequence[Difference]) -> Table:
    headings = "second \N{MINUS SIGN} first", "95 %", "first", "second", "units", "left out", "p", "adjusted"
    table = make_table("score", *headings, "test", named=1)
    table.columns[-1].justify = "left"
    for each in differences:
        test = each.test
        if each.only_first is not None:
            test += f", {each.only_first} : {each.only_second}"
        effect = each.effect
        table.add_row(
            SCORE_NAMES[each.score],
            Text(_points(effect.value), "bold"),
            f"{_points(effect.low)} to {_points(effect.high)}" if is_measured(effect.low) else NOT_MEASURED,
            percent(each.first),
            percent(each.second),
            str(effect.units),
            str(effect.left_out),
            p_value(each.p_value),
            p_value(each.p_adjusted),
            test,
        )
    return table


def _flips(flips: Sequence[Flips]) -> Table:
    headings = "compared", "correct \N{RIGHTWARDS ARROW} incorrect", "incorrect \N{RIGHTWARDS ARROW} correct", "ids"
    table = make_table("flipped", *headings, named=1)
    table.columns[-1].justify = "left"
    for each in flips:
        ids = (f"{sign} {_ids(found)}" for sign, found in (("lost", each.lost), ("gained", each.gained)) if found)
        table.add_row(each.what, *(str(n) for n in (each.compared, len(each.lost), len(each.gained))), "; ".join(ids))
    return table


def _regressions(regressions: Sequence[Regression], worst: int) -> Table:
    headings = "expression", "change in IoU", "first", "second", "answer", "second run's response"
    table = make_table("image", *headings, named=2)
    table.columns[-1].justify = table.columns[-2].justify = "left"
    for each in regressions[:worst]:
        table.add_row(
            Text(one_line(each.id)),
            Text(one_line(each.expression, _TEXT)),
            _points(each.second_iou - each.first_iou),
            percent(each.first_iou),
            percent(each.second_iou),
            f"{_right(each.first_right)} \N{RIGHTWARDS ARROW} {_right(each.second_right)}",
            Text(one_line(each.second_text, _TEXT)),
        )
    more = len(regressions) - worst
    table.caption = f"and {more} more images whose IoU fell" if more > 0 else None
    return table


def _settings(comparison: RunComparison) -> Table:
    table = make_table("setting that differs", "first", "second", named=3)
    for each in comparison.settings:
        name = f"{one_line(each.name, _TEXT)}{' (!)' if each.matters else ''}"
        table.add_row(Text(name), *(Text(one_line(value, _SETTING)) for value in (each.first, each.second)))
    return table


def _differs(metric: MetricDifference) -> bool:
    measured = [value for value in (metric.first, metric.second) if is_measured(value)]
    return len(measured) == 1 or len(set(measured)) == 2


def _metrics(metrics: Sequence[MetricDifference]) -> Table:
    """The metrics that differ, as lmms-eval aggregated them: each over its run's own documents."""
    table = make_table("metric that differs", "second \N{MINUS SIGN} first", "first", "second", named=1)
    for each in metrics:
        values = (_points(each.difference), percent(each.first), percent(each.second))
        table.add_row(Text(f"{each.task}.{each.metric}"), *values)
    return table


def _ids(ids: Sequence[str]) -> str:
    more = len(ids) - _IDS
    return one_line(" ".join(ids[:_IDS])) + (f" and {more} more" if more > 0 else "")


def _points(change: float) -> str:
    """Formats the change of a fraction in percentage points, with its sign."""
    return f"{100 * change:+.1f}" if is_measured(change) else NOT_MEASURED


def _right(correct: bool | None) -> str:
    return NOT_MEASURED if correct is None else "correct" if correct else "incorrect"
