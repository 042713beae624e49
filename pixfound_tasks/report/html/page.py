"""The report as one HTML file that needs nothing but itself: style, script, images and masks are in it.

Everything from models and data is untrusted. What the template shows is escaped; what the gallery shows stands in a
block of JSON that the script reads and turns into text nodes; a content security policy allows no script but the
page's own, and no request at all. What only a card that is looked at needs stands in blocks of base64, which the script
unpacks one by one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pixfound_tasks.report import narrative as sentences
from pixfound_tasks.report.export import write
from pixfound_tasks.report.formats import KIND_NAMES, OUTCOME_NAMES, TASK_NAMES, between, is_measured, number, percent
from pixfound_tasks.report.html import gallery
from pixfound_tasks.report.html.pictures import Images
from pixfound_tasks.report.plots import Plot, svg
from pixfound_tasks.report.templates import make_environment
from pixfound_tasks.runs.progress import Track, untracked
from pixfound_tasks.runs.run import Run
from pixfound_tasks.runs.summary import Summary

Drawn = Sequence[Sequence[Plot]]
_HERE = Path(__file__).parent
# What runs may differ in, beside their prompts: keys of a summary's provenance.
_MADE = ("revision", "segmenter", "select", "judges", "reducer", "query", "layers", "versions", "seed", "limit")
_SCRIPTS = (
    "masks.js", "maps.js", "card.js", "inspector.js", "records.js", "toolbar.js", "keyboard.js", "gallery.js",
)  # fmt: skip


def write_page(
    runs: Sequence[Run],
    summaries: Sequence[Summary],
    folder: Path,
    images: Images,
    drawn: Drawn = (),
    track: Track = untracked,
) -> Path:
    """Write `index.html` into the folder, which is made, and return its path.

    There is one summary for each run, and a list of plots if there are any. `images` maps benchmark and id to an image;
    those that are missing are drawn as a neutral ground.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    # A lone surrogate, which a model's JSON may hold, has no UTF-8.
    write(page, render(runs, summaries, images, drawn, track).encode("utf-8", "replace"))
    return page


def render(
    runs: Sequence[Run],
    summaries: Sequence[Summary],
    images: Images,
    drawn: Drawn = (),
    track: Track = untracked,
) -> str:
    """The page as text."""
    listing, blocks = gallery.contents(runs, images, track)
    environment = make_environment(_HERE)
    environment.filters |= {"percent": percent, "number": number, "between": between}
    environment.filters |= {"emergence": sentences.emergence, "evidence": sentences.evidence}
    environment.tests["measured"] = is_measured
    script = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return environment.get_template("page.html.jinja").render(
        summaries=summaries,
        outcomes=OUTCOME_NAMES,
        kinds=KIND_NAMES,
        made=[name for name in _MADE if any(_made_with(summary, name) for summary in summaries)],
        made_with=_made_with,
        tasks=TASK_NAMES,
        drawn=[[_embedded(plot) for plot in plots] for plots in drawn] or [[] for _ in summaries],
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        data=json_block(listing | {"outcomes": OUTCOME_NAMES, "kinds": KIND_NAMES}),
        blocks=map(Markup, blocks),
    )


def _made_with(summary: Summary, name: str) -> str:
    """A point of provenance, "" where the run says nothing of it."""
    found = summary.provenance["responses"].get(name) or summary.provenance.get(name)
    return "" if found is None else str(found)


def _embedded(plot: Plot) -> dict[str, str]:
    uri = f"data:image/svg+xml;base64,{base64.b64encode(svg(plot.figure)).decode('ascii')}"
    return {"name": plot.name, "caption": plot.caption, "uri": uri}


def json_block(value: Any) -> Markup:
    """JSON that can stand in a script element: without any character that could end it, and in ASCII."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
