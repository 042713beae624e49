"""The report's plots, as matplotlib figures. The page embeds the same plots that are written as files.

Text from models and data is drawn literally and is never parsed as a formula.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from pixfound_tasks.analysis.concept_agreement import CONCEPTS
from pixfound_tasks.analysis.sensitivity import ALL
from pixfound_tasks.benchmarks.benchmark import Benchmark, Emerged
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.report.curve_plot import curve_caption, draw_curves
from pixfound_tasks.report.formats import OUTCOME_NAMES, TASK_NAMES, is_measured, one_line
from pixfound_tasks.report.plot_style import BLUE, GREY, INK, ORANGE, STYLE
from pixfound_tasks.runs.summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pixfound_tasks.analysis.emergence import Emergence
    from pixfound_tasks.analysis.evidence import Evidence, Rates
    from pixfound_tasks.analysis.intervals import Interval
    from pixfound_tasks.analysis.sensitivity import Sensitivity

# They differ in lightness and in pattern, for readers who do not tell the hues apart.
_OUTCOME_LOOKS = dict(
    zip(
        OUTCOME_NAMES,
        (("#08765f", "", "w"), ("#7fb7e6", "//", INK), ("#f0c04c", "\\\\", INK), ("#6e1f40", "..", "w")),
    )
)
_BESIDE = ("-", "--", ":")  # lines of the models that are drawn beside a run
_LONGEST = 60  # characters of a name


class Plot(NamedTuple):
    """A figure, the name of its files, and a caption."""

    name: str
    caption: str
    figure: Figure


def plots(summary: Summary) -> list[Plot]:
    """Draws the plots for which the summary has values."""
    with matplotlib.rc_context(STYLE):
        return list(_plots(summary))


def _plots(summary: Summary) -> Iterator[Plot]:
    if summary.failures:
        yield Plot("outcomes", "The four outcomes of answering and grounding.", _outcomes(summary))
    if summary.when and summary.when.has_phrases:
        yield from _emergence(summary.when, get_benchmark(summary.benchmark))
    for task, found in summary.sensitivity.items():
        of = TASK_NAMES.get(task.removesuffix("_lite"), task)
        yield Plot(task, f"Scores under variations of the {of}.", _sensitivity(found))
    if summary.evidence and summary.evidence.found.overall.documents:
        caption = "Answers that change if the target region, or an equal region elsewhere, is masked."
        yield Plot("evidence", caption, _evidence(summary.evidence.found))


def svg(figure: Figure) -> bytes:
    """Returns a figure as SVG; the same figure gives the same bytes."""
    return _saved(figure, "svg", metadata={"Date": None})


def png(figure: Figure) -> bytes:
    """Returns a figure as PNG, at 200 dots per inch."""
    return _saved(figure, "png", dpi=200)


def _saved(figure: Figure, kind: str, dpi: int | None = None, metadata: dict[str, None] | None = None) -> bytes:
    file = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(file, format=kind, bbox_inches="tight", dpi=dpi, metadata=metadata)
    return file.getvalue()


def _figure(height: float, width: float = 5.2) -> tuple[Figure, Axes]:
    figure = Figure((width, height), layout="constrained")
    return figure, figure.subplots()


def plain(text: str) -> str:
    """Makes untrusted text printable and cuts it to `_LONGEST` characters."""
    return one_line(text, _LONGEST)


def _outcomes(summary: Summary) -> Figure:
    """Draws one stacked bar of fractions per kind of question and rule."""
    bars = [
        (f"{asked}, {rule}", found) for asked, by_rule in summary.failures.items() for rule, found in by_rule.items()
    ]
    figure, axes = _figure(0.75 + 0.42 * len(bars))
    for place, (_, found) in enumerate(bars):
        left = 0.0
        for name, count in found.counts.items():
            share = 100 * count / max(found.total, 1)
            color, hatch, ink = _OUTCOME_LOOKS[name]
            label = None if place else OUTCOME_NAMES[name]
            axes.barh(place, share, 0.7, left, color=color, hatch=hatch, edgecolor="white", linewidth=0, label=label)
            if share > 4:
                axes.text(
                    left + share / 2, place, str(count), ha="center", va="center", color=ink, backgroundcolor=color
                )
            left += share
    axes.set(xlim=(0, 100), xlabel=f"percent of {summary.unit}")
    axes.set_yticks(range(len(bars)), [name for name, _ in bars])
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=4, columnspacing=1, handlelength=1, handletextpad=0.4)
    return figure


def _emergence(when: Emergence, benchmark: Benchmark) -> Iterator[Plot]:
    beside = f" The lines are {benchmark.emerged_source}." if benchmark.emerged else ""
    if any(when.token_bins):
        yield Plot(
            "location_tokens", "Position in the answer at which the best phrase begins, by tokens.",
            _location(when.token_bins, when.intervals.median_location, "tokens"),
        )  # fmt: skip
    yield Plot(
        "location_characters", f"Position in the answer at which the best phrase begins, by characters.{beside}",
        _location(when.location_bins, when.intervals.median_char_location, "characters", benchmark.emerged),
    )  # fmt: skip
    if any(when.concepts.values()):
        caption = f"What the best phrases are about, by {plain(when.classified_by)}.{beside}"
        yield Plot("concepts", caption, _concepts(when, benchmark.emerged))
    if when.curve.images.any():
        yield Plot("curve", curve_caption(when), draw_curves(when))


def _location(bins: Sequence[int], median: Interval, unit: str, beside: Sequence[Emerged] = ()) -> Figure:
    """Draws a histogram, its level if all places were equal, and those of other models, scaled to as many images."""
    figure, axes = _figure(2.7 + 0.2 * bool(beside))
    axes.bar(np.arange(len(bins)) * 10 + 5, bins, 9, color=BLUE)
    axes.axhline(sum(bins) / len(bins), color=ORANGE, linestyle=(0, (5, 3)), label="equal in all tenths")
    for other, style in zip(beside, _BESIDE):
        scale = sum(bins) / sum(other.tenths)
        axes.stairs(np.array(other.tenths) * scale, np.arange(11) * 10, color=INK, linestyle=style, label=other.model)
    figure.legend(loc="outside upper center", ncols=2, columnspacing=1)
    if is_measured(median.value):
        axes.axvline(100 * median.value, color=INK, linewidth=1)
        axes.text(100 * median.value, 1.0, " median", transform=axes.get_xaxis_transform(), va="bottom", fontsize=8)
    if is_measured(median.low):
        axes.axvspan(100 * median.low, 100 * median.high, color=INK, alpha=0.12, linewidth=0)
    axes.set(xlim=(0, 100), xlabel=f"percent of the answer's {unit}", ylabel="images")
    axes.set_xticks(range(0, 101, 20))
    return figure


def _concepts(when: Emergence, beside: Sequence[Emerged] = ()) -> Figure:
    figure, axes = _figure(2.4 + 0.3 * bool(beside))
    shares = [when.intervals.concepts[name] for name in CONCEPTS]
    _bars(axes, list(CONCEPTS), shares, BLUE)
    for other, marker in zip(beside, "oDs"):
        values = [100 * other.concepts[name] / sum(other.concepts.values()) for name in CONCEPTS]
        axes.plot(values, range(len(values)), marker, color=INK, fillstyle="none", markersize=5, label=other.model)
    if beside:
        figure.legend(loc="outside upper center", ncols=len(beside), columnspacing=1)
    axes.set_xlabel("percent of best phrases, with 95 % intervals")
    return figure


def _bars(
    axes: Axes, names: Sequence[str], shares: Sequence[Interval], color: str, offset: float = 0, label: str = ""
) -> None:
    """Draws horizontal bars of fractions in percent, with intervals as lines."""
    height = 0.38 if label else 0.68
    for place, share in enumerate(shares):
        if not is_measured(share.value):
            continue
        axes.barh(place + offset, 100 * share.value, height, color=color, label=None if place else label or None)
        if is_measured(share.low):
            axes.plot([100 * share.low, 100 * share.high], [place + offset] * 2, color=INK, linewidth=1)
    axes.set_yticks(range(len(names)), list(map(plain, names)))
    axes.set_ylim(len(names) - 0.5, -0.5)


def _sensitivity(found: Sequence[Sensitivity]) -> Figure:
    """Draws one row per type: the score of each variation, their mean with its interval, and the original's score."""
    types = [each for each in found if each.type != ALL]
    figure, axes = _figure(0.9 + 0.45 * len(types))
    for place, each in enumerate(types):
        axes.plot(100 * np.array(each.scores), [place] * len(each.scores), "o", color=BLUE, alpha=0.45, markersize=5,
                  label=None if place else "a variation")  # fmt: skip
        if is_measured(each.mean.low):
            axes.plot([100 * each.mean.low, 100 * each.mean.high], [place + 0.22] * 2, color=BLUE, linewidth=1.5)
        axes.plot(100 * each.mean.value, place + 0.22, "D", color=BLUE, markersize=5, label=None if place else "mean")
        axes.plot([100 * each.original] * 2, [place - 0.35, place + 0.35], color=ORANGE, linewidth=2,
                  label=None if place else "original")  # fmt: skip
    axes.set_yticks(range(len(types)), [plain(each.type.replace("_", " ")) for each in types])
    axes.set(xlim=(0, 100), xlabel="score in percent, means with 95 % intervals", ylim=(len(types) - 0.5, -0.5))
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def _evidence(found: Evidence) -> Figure:
    rows: dict[str, Rates] = {"all": found.overall, **found.by_pattern}
    figure, axes = _figure(0.9 + 0.42 * len(rows))
    names = [f"{name} ({rates.documents})" for name, rates in rows.items()]
    _bars(axes, names, [rates.evidence for rates in rows.values()], BLUE, -0.2, "target region masked")
    _bars(axes, names, [rates.control for rates in rows.values()], GREY, 0.2, "equal region elsewhere masked")
    axes.set(xlim=(0, 100), xlabel="percent of answers that change, with 95 % intervals")
    figure.legend(loc="outside upper center", ncols=2)
    return figure
