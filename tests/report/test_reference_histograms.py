"""The study's Figure 6 beside a run's own histograms."""

from __future__ import annotations

import pytest

from pixfound_tasks.analysis.concepts import CONCEPTS
from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.report.plots import _location


def test_the_histograms_are_of_the_images_with_the_object():
    emerged = get_benchmark("pixmmvp").emerged
    assert [each.model for each in emerged] == ["LLaVA-1.5 7B", "LLaVA-1.5 13B", "Cambrian-1 8B"]
    for each in emerged:
        assert set(each.concepts) == set(CONCEPTS) and sum(each.tenths) == pytest.approx(247, abs=5)
    assert not get_benchmark("pixcvbench").emerged


def test_they_are_scaled_to_as_many_images_as_the_run_has():
    (first, *_) = emerged = get_benchmark("pixmmvp").emerged
    figure = _location((1,) * 10, Interval(0.5, 0.4, 0.6, 10), "characters", emerged)
    drawn = [patch for patch in figure.axes[0].patches if type(patch).__name__ == "StepPatch"]
    assert len(drawn) == 3 and drawn[0].get_data().values.sum() == pytest.approx(10)
    assert drawn[0].get_data().values[0] == pytest.approx(10 * first.tenths[0] / sum(first.tenths))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["equal in all tenths", *(each.model for each in emerged)]
