"""The plot of how well the phrases so far cover the object, along the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from pixfound_tasks.report.formats import is_measured
from pixfound_tasks.report.plot_style import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from pixfound_tasks.analysis.curves import Band
    from pixfound_tasks.analysis.emergence import Emergence


class _Course(NamedTuple):
    """A curve along the answer: its band, its color, and what its values are."""

    band: Band
    color: str
    title: str
    values: str


def _courses(when: Emergence) -> list[_Course]:
    """The curves of images with and without the object, which differ in what they measure."""
    both = (
        _Course(when.curve, BLUE, "Object present", "best IoU so far"),
        _Course(when.absent_curve, ORANGE, "Object absent", "image covered so far"),
    )
    return [each for each in both if each.band.images.any()]


def draw_curves(when: Emergence) -> Figure:
    """Draws one panel for images with the object, whose values are IoUs, and one for those without, which are areas."""
    courses = _courses(when)
    figure = Figure((5.2 if len(courses) == 1 else 7.2, 2.8), layout="constrained")
    for axes, course in zip(figure.subplots(1, len(courses), squeeze=False).flat, courses):
        band = course.band
        places = (np.arange(len(band.mean)) + 1) / len(band.mean) * 100
        axes.fill_between(
            places, 100 * band.lower, 100 * band.upper, color=course.color, alpha=0.18, linewidth=0, label="quartiles"
        )
        axes.plot(places, 100 * band.mean, color=course.color, label="mean")
        if course.band is when.curve and is_measured(when.present_chance):
            axes.axhline(100 * when.present_chance, color=GREY, linestyle="--", label="as many random points")
        axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="percent of the answer's tokens", ylabel=f"{course.values}, %")
        axes.set_title(f"{course.title} ({band.images.max()} images)")
        axes.legend(loc="best", fontsize=7)
    return figure


def curve_caption(when: Emergence) -> str:
    """Says what is drawn, and where a mean lies outside the quartiles, since few images then decide it."""
    said = ["The phrases so far, along the answer, in separate panels because an IoU and an area are not comparable."]
    for course in _courses(when):
        for beyond, side, most in (
            (course.band.mean > course.band.upper, "above the upper", "below"),
            (course.band.mean < course.band.lower, "below the lower", "above"),
        ):
            if beyond.any():
                where = f"in {beyond.sum()} of {len(beyond)} parts the mean lies {side} quartile"
                said.append(f"{course.title}: {where}, so at least three quarters of the images are {most} it.")
    return " ".join(said)
