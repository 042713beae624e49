"""Models beside each other: scores by pattern, emergence, and differences that are those of `pixfound compare`."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from known_run import IDS, ground_sample, grounded_at, vqa_sample, write
from two_runs import compared, write_five_pairs_apart
from typer.testing import CliRunner

from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.cli import app as command
from pixfound_tasks.report.narrative import headline, sees_more
from pixfound_tasks.report.side_by_side import Cell, curves, side_by_side
from pixfound_tasks.runs.compare.comparison import Difference
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.summary import summarize


@pytest.fixture
def two(tmp_path):
    """The first model finds the object in its first phrase, the second in its fourth, and answers the first four."""
    first = write(
        tmp_path / "a", vqa=map(vqa_sample, IDS), ground=[ground_sample(id, grounded_at(0), 1.0) for id in IDS]
    )
    second = write(
        tmp_path / "b",
        vqa=[vqa_sample(id, int(id) < 5) for id in IDS],
        ground=[ground_sample(id, grounded_at(3), 0.0) for id in IDS],
    )
    runs = read_runs(first, second)
    return runs, [summarize(run) for run in runs]


def test_scores_by_pattern(two):
    """Images 1 to 4 are of "Text"; the second model answers these and no others, and selects the wrong phrase."""
    (side,) = side_by_side(*two)
    heats = {
        heat.measure: {name: [cell.value for cell in cells] for name, _, cells in heat.rows} for heat in side.heats
    }
    assert heats == {
        "miou": {"Text": [1, 0], "Color and Appearance": [1, 0]},
        "accuracy": {"Text": [1, 1], "Color and Appearance": [1, 0]},
        "both_right": {"Text": [1, 0], "Color and Appearance": [1, 0]},
    }
    assert [(name, images) for name, images, _ in side.heats[0].rows] == [("Color and Appearance", 8), ("Text", 4)]


@pytest.mark.parametrize(("value", "shade"), [(0.0, 0), (0.04, 0), (0.56, 6), (1.0, 10), (float("nan"), None)])
def test_shades(value, shade):
    assert Cell(value).shade == shade


def test_curves_of_all_models_in_one_plot(two):
    """The first model's curve is 1 from the first token on, the second's from the fourth phrase, at token 6 of 10."""
    _, summaries = two
    (axes,) = curves(summaries).figure.axes
    first, second = (line.get_ydata() for line in axes.lines if len(line.get_ydata()) > 2)
    assert set(first) == {100}
    assert second[11] == 0 and second[12] == 100  # parts of half a token
    names = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert [name[-3:] for name in names] == ["(a)", "(b)"] and all(len(name) <= 44 for name in names)
    assert curves(summaries[:1]) is None


def test_which_model_sees_most_is_said_first(two):
    """The first model's masks are all right, and the second's all wrong, so that no interval is known."""
    runs, summaries = two
    for order in ((0, 1), (1, 0)):
        of = [summaries[index] for index in order]
        (side,) = side_by_side([runs[index] for index in order], of)
        said = "The mean IoU of model (a) is 100.0 points above that of model (b), on the same images."
        assert sees_more(of, side.pairs) == said
    assert sees_more(summaries, ()) == ""


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (
            Interval(-0.1, -0.3, 0.1, 6),
            "Which model sees most is open: the mean IoU of model (a) is 10.0 points (-10.0 to 30.0)",
        ),
        (Interval(-0.2, -0.3, -0.1, 6), "model (a) sees most: its mean IoU is 20.0 points (10.0 to 30.0)"),
    ],
)
def test_a_difference_that_may_be_chance_leaves_it_open(two, effect, said):
    _, summaries = two
    pairs = [(0, 1, SimpleNamespace(differences=[Difference("grounding", 0.6, 0.5, effect, 0.2, "")]))]
    assert sees_more(summaries, pairs) == f"{said} above that of model (b), on the same images."


def test_where_a_model_sees_least(two):
    """A pattern of too few images for an interval is not named."""
    _, (summary, _) = two
    intervals = {
        "Text": Interval(0.4, 0.2, 0.6, 9),
        "Color": Interval(0.5, 0.3, 0.7, 9),
        "Few": Interval(0.1, math.nan, math.nan, 1),
    }
    rows = [SimpleNamespace(kind="pattern", name=name, intervals={"miou": of}) for name, of in intervals.items()]
    said = headline(replace(summary, patterns=tuple(rows)))
    name = "\N{LEFT DOUBLE QUOTATION MARK}Text\N{RIGHT DOUBLE QUOTATION MARK}"
    assert said.endswith(f" It sees least in the visual pattern {name}: 40.0 % (20\N{EN DASH}60).")
    assert "It sees least" not in headline(replace(summary, patterns=tuple(rows[:1])))


def test_one_model_has_nobody_beside_it(two):
    runs, summaries = two
    assert side_by_side(runs[:1], summaries[:1]) == []


def test_differences_are_those_of_compare(tmp_path):
    folders = write_five_pairs_apart(tmp_path)
    runs = read_runs(*folders)
    (side,) = side_by_side(runs, [summarize(run) for run in runs])
    ((first, second, found),) = side.pairs
    assert (first, second) == (0, 1)
    expected = compared(*folders)["differences"]
    assert [each.score for each in found.differences] == [each["score"] for each in expected]
    for each, other in zip(found.differences, expected):
        values = [math.nan if other[name] is None else other[name] for name in ("effect", "low", "p_adjusted")]
        assert [each.effect.value, each.effect.low, each.p_adjusted] == pytest.approx(values, nan_ok=True)
    done = CliRunner().invoke(command.app, ["report", *map(str, folders)])
    assert done.exit_code == 0, done.output
    page = (folders[0] / "report" / "index.html").read_text()
    assert "-30.0" in page and "on 20 images that both have" in page  # 7 of 10 pairs, then 4
    assert len(json.loads((folders[0] / "report" / "report.json").read_text())) == 2
