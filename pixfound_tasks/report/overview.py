"""What the first screen of the page shows: all models as answering against grounding, and two images of each.

The map of scores has one mark with its intervals per model and benchmark, over the contour lines of S, the harmonic
mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from pixfound_tasks import masks
from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.report.formats import is_measured
from pixfound_tasks.report.plot_style import STYLE
from pixfound_tasks.report.plots import Plot, plain
from pixfound_tasks.runs.run import Record, Run
from pixfound_tasks.runs.scores import Protocol, is_correct
from pixfound_tasks.runs.summary import Summary

_CONTOURS = np.arange(20, 100, 20)  # percent
_MARKS = "osD^vP*X"
_COLORS = ("#3b6fa5", "#d55e00", "#0b7a6b", "#7b3294", "#8a6d00")


class Example(NamedTuple):
    """An image that shows something of a run: what, and the image's id."""

    caption: str
    id: str


def score_map(summaries: Sequence[Summary]) -> Plot | None:
    """Draws A against M in percent, with 95 % intervals; None if no run has both."""
    both = [
        (summary, answering, grounding)
        for summary in summaries
        if (answering := _measured(summary, "answering", "open_answering"))
        and (grounding := _measured(summary, "grounding", "open_grounding"))
    ]
    if not both:
        return None
    with matplotlib.rc_context(STYLE):
        figure = Figure((4.6, 4.4), layout="constrained")
        axes = figure.subplots()
        _draw_contours(axes)
        for index, (summary, answering, grounding) in enumerate(both):
            x, y = 100 * answering.value, 100 * grounding.value
            axes.errorbar(
                x, y, _bar(grounding), _bar(answering), fmt=_MARKS[index % len(_MARKS)], markersize=8,
                color=_COLORS[index % len(_COLORS)], capsize=2, label=plain(f"{summary.model}, {summary.benchmark}"),
            )  # fmt: skip
        axes.set(
            xlim=(0, 102), ylim=(0, 102), aspect="equal", xlabel="A: correctly answered, in percent",
            ylabel="M: mean IoU, in percent",
        )  # fmt: skip
        figure.legend(loc="outside lower center", ncols=1 if len(both) > 2 else len(both))
    return Plot("scores", "Answering (A) against grounding (M), with 95 % intervals. Lines: equal S.", figure)


def _draw_contours(axes: Any) -> None:
    """Draws the lines of equal harmonic mean, each with its value above the plot."""
    x = np.linspace(0.1, 102, 400)
    for level in _CONTOURS:
        beyond = x > level / 2 + 0.5
        y = level * x[beyond] / (2 * x[beyond] - level)
        axes.plot(x[beyond], y, color="#c9ced4", linewidth=0.8, zorder=0)
        top = 102 * level / (2 * 102 - level)  # where the line leaves the plot, and few models are
        axes.text(top, 103, f"S {level}", ha="center", va="bottom", fontsize=7, color="#5b6470")


def _measured(summary: Summary, *names: str) -> Interval | None:
    found = (summary.intervals.get(name) for name in names)
    return next((each for each in found if each and is_measured(each.value)), None)


def _bar(interval: Interval) -> list[list[float]] | None:
    """The two lengths of an error bar in percent; None without an interval."""
    if not is_measured(interval.low):
        return None
    return [[100 * max(interval.value - interval.low, 0)], [100 * max(interval.high - interval.value, 0)]]


def examples(run: Run) -> list[Example]:
    """Chooses the images that show a run best: a success, and the most telling failure.

    The success is a correct answer with the highest IoU. The failure is a correct answer with the lowest IoU or, if
    there is none below 0.5, an incorrect answer with the highest IoU above 0.5. Images without the object are left out.
    """
    field: Protocol = "vqa" if any(record.vqa for record in run.records) else "open"
    seen = [record for record in run.records if _is_complete(record, field)]
    right = [record for record in seen if is_correct(record, field)]
    chosen = []
    if right and _iou(best := max(right, key=_iou)) > 0.5:
        chosen.append(Example("Answered and seen", best.document.id))
    wrong = [record for record in seen if not is_correct(record, field)]
    if right and _iou(worst := min(right, key=_iou)) <= 0.5:
        chosen.append(Example("Answered, not seen", worst.document.id))
    elif wrong and _iou(lost := max(wrong, key=_iou)) > 0.5:
        chosen.append(Example("Seen, not answered", lost.document.id))
    return chosen


def _is_complete(record: Record, field: Protocol) -> bool:
    return bool(getattr(record, field) and record.grounding and record.document.expression) and not _is_absent(record)


def _is_absent(record: Record) -> bool:
    return masks.area(record.document.mask) == 0


def _iou(record: Record) -> float:
    return record.grounding.iou if record.grounding else 0.0
