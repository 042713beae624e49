"""Plot maps over their image."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image

from pixfound_tasks import heat, notebook
from pixfound_tasks.attention.geometry import peak

if TYPE_CHECKING:
    from jaxtyping import Float

    from pixfound_tasks.attention.look import Look

MOST_WORDS = 48  # plotted in a notebook
COLUMNS, PANEL = 6, 2.0  # panels per row, and the side of a panel in inches
BAR = 0.9  # inches, the width that the color bar takes


def plot_maps(
    maps: Sequence[Float[np.ndarray, "height width"]],
    titles: Sequence[str],
    image: Image.Image | None = None,
    label: str = "attention",
) -> Figure:
    """Plot one panel per map: the dimmed image if given, the map over it, and a cross at the map's peak.

    All maps share one scale, which the color bar shows, so that words that attend to nothing stay dark. `label` is that
    of the color bar.
    """
    columns = max(1, min(COLUMNS, len(maps)))
    rows = max(1, math.ceil(len(maps) / columns))
    figure = Figure(figsize=(PANEL * columns + BAR, (PANEL + 0.35) * rows), layout="constrained", dpi=150)
    panels = figure.subplots(rows, columns, squeeze=False)
    scale = heat.common_scale(maps)
    for panel, values, title in zip(panels.flat, maps, titles):
        height, width = values.shape
        extent = (0, width, height, 0)
        overlay = heat.map_overlay(values, scale)
        behind = image.convert("RGB") if image else Image.new("RGB", (1, 1), "black")
        behind.thumbnail(overlay.size)
        for picture in (behind, overlay):
            panel.imshow(np.asarray(picture), extent=extent)
        highest = peak(values)
        if highest:
            at = highest[0] * width, highest[1] * height
            for color, thick in (("black", 4), ("white", 2)):
                panel.plot(*at, "+", color=color, markersize=12, markeredgewidth=thick)
        # Titles are model output. Dollar signs in them are not math.
        panel.set_title(title, fontsize=9, parse_math=False)
    for panel in figure.axes:
        panel.set_axis_off()
    if maps:
        colors = ScalarMappable(Normalize(*scale), heat.COLORS)
        figure.colorbar(colors, ax=panels, label=label, shrink=0.9, aspect=18 * rows)
    return figure


def look_html(look: Look) -> str:
    """Return a look's answer and the maps of its first `MOST_WORDS` words, as HTML."""
    known = {name: str(look.settings.get(name, "")) for name in ("model", "reducer")}
    kept = [f"{len(look.token_chars)} tokens"]
    kept += [f"{name}: {value}" for name, value in known.items() if value and not Path(value).is_absolute()]
    if look.others:
        kept.append(f"also: {', '.join(look.others)}")
    if look.heads is not None:
        kept.append(f"{len(look.heads.layers)} layers x {look.heads.levels.shape[2]} heads")
    parts = [notebook.paragraph(look.text or "(an empty answer)"), notebook.paragraph(", ".join(kept))]
    words = [word.span() for word in re.finditer(r"\S+", look.text)][:MOST_WORDS]
    if words:
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from")  # such characters are drawn as boxes
            look.plot(words).savefig(file, format="png", dpi=60)
        parts.append(notebook.picture(file.getvalue(), f"What the words of the answer looked at: {look.text[:200]}"))
    return "".join(parts)
