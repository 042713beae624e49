"""The report's plots say what they measure, and maps look the same everywhere."""

from __future__ import annotations

import re
from types import SimpleNamespace

import cv2
import matplotlib
import numpy as np
import pytest
from places import REPOSITORY

from pixfound_tasks import heat
from pixfound_tasks.analysis.curves import band
from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.report.curve_plot import curve_caption, draw_curves
from pixfound_tasks.report.plots import _location

SCRIPTS = REPOSITORY / "pixfound_tasks" / "report" / "html"


def courses(present, absent=()):
    return SimpleNamespace(curve=band(present), absent_curve=band(absent), present_chance=0.2)


def test_ious_and_areas_are_in_panels_of_their_own():
    figure = draw_curves(courses([[0.2, 0.4], [0.4, 0.8]], [[0.1, 1.0]]))
    assert [axes.get_ylabel() for axes in figure.axes] == ["best IoU so far, %", "image covered so far, %"]
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == [
        "Object present (2 images)", "Object absent (1 images)"
    ]  # fmt: skip
    (mean, chance), (covered,) = (axes.lines for axes in figure.axes)
    assert mean.get_ydata() == pytest.approx([30, 60]) and covered.get_ydata() == pytest.approx([10, 100])
    assert chance.get_ydata()[0] == pytest.approx(20)
    assert len(draw_curves(courses([[0.2, 0.4]])).axes) == 1


def test_a_mean_outside_the_quartiles_is_said():
    """Of ten images one reaches 1 and the others nothing: the mean is 0.1, the upper quartile 0."""
    rare = [[0.0, 1.0], *[[0.0, 0.0]] * 9]
    assert curve_caption(courses(rare)).endswith(
        "Object present: in 1 of 2 parts the mean lies above the upper quartile, so at least three quarters of the "
        "images are below it."
    )
    frequent = [[1.0, 0.0], *[[1.0, 1.0]] * 9]
    assert "below the lower quartile" in curve_caption(courses([[0.5, 0.5]], frequent))
    assert "quartile" not in curve_caption(courses([[0.2, 0.4], [0.4, 0.8]]))


def test_locations_have_a_uniform_baseline():
    figure = _location((9, 1, 0, 0, 0, 0, 0, 0, 0, 0), Interval(0.05, 0.01, 0.1, 10), "tokens")
    baseline = next(line for line in figure.axes[0].lines if line.get_label() == "equal in all tenths")
    assert list(baseline.get_ydata()) == [1, 1]
    assert "equal in all tenths" in [text.get_text() for text in figure.legends[0].get_texts()]


def constant(name, text):
    return re.search(rf"const {name} = (.*?);", text, re.DOTALL)[1]


def rgb(color):
    return [int(color[at : at + 2], 16) for at in (1, 3, 5)]


def test_the_page_draws_maps_as_python_does():
    script = (SCRIPTS / "maps.js").read_text(encoding="utf-8")
    assert float(constant("DIM", script)) == heat.DIM and float(constant("HEAT_ALPHA", script)) == heat.HEAT_ALPHA
    steps = [rgb(color) for color in re.findall(r"#\w{6}", constant("HEAT", script))]
    colors = matplotlib.colormaps[heat.COLORS](np.linspace(0, 1, len(steps)))[:, :3] * 255
    assert np.abs(np.array(steps) - colors).max() < 2


def test_an_overlay_dims_the_image_and_brightens_the_peak():
    """Over white: no attention leaves half of it, and the peak is inferno's last color but for 9 % of white."""
    values = np.zeros((448, 448), np.float32)
    values[100, 100], values[200, 200] = 2.0, np.nan
    overlay = np.asarray(heat.map_overlay(values, heat.Scale(0.0, 2.0)), np.float64)
    alpha = overlay[..., 3:] / 255
    over_white = overlay[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(over_white[0, 0] - 127.5).max() < 1
    last = np.array(matplotlib.colormaps["inferno"](1.0)[:3]) * 255
    expected = last * heat.HEAT_ALPHA + 127.5 * (1 - heat.HEAT_ALPHA)
    assert np.abs(over_white[100, 100] - expected).max() < 1.5
    assert over_white[200, 200].max() < over_white[0, 0].min()


def test_small_maps_have_no_visible_pixels():
    """A step of eight tokens across becomes a slope: neighbors differ by far less than tokens do."""
    overlay = np.asarray(heat.map_overlay(np.tile(np.repeat([0.0, 1.0], 4), (8, 1)), heat.Scale(0, 1)), np.int64)
    assert overlay.shape[:2] == (448, 448)
    assert np.abs(np.diff(overlay[..., 0], axis=1)).max() < 40 < np.ptp(overlay[..., 0])


def lab(color):
    return cv2.cvtColor(np.float32([[rgb(color)]]) / 255, cv2.COLOR_RGB2LAB)[0, 0]


def test_outlines_of_candidates_stand_out_from_maps_and_other_outlines():
    """A difference of 40 in CIELAB is unmistakable; the nearest step of inferno is further away."""
    inks = dict(re.findall(r'(\w+): \{ color: "(#\w{6})"', (SCRIPTS / "masks.js").read_text(encoding="utf-8")))
    steps = re.findall(r"#\w{6}", constant("HEAT", (SCRIPTS / "maps.js").read_text(encoding="utf-8")))
    others = [inks["truth"], inks["prediction"], *steps]
    assert min(np.linalg.norm(lab(inks["candidate"]) - lab(other)) for other in others) > 40
    style = (SCRIPTS / "page.css").read_text(encoding="utf-8")
    assert f"--candidate: {inks['candidate']}" in style
