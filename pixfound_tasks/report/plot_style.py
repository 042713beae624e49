"""The colors and the style of all plots."""

from __future__ import annotations

BLUE, ORANGE, GREY, INK = "#3b6fa5", "#d55e00", "#8a929d", "#1b1f24"
STYLE = {
    "font.size": 9, "font.family": "sans-serif", "text.color": INK, "axes.labelcolor": "#5b6470",
    "axes.edgecolor": "#c9ced4", "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10,
    "axes.titleweight": "bold", "axes.titlelocation": "left", "xtick.color": "#5b6470", "ytick.color": "#5b6470",
    "legend.frameon": False, "legend.fontsize": 8, "text.parse_math": False, "svg.fonttype": "none", "pdf.fonttype": 42,
    "svg.hashsalt": "pixfound", "figure.dpi": 100,
}  # fmt: skip
