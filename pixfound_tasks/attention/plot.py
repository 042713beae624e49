"""Plot maps over their image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from pixfound_tasks.attention.geometry import peak

if TYPE_CHECKING:
    from jaxtyping import Float

COLUMNS, PANEL = 6, 2.0  # panels per row, and the side of a panel in inches


def plot_maps(
    maps: Sequence[Float[np.ndarray, "height width"]], titles: Sequence[str], image: Image.Image | None = None
) -> Figure:
    """Plot one panel per map: the image if given, the map over it, and a cross at the map's peak.

    All maps share one color scale, so that words that attend to nothing stay pale.
    """
    columns = max(1, min(COLUMNS, len(maps)))
    rows = max(1, math.ceil(len(maps) / columns))
    figure = Figure(figsize=(PANEL * columns, (PANEL + 0.35) * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    known = np.concatenate([values[~np.isnan(values)] for values in maps] or [np.zeros(0)])
    limits = {"vmin": known.min(), "vmax": known.max()} if known.size else {}
    for panel, values, title in zip(panels, maps, titles):
        height, width = values.shape
        extent = (0, width, height, 0)
        if image is not None:
            panel.imshow(np.asarray(image.convert("RGB").resize((width, height))), extent=extent)
        panel.imshow(values, extent=extent, cmap="inferno", alpha=0.6 if image else 1.0, **limits)
        highest = peak(values)
        if highest:
            panel.plot(highest[0] * width, highest[1] * height, "+", color="white", markersize=12, markeredgewidth=2)
        # Titles are model output. Dollar signs in them are not math.
        panel.set_title(title, fontsize=9, parse_math=False)
    for panel in figure.axes:
        panel.set_axis_off()
    return figure
