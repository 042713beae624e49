"""Pictures of a look: phrases' maps over the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from pixfound_tasks.attention.look import peak

if TYPE_CHECKING:
    from pixfound_tasks.attention.look import Look, Span

COLUMNS, PANEL = 6, 2.0  # panels side by side, and inches of one


def plot_look(look: Look, spans: Sequence[Span], image: int = 0, picture: Image.Image | None = None) -> Figure:
    """One panel per phrase: the image, the phrase's map over it, a cross at its peak. All maps share one colour scale.

    `picture` stands in for the look's own image, which a loaded look does not have; without one the map stands alone.
    """
    if picture is None and look.images:
        picture = look.images[image]
    columns = max(1, min(COLUMNS, len(spans)))
    rows = max(1, math.ceil(len(spans) / columns))
    figure = Figure(figsize=(PANEL * columns, (PANEL + 0.35) * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    maps = [look.phrase_map(span, image) for span in spans]
    seen = np.concatenate([values[~np.isnan(values)] for values in maps] or [np.zeros(0)])
    limits = {"vmin": seen.min(), "vmax": seen.max()} if seen.size else {}
    height, width = look.geometries[image].size
    extent = (0, width, height, 0)
    for panel, span, values in zip(panels, spans, maps):
        if picture is not None:
            panel.imshow(np.asarray(picture.convert("RGB")), extent=extent)
        panel.imshow(values, extent=extent, cmap="inferno", alpha=0.6 if picture else 1.0, **limits)
        found = peak(values)
        if found:
            panel.plot(found[0] * width, found[1] * height, "+", color="white", markersize=12, markeredgewidth=2)
        # What a model wrote is no formula, whatever dollar signs stand in it.
        panel.set_title(span if isinstance(span, str) else look.text[slice(*span)], fontsize=9, parse_math=False)
    for panel in figure.axes:
        panel.set_axis_off()
    return figure
