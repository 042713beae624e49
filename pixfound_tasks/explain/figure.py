"""An explanation as one figure: the answer, the selected masks, and one row per noun phrase.

Lengths are in inches. Heights count down from 0 at the top. The figure is cropped to its content when it is saved.
"""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from pixfound_tasks import heat
from pixfound_tasks.explain import overlays, wording
from pixfound_tasks.explain.explanation import Explanation
from pixfound_tasks.explain.wording import shortened
from pixfound_tasks.masks import Rle
from pixfound_tasks.report.console import printable

MOST_PHRASES = 24  # rows in a figure; a taller figure exceeds what viewers can show
_LONGEST = 1200  # characters of any text
_PANEL, _GAP, _TITLES, _LINE, _SPACE = 2.3, 0.14, 0.5, 0.22, 0.07
_INK, _SOFT = "#1b1f24", "#5b6470"


class _Panel(NamedTuple):
    """The image under an overlay, with the points of some phrases."""

    title: str
    overlay: Image.Image | None = None
    points: tuple[int, ...] = ()
    frame: str = "#c9ced5"
    is_taken: bool = False


def write_figure(explanation: Explanation, path: Path) -> None:
    """Writes the figure as PNG, and creates its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Characters that the font does not have are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        draw(explanation).savefig(path, format="png", bbox_inches="tight", pad_inches=0.2)


def draw(explanation: Explanation) -> Figure:
    """Draws the figure, as wide as its longest row of panels. It shows at most the first `MOST_PHRASES` phrases."""
    phrases = range(min(len(explanation.phrases), MOST_PHRASES))
    rows = [list(_overview(explanation)), *(list(_of_phrase(explanation, index)) for index in phrases)]
    width = max(4, *map(len, rows)) * (_PANEL + _GAP) - _GAP
    figure = Figure(figsize=(width, 1), dpi=150)
    FigureCanvasAgg(figure)
    height = _write(figure, 0, explanation.expression, size=17, weight="bold")
    asked = f"{explanation.provenance['model']} on {explanation.provenance['picture']}: {explanation.prompt}"
    height = _write(figure, height, asked, color=_SOFT)
    height = _write_answer(figure, height + 0.08, explanation) + 0.08
    height = _write(figure, height, wording.verdict(explanation), weight="bold")
    for said in (wording.judgement(explanation), wording.true_mask(explanation)):
        height = _write(figure, height, said, color=_SOFT) if said else height
    for row in rows:
        height = _add_row(figure, height, explanation, row)
    if phrases:
        height = _add_color_bar(figure, height, explanation)
    if len(phrases) < len(explanation.phrases):
        _write(figure, height + _LINE, f"and {len(explanation.phrases) - len(phrases)} more phrases", color=_SOFT)
    return figure


def _overview(explanation: Explanation) -> Iterator[_Panel]:
    points = tuple(i for i, each in enumerate(explanation.phrases) if each.phrase.point)
    yield _Panel("Points of the phrases", points=points)
    for taken in wording.taken(explanation):
        yield _Panel(
            f"{taken.title}: {taken.note}",
            _mask(explanation, taken.mask, taken.color),
            is_taken=taken.label == "selected",
        )


def _of_phrase(explanation: Explanation, index: int) -> Iterator[_Panel]:
    found = explanation.phrases[index]
    color = wording.color_of(index).ground
    similarity = "" if found.phrase.similarity is None else f"similarity {found.phrase.similarity:.2f}"
    name = shortened(f"{index + 1}  {found.phrase.text}", 32)
    overlay = heat.map_overlay(found.map, heat.common_scale([each.map for each in explanation.phrases]))
    yield _Panel(f"{name}\n{similarity}", overlay, (index,) if found.phrase.point else (), color)
    for number, candidate in enumerate(found.phrase.candidates):
        labels = wording.labels(explanation, index, number)
        said = ", ".join(wording.LABELS[label] for label in labels)
        title = f"Mask {number + 1}{f' ({said})' if said else ''}\n{wording.measured(explanation, index, number)}"
        yield _Panel(title, _mask(explanation, candidate.mask, color), is_taken="selected" in labels)


def _mask(explanation: Explanation, mask: Rle | None, color: str) -> Image.Image:
    return overlays.mask_overlay(mask, overlays.shown_size(explanation.image), color)


def _add_row(figure: Figure, top: float, explanation: Explanation, row: Sequence[_Panel]) -> float:
    """Draws panels side by side below `top`, and returns the height at which they end."""
    height, width = overlays.shown_size(explanation.image)
    tall = _PANEL * min(height / width, 2)
    method = Image.Resampling.NEAREST if overlays.is_drawing(explanation.image) else Image.Resampling.LANCZOS
    picture = np.asarray(explanation.image.resize((width, height), method))
    end = top + _TITLES + tall
    for column, panel in enumerate(row):
        left, whole = column * (_PANEL + _GAP), figure.get_figwidth()
        axes = figure.add_axes((left / whole, 1 - end, _PANEL / whole, tall))
        axes.imshow(picture, extent=(0, width, height, 0))
        if panel.overlay:
            axes.imshow(np.asarray(panel.overlay), extent=(0, width, height, 0))
        for index in panel.points:
            _mark(axes, explanation, index, has_map=panel.overlay is not None)
        axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
        axes.spines[:].set(
            color=wording.TAKEN if panel.is_taken else panel.frame, linewidth=2.5 if panel.is_taken else 1.2
        )
        axes.set_title(printable(panel.title), fontsize=8, loc="left", parse_math=False, color=_INK, pad=4)
    return end


def _add_color_bar(figure: Figure, top: float, explanation: Explanation) -> float:
    """Draws the scale of all maps below `top`, and returns the height at which it ends."""
    scale = heat.common_scale([each.map for each in explanation.phrases])
    top, whole = top + 0.25, figure.get_figwidth()
    axes = figure.add_axes((0, 1 - top - 0.12, _PANEL / whole, 0.12))
    label = f"attention, {explanation.provenance.get('reducer', '')}".removesuffix(", ")
    bar = figure.colorbar(ScalarMappable(Normalize(*scale), heat.COLORS), cax=axes, orientation="horizontal")
    bar.ax.locator_params(nbins=4)
    bar.ax.tick_params(labelsize=8)
    bar.set_label(printable(label), fontsize=8)
    return top + 0.6


def _mark(axes: Any, explanation: Explanation, index: int, has_map: bool) -> None:
    """Draws a phrase's point: as a ring if a map must stay visible under it, otherwise as its number."""
    height, width = overlays.shown_size(explanation.image)
    point = explanation.phrases[index].phrase.point
    assert point is not None
    x, y = point
    color = wording.color_of(index)
    if has_map:
        for paint, line in (("white", 4), (color.ground, 2)):
            axes.plot(x * width, y * height, "o", ms=9, mfc="none", mec=paint, mew=line)
    else:
        box = {"boxstyle": "circle,pad=0.25", "facecolor": color.ground, "edgecolor": "white"}
        middle = {"ha": "center", "va": "center"}
        axes.text(x * width, y * height, str(index + 1), size=8, weight="bold", color=color.ink, bbox=box, **middle)


def _write(figure: Figure, top: float, text: str, size: float = 10, **style: str) -> float:
    """Writes text in lines as wide as the figure, and returns the height at which it ends."""
    columns = int(figure.get_figwidth() * 128 / size)
    lines = textwrap.wrap(printable(shortened(text, _LONGEST)), columns) or [""]
    for number, line in enumerate(lines):
        _word(figure, 0, top + number * _LINE * size / 10, line, fontsize=size, **style)
    return top + len(lines) * _LINE * size / 10


def _write_answer(figure: Figure, top: float, explanation: Explanation) -> float:
    """Writes the answer word by word, with phrases on their color, and returns the height at which it ends."""
    left, height = 0.0, 0.36
    for part in wording.parts(explanation):
        words = re.findall(r"\s*\S+", printable(shortened(part.text, _LONGEST)))
        style, margin = {}, 0.0
        if part.phrase is not None:
            margin = 0.05  # so that the box covers no adjacent word
            color = wording.color_of(part.phrase)
            words = [*words[:-1], f"{''.join(words[-1:])} [{part.phrase + 1}]"]
            box = {"boxstyle": "square,pad=0.25", "facecolor": color.ground, "edgecolor": "none"}
            style = {"color": color.ink, "weight": "bold", "bbox": box, "zorder": 2}
        left += margin
        for word in words:
            left += _SPACE if word[0].isspace() else 0
            written = _word(figure, left, top, shortened(word.strip(), 60), fontsize=13, **style)
            length = written.get_window_extent().width / figure.dpi
            if left and left + length > figure.get_figwidth():
                left, top = 0.0, top + height
                written.set_position((0, 1 - top))
            left += length
        left += margin
    return top + height


def _word(figure: Figure, left: float, top: float, text: str, **style: Any) -> Text:
    # A model's text must not be parsed as a formula, even if it has dollar signs.
    style = {"color": _INK, "va": "top", "parse_math": False, "zorder": 3, **style}
    # In fractions of the figure, which is one inch high.
    return figure.text(left / figure.get_figwidth(), 1 - top, text, **style)
