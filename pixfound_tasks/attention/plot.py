"""Pictures of maps over their image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from pixfound_tasks.attention.geometry import peak

COLUMNS, PANEL = 6, 2.0  # panels side by side, and inches of one


def plot_maps(maps: Sequence[np.ndarray], titles: Sequence[str], picture: Image.Image | None = None) -> Figure:
    """One panel per map (height, width): the picture, if there is one, the map over it, a cross at its peak.

    All maps share one colour scale, so that those of words that look at nothing stay pale.
    """
    columns = max(1, min(COLUMNS, len(maps)))
    rows = max(1, math.ceil(len(maps) / columns))
    figure = Figure(figsize=(PANEL * columns, (PANEL + 0.35) * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    seen = np.concatenate([values[~np.isnan(values)] for values in maps] or [np.zeros(0)])
    limits = {"vmin": seen.min(), "vmax": seen.max()} if seen.size else {}
    for panel, values, title in zip(panels, maps, titles):
        height, width = values.shape
        extent = (0, width, height, 0)
        if picture is not None:
            panel.imshow(np.asarray(picture.convert("RGB").resize((width, height))), extent=extent)
        panel.imshow(values, extent=extent, cmap="inferno", alpha=0.6 if picture else 1.0, **limits)
        found = peak(values)
        if found:
            panel.plot(found[0] * width, found[1] * height, "+", color="white", markersize=12, markeredgewidth=2)
        # What a model wrote is no formula, whatever dollar signs stand in it.
        panel.set_title(title, fontsize=9, parse_math=False)
    for panel in figure.axes:
        panel.set_axis_off()
    return figure
