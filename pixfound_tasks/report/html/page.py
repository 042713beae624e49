"""The report as one self-contained HTML file with its style, script, images and masks.

Everything from models and data is untrusted. The template escapes what it shows. The gallery's data is a block of JSON
that the script turns into text nodes. A content security policy allows only the page's own script, and no requests.
What only a visible card needs is in blocks of base64, which the script unpacks one by one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pixfound_tasks.report import narrative as sentences
from pixfound_tasks.report.export import write
from pixfound_tasks.report.formats import KIND_NAMES, OUTCOME_NAMES, TASK_NAMES, between, is_measured, number, percent
from pixfound_tasks.report.html import gallery
from pixfound_tasks.report.html.pictures import Images
from pixfound_tasks.report.overview import examples, score_map
from pixfound_tasks.report.plots import Plot, svg
from pixfound_tasks.report.templates import make_environment
from pixfound_tasks.runs.changes import changes
from pixfound_tasks.runs.progress import Track, untracked
from pixfound_tasks.runs.provenance import as_texts
from pixfound_tasks.runs.run import Run
from pixfound_tasks.runs.summary import Summary

Drawn = Sequence[Sequence[Plot]]
_HERE = Path(__file__).parent
_MOST_FLIPS = 100  # shown per task; `variations.csv` has all
# Settings in which runs may differ, in addition to prompts: keys of a summary's provenance.
_MADE = (
    "model_args", "revision", "segmenter", "select", "judges", "choice_judges", "reducer", "query", "layers",
    "versions", "seed", "limit",
)  # fmt: skip
_SCRIPTS = (
    "masks.js", "maps.js", "card.js", "inspector.js", "records.js", "toolbar.js", "keyboard.js", "gallery.js",
    "examples.js",
)  # fmt: skip


def write_page(
    runs: Sequence[Run],
    summaries: Sequence[Summary],
    folder: Path,
    images: Images,
    drawn: Drawn = (),
    track: Track = untracked,
) -> Path:
    """Writes `index.html` into the folder, which is created if needed, and returns its path.

    `summaries` has one summary per run, and `drawn` has one list of plots per run, or is empty. `images` maps benchmark
    and id to an image; a missing image is shown as a neutral background.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    # A model's JSON may contain a lone surrogate, which UTF-8 cannot encode.
    write(page, render(runs, summaries, images, drawn, track).encode("utf-8", "replace"))
    return page


def render(
    runs: Sequence[Run],
    summaries: Sequence[Summary],
    images: Images,
    drawn: Drawn = (),
    track: Track = untracked,
) -> str:
    """Returns the page as HTML text; see `write_page` for the arguments."""
    listing, blocks = gallery.contents(runs, summaries, images, track)
    environment = make_environment(_HERE)
    environment.filters |= {"percent": percent, "number": number, "between": between}
    overall = score_map(summaries)
    made_with = [as_texts(summary.provenance) for summary in summaries]
    said = {"headline": sentences.headline, "emergence": sentences.emergence, "evidence": sentences.evidence}
    environment.filters |= said
    environment.tests["measured"] = is_measured
    script = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return environment.get_template("page.html.jinja").render(
        summaries=summaries,
        overall=overall and _embedded(overall),
        has_images=any(run.records for run in runs),
        flips=[_flips(run) for run in runs],
        examples=[[each._asdict() for each in examples(run)] for run in runs],
        outcomes=OUTCOME_NAMES,
        kinds=KIND_NAMES,
        made_with=made_with,
        made=[name for name in _MADE if any(_setting(of, name) for of in made_with)],
        setting=_setting,
        tasks=TASK_NAMES,
        drawn=[[_embedded(plot) for plot in plots] for plots in drawn] or [[] for _ in summaries],
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        data=json_block(listing | {"outcomes": OUTCOME_NAMES, "kinds": KIND_NAMES}),
        blocks=map(Markup, blocks),
    )


def _setting(of: Mapping[str, Any], name: str) -> str:
    """Returns an entry of a provenance in texts, or "" if the run does not have it."""
    found = of["responses"].get(name) or of.get(name)
    return "" if found is None else str(found)


def _flips(run: Run) -> dict[str, Any]:
    """Returns, by task, how many of all variations flipped an answer, and the first of them."""
    found: dict[str, Any] = {}
    for change in changes(run):
        of = found.setdefault(change.task, {"count": 0, "flipped": 0, "shown": []})
        of["count"] += 1
        of["flipped"] += change.is_flip
        if change.is_flip and len(of["shown"]) < _MOST_FLIPS:
            of["shown"].append(change)
    return found


def _embedded(plot: Plot) -> dict[str, str]:
    uri = f"data:image/svg+xml;base64,{base64.b64encode(svg(plot.figure)).decode('ascii')}"
    return {"name": plot.name, "caption": plot.caption, "uri": uri}


def json_block(value: Any) -> Markup:
    """Returns ASCII JSON that is safe inside a script element, since it has no character that could end the element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
