"""Several models side by side, per benchmark: outcomes, scores by pattern, emergence, and paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.report.formats import KIND_NAMES, is_measured, one_line
from pixfound_tasks.report.plot_style import STYLE
from pixfound_tasks.report.plots import Plot
from pixfound_tasks.runs.breakdown import BreakdownRow
from pixfound_tasks.runs.compare.comparison import RunComparison, compare_runs
from pixfound_tasks.runs.progress import Track, untracked
from pixfound_tasks.runs.run import Run, RunError
from pixfound_tasks.runs.summary import Summary

_MOST_PAIRS = 45  # of models that are compared: those of the first ten
_LONGEST = 44  # characters of a model's name in the legend
_SHADES = 10  # the highest shade of a heat table
_LOOKS = (("#3b6fa5", "-"), ("#d55e00", "--"), ("#0b7a6b", "-."), ("#7b3294", ":"), ("#8a6d00", (0, (5, 1, 1, 1))))


@dataclass(frozen=True)
class Cell:
    """A fraction in 0..1 of a heat table, NaN if it was not measured, and its shade, from 0 to `_SHADES`."""

    value: float
    interval: Interval | None = None

    @property
    def shade(self) -> int | None:
        return round(_SHADES * min(max(self.value, 0.0), 1.0)) if is_measured(self.value) else None


@dataclass(frozen=True)
class Heat:
    """One measure by pattern, source or task (`kind`): rows are (name, images, one cell per model)."""

    measure: str
    title: str
    kind: str
    rows: tuple[tuple[str, int, tuple[Cell, ...]], ...]


@dataclass(frozen=True)
class Sides:
    """The models on one benchmark. `runs` are indices of all runs of the report, and `pairs` two of these each."""

    benchmark: str
    runs: tuple[int, ...]
    heats: tuple[Heat, ...]
    curves: Plot | None
    pairs: tuple[tuple[int, int, RunComparison], ...]


def side_by_side(runs: Sequence[Run], summaries: Sequence[Summary], track: Track = untracked) -> list[Sides]:
    """Returns the comparisons of every benchmark that at least two runs are of, given one summary per run."""
    found = []
    for benchmark in dict.fromkeys(run.benchmark for run in runs):
        members = tuple(index for index, run in enumerate(runs) if run.benchmark == benchmark)
        if len(members) < 2:
            continue
        of = [summaries[index] for index in members]
        pairs = tuple(_pairs(runs, members, track))
        found.append(Sides(benchmark, members, tuple(_heats(of)), curves(of), pairs))
    return found


def _pairs(runs: Sequence[Run], members: Sequence[int], track: Track) -> Iterator[tuple[int, int, RunComparison]]:
    """Yields each pair of runs that have a document in common, with its comparison."""
    pairs = list(combinations(members, 2))[:_MOST_PAIRS]
    for first, second in track(pairs, "comparing models", len(pairs)):
        try:
            (comparison,) = compare_runs([(runs[first], runs[second])])
        except RunError:  # no document in common
            continue
        if comparison.differences:
            yield first, second, comparison


def _heats(summaries: Sequence[Summary]) -> Iterator[Heat]:
    """Yields a table per kind and measure that any model has."""
    for kind in KIND_NAMES:
        by_model = [{row.name: row for row in summary.patterns if row.kind == kind} for summary in summaries]
        names = sorted({name for rows in by_model for name in rows})
        if len(names) < 2:
            continue
        for measure, title in _MEASURES.items():
            rows = tuple(
                (name, max(row[name].images for row in by_model if name in row),
                 tuple(_cell(of.get(name), measure, summary) for of, summary in zip(by_model, summaries)))
                for name in names
            )  # fmt: skip
            if any(cell.shade is not None for _, _, cells in rows for cell in cells):
                yield Heat(measure, title, kind, rows)


_MEASURES = {
    "miou": "Mean IoU",
    "accuracy": "Accuracy",
    "open_accuracy": "Accuracy of open answers",
    "both_right": "Answered and seen",
}


def _cell(row: BreakdownRow | None, measure: str, summary: Summary) -> Cell:
    if row is None:
        return Cell(float("nan"))
    if measure != "both_right":
        return Cell(getattr(row, measure), row.intervals.get(measure))
    outcomes = row.outcomes.get(summary.main_questions, {}).get("paper")
    share = outcomes.shares["both_right"] if outcomes and outcomes.total else None
    return Cell(share.value, share) if share else Cell(float("nan"))


def curves(summaries: Sequence[Summary]) -> Plot | None:
    """Draws the emergence curves of all models, and each one's random points; None if fewer than two have a curve."""
    drawn = [each for each in summaries if each.when and each.when.has_phrases and each.when.curve.images.any()]
    if len(drawn) < 2:
        return None
    with matplotlib.rc_context(STYLE):
        figure = Figure((6.4, 3.4), layout="constrained")
        axes = figure.subplots()
        for index, summary in enumerate(drawn):
            color, style = _LOOKS[index % len(_LOOKS)]
            assert summary.when is not None
            mean = 100 * summary.when.curve.mean
            places = (np.arange(len(mean)) + 1) / len(mean) * 100
            axes.plot(places, mean, color=color, linestyle=style, linewidth=1.8, label=_short(summary.model))
            if is_measured(chance := summary.when.present_chance):
                axes.plot([100, 103], [100 * chance] * 2, color=color, linewidth=2.5, clip_on=False)
        axes.set(
            xlim=(0, 100), ylim=(0, 100), xlabel="percent of the answer's tokens", ylabel="best IoU so far, in percent"
        )
        figure.legend(loc="outside upper center", ncols=min(len(drawn), 3), columnspacing=1)
    caption = (
        "Best IoU of the phrases so far, along the answer: means over the images with the object present. "
        "Ticks at the right edge: as many random points."
    )
    return Plot("curves", caption, figure)


def _short(model: str) -> str:
    """Makes a model's name printable, and cuts its middle out: several may differ in the folder at their end only."""
    name, half = one_line(model), _LONGEST // 2
    return name if len(name) <= _LONGEST else f"{name[:half]}\N{HORIZONTAL ELLIPSIS}{name[1 - half :]}"
