"""The paper's kind of figure: images of a benchmark with the ground truth, and each model's mask and phrase map.

One row per image. Text stays text in PDF and SVG, and is drawn literally.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from PIL import Image

from pixfound_tasks import heat, masks
from pixfound_tasks.files import replacing
from pixfound_tasks.masks import Rle
from pixfound_tasks.report.formats import one_line
from pixfound_tasks.report.plot_style import INK, STYLE
from pixfound_tasks.response import Phrase
from pixfound_tasks.response.maps import TOP
from pixfound_tasks.runs.run import Document, Record, Run, RunError
from pixfound_tasks.runs.scores import is_correct

KINDS = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": {}}  # suffix -> metadata
_TRUTH, _PREDICTION = "#0072b2", "#d55e00"
_PANEL, _CAPTION = 1.7, 0.95  # inches
_COLUMNS, _LINES = 30, 5  # characters and lines of a caption
_LONGEST_NAME = 40
_DRAWING = 224  # pixels; smaller images are shown without smoothing


class _Panel(NamedTuple):
    """One image of a row: what lies over it, and the text below it."""

    caption: str
    mask: Rle | None = None
    color: str = _TRUTH
    phrase: Phrase | None = None


def draw_figure(runs: Sequence[Run], ids: Sequence[str], images: dict[str, Image.Image]) -> Figure:
    """Draws the images with these ids, and the answers of all runs, which are of one benchmark.

    `images` maps ids to images; a missing one is gray. A model without any map has no column for maps. Raises
    `RunError` if no run has an image.
    """
    by_run = [{record.document.id: record for record in run.records} for run in runs]
    rows = [[records.get(id) for records in by_run] for id in ids]
    for id, row in zip(ids, rows):
        if not any(row):
            known = ", ".join(record.document.id for record in runs[0].records[:5])
            raise RunError(f"expected an image of {runs[0].benchmark}, but no run has {id!r}; it has {known}, ...")
    has_maps = [any(map(_shown_phrase, column)) for column in zip(*rows)]
    titles = ["Image", "Ground truth"]
    for run, has_map in zip(runs, has_maps):
        titles += [one_line(run.model, _LONGEST_NAME), "what it attends to"][: 1 + has_map]
    with matplotlib.rc_context(STYLE):
        size = _PANEL * len(titles) + 0.3, (_PANEL + _CAPTION) * len(rows) + 0.3
        figure = Figure(size, layout="compressed", dpi=200)
        grid = figure.subplots(len(rows), len(titles), squeeze=False)
        for axes, id, row in zip(grid, ids, rows):
            document = next(record.document for record in row if record)
            for at, panel in zip(axes, _panels(document, row, has_maps)):
                _draw(at, panel, document, images.get(id))
        for at, title in zip(grid[0], titles):
            at.set_title(textwrap.fill(title, 24), fontsize=9)
        if any(has_maps):
            _add_color_bar(figure, grid)
    return figure


def write_figure(figure: Figure, path: Path) -> None:
    """Writes the figure as PDF, SVG or PNG, by the file's suffix, and creates its folder. See `check_suffix`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = path.suffix.lower()
    with matplotlib.rc_context(STYLE), warnings.catch_warnings(), replacing(path) as beside:
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # such characters are drawn as boxes
        figure.savefig(beside, format=kind[1:], metadata=KINDS[kind], bbox_inches="tight")


def check_suffix(path: Path) -> None:
    """Raises ValueError if the path has not one of the suffixes in `KINDS`, or is a folder."""
    if path.suffix.lower() not in KINDS or path.is_dir():
        what = "a folder" if path.is_dir() else f"{path.name!r}"
        raise ValueError(f"expected --out as a file that ends with {', '.join(KINDS)}, but got {what}")


def _panels(document: Document, row: Sequence[Record | None], has_maps: Sequence[bool]) -> list[_Panel]:
    question = " ".join(filter(None, (document.question, document.options_text)))
    expression = document.expression or "no object"
    absent = "" if masks.area(document.mask) else " (absent)"
    panels = [_Panel(f"{document.id}: {question}"), _Panel(expression + absent, document.mask)]
    for record, has_map in zip(row, has_maps):
        panels.append(_prediction(record))
        if has_map:
            phrase = _shown_phrase(record)
            panels.append(_Panel(f"“{phrase.text}”" if phrase else "no map", phrase=phrase))
    return panels


def _prediction(record: Record | None) -> _Panel:
    if record is None:
        return _Panel("not run")
    parts = []
    for field in ("vqa", "open"):
        if answer := getattr(record, field):
            mark = "✓" if is_correct(record, field) else "✗"
            parts.append(f"“{answer.response.text.strip()}” {mark}")
    found = record.grounding
    if found is None:
        return _Panel(" ".join(parts) or "not run")
    parts.append("no mask" if not masks.area(found.prediction) else "")
    parts.append(f"IoU {found.iou:.2f}" if record.document.expression is not None else "")
    return _Panel(" ".join(filter(None, parts)), found.prediction, _PREDICTION)


def _shown_phrase(record: Record | None) -> Phrase | None:
    """The selected phrase if it has a map, else the one with the best candidate, else the first that has a map."""
    if record is None or record.grounding is None:
        return None
    response, oracle = record.grounding.response, record.grounding.oracle
    selected = response.selected.phrase if response.selected else None
    first = [index for index in (selected, oracle.probe if oracle.candidate is not None else None) if index is not None]
    found = [response.phrases[index] for index in first if index < len(response.phrases)]
    return next((phrase for phrase in [*found, *response.phrases] if phrase.map), None)


def _draw(axes: Any, panel: _Panel, document: Document, image: Image.Image | None) -> None:
    height, width = document.size
    extent = (0, width, height, 0)
    behind = image.convert("RGB") if image else Image.new("RGB", (1, 1), "#d8dce1")
    method = "nearest" if max(document.size) <= _DRAWING else "antialiased"
    axes.imshow(np.asarray(behind), extent=extent, interpolation=method)
    if panel.phrase and panel.phrase.map:
        found = panel.phrase.map
        levels = np.frombuffer(found.levels, np.uint8).reshape(found.size).astype(np.float32)
        axes.imshow(np.asarray(heat.map_overlay(levels, heat.Scale(0, TOP))), extent=extent)
        if panel.phrase.point:
            x, y = panel.phrase.point
            for color, thick in (("black", 3), ("white", 1.5)):
                axes.plot(x * width, y * height, "+", color=color, markersize=9, markeredgewidth=thick)
    if panel.mask is not None:
        _draw_mask(axes, masks.decode(panel.mask).astype(bool), panel.color)
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0), xlabel=_wrapped(panel.caption))
    axes.xaxis.label.set(color=INK, fontsize=7.5)
    axes.spines[:].set(visible=True, color="#c9ced4", linewidth=0.6)


def _draw_mask(axes: Any, mask: np.ndarray, color: str) -> None:
    """Shades what is outside a mask, and draws its outline as a curve, white below its color."""
    height, width = mask.shape
    shade = np.zeros((height, width, 4), np.float32)
    shade[~mask, 3] = 0.45
    shade[mask] = (*to_rgb(color), 0.15)
    axes.imshow(shade, extent=(0, width, height, 0), interpolation="nearest")
    if mask.any():
        padded = np.pad(mask.astype(np.float32), 1)
        places = np.arange(-0.5, width + 1), np.arange(-0.5, height + 1)
        for paint, thick in (("white", 2.6), (color, 1.4)):
            axes.contour(*places, padded, levels=[0.5], colors=[paint], linewidths=thick)


def _add_color_bar(figure: Figure, grid: np.ndarray) -> None:
    colors = ScalarMappable(Normalize(0, 1), heat.COLORS)
    bar = figure.colorbar(colors, ax=grid, shrink=0.6, aspect=16 * len(grid), pad=0.01, ticks=[0, 1])
    bar.ax.set_yticklabels(["none", "most"], fontsize=7)
    bar.set_label("attention, each map on its own scale", fontsize=7, labelpad=-14)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(one_line(text, 400), _COLUMNS, max_lines=_LINES, placeholder=" …"))
