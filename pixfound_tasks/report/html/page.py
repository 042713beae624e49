"""The report as one self-contained HTML file with its style, script, images and masks, or split into several files.

Everything from models and data is untrusted. The template escapes what it shows. The gallery's data is a block of JSON
that the script turns into text nodes. A content security policy allows only the page's own script, and no requests,
or only those for the files beside a page that is split. What only a visible card needs is in blocks of base64, which
the script unpacks one by one; see `stores`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from pixfound_tasks.report import narrative as sentences
from pixfound_tasks.report.citation import bibtex
from pixfound_tasks.report.export import write
from pixfound_tasks.report.formats import (
    EDIT_NAMES,
    KIND_NAMES,
    OUTCOME_NAMES,
    SCORE_NAMES,
    TASK_NAMES,
    between,
    is_measured,
    number,
    p_value,
    percent,
    signed,
)
from pixfound_tasks.report.html import gallery
from pixfound_tasks.report.html.pictures import Images, small_uri
from pixfound_tasks.report.html.stores import InFolder, Store
from pixfound_tasks.report.overview import examples, score_map
from pixfound_tasks.report.plots import Plot, svg
from pixfound_tasks.report.side_by_side import Sides
from pixfound_tasks.report.templates import make_environment
from pixfound_tasks.runs.changes import Change, changes, edited
from pixfound_tasks.runs.progress import Track, untracked
from pixfound_tasks.runs.provenance import as_texts
from pixfound_tasks.runs.run import Run
from pixfound_tasks.runs.summary import Summary

if TYPE_CHECKING:
    from PIL.Image import Image

Drawn = Sequence[Sequence[Plot]]
_HERE = Path(__file__).parent
_MOST_FLIPS = 100  # shown per task; `variations.csv` has all
# Settings in which runs may differ, in addition to prompts: keys of a summary's provenance.
_MADE = (
    "model_args", "revision", "segmenter", "select", "judges", "choice_judges", "reducer", "query", "layers",
    "versions", "seed", "limit",
)  # fmt: skip
_SCRIPTS = (
    "masks.js", "maps.js", "picture.js", "card.js", "answer.js", "inspector.js", "scrubber.js", "records.js",
    "compare.js", "layers.js", "toolbar.js", "keyboard.js", "gallery.js", "address.js", "examples.js", "sides.js",
    "zoom.js", "snapshot.js", "downloads.js",
)  # fmt: skip
_STYLES = ("page.css", "sides.css", "gallery.css", "media.css", "downloads.css")


def write_page(
    runs: Sequence[Run],
    summaries: Sequence[Summary],
    folder: Path,
    images: Images,
    drawn: Drawn = (),
    track: Track = untracked,
    sides: Sequence[Sides] = (),
    is_split: bool = False,
) -> Path:
    """Writes `index.html` into the folder, which is created if needed, and returns its path.

    `summaries` has one summary per run, and `drawn` has one list of plots per run, or is empty. `images` maps benchmark
    and id to an image; a missing image is shown as a neutral background. `sides` has the comparisons of models. With
    `is_split`, images and the details of answers go into files beside the page, which a web server must serve.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    store = InFolder(folder) if is_split else None
    # A model's JSON may contain a lone surrogate, which UTF-8 cannot encode.
    write(page, render(runs, summaries, images, drawn, track, sides, store).encode("utf-8", "replace"))
    return page


def render(
    runs: Sequence[Run],
    summaries: Sequence[Summary],
    images: Images,
    drawn: Drawn = (),
    track: Track = untracked,
    sides: Sequence[Sides] = (),
    store: Store | None = None,
) -> str:
    """Returns the page as HTML text; see `write_page` for the arguments. `store` keeps what only cards need."""
    listing, blocks = gallery.contents(runs, summaries, images, track, store)
    environment = make_environment(_HERE)
    environment.filters |= {"percent": percent, "number": number, "between": between}
    environment.filters |= {"signed": signed, "p_value": p_value}
    overall = score_map(summaries)
    made_with = [as_texts(summary.provenance) for summary in summaries]
    environment.filters |= {"headline": lambda summary: _unbroken(sentences.headline(summary))}
    environment.filters |= {"sees_more": sentences.sees_more}
    for said in (sentences.emergence, sentences.evidence):
        environment.filters[said.__name__] = lambda found, said=said: [_unbroken(each) for each in said(found)]
    environment.tests["measured"] = is_measured
    script = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return environment.get_template("page.html.jinja").render(
        summaries=summaries,
        overall=overall and _embedded(overall),
        bibtex=bibtex(),
        has_images=any(run.records for run in runs),
        flips=[_flips(run, images.get(run.benchmark, {})) for run in runs],
        sides=sides,
        with_failures=[index for index, summary in enumerate(summaries) if summary.failures],
        embedded=_embedded,
        score_names=SCORE_NAMES,
        is_split=isinstance(store, InFolder),
        examples=[[each._asdict() for each in examples(run)] for run in runs],
        outcomes=OUTCOME_NAMES,
        kinds=KIND_NAMES,
        made_with=made_with,
        made=[name for name in _MADE if any(_setting(of, name) for of in made_with)],
        setting=_setting,
        tasks=TASK_NAMES,
        edits=EDIT_NAMES,
        drawn=[[_embedded(plot) for plot in plots] for plots in drawn] or [[] for _ in summaries],
        style=Markup("".join((_HERE / name).read_text(encoding="utf-8") for name in _STYLES)),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        data=json_block(listing | {"outcomes": OUTCOME_NAMES, "kinds": KIND_NAMES}),
        blocks=map(Markup, blocks),
    )


def _unbroken(text: str) -> str:
    """Keeps a number and its percent sign on one line."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _setting(of: Mapping[str, Any], name: str) -> str:
    """Returns an entry of a provenance in texts, or "" if the run does not have it."""
    found = of["responses"].get(name) or of.get(name)
    return "" if found is None else str(found)


class _Shown(NamedTuple):
    """A change, and the original and the changed image as data URIs; None if the image is the same or missing."""

    change: Change
    original: str | None = None
    edited: str | None = None


def _flips(run: Run, images: Mapping[str, Image]) -> dict[str, Any]:
    """Returns, by task, how many of all variations flipped an answer, and the first of them."""
    found: dict[str, Any] = {}
    for change in changes(run):
        of = found.setdefault(change.task, {"count": 0, "flipped": 0, "shown": []})
        of["count"] += 1
        of["flipped"] += change.is_flip
        if change.is_flip and len(of["shown"]) < _MOST_FLIPS:
            of["shown"].append(_shown(change, images))
    return found


def _shown(change: Change, images: Mapping[str, Image]) -> _Shown:
    if change.after.edit is None or change.after.id not in images:
        return _Shown(change)
    image = images[change.after.id]
    changed = edited(image, change.after)
    return _Shown(change, small_uri(image), small_uri(changed)) if changed else _Shown(change)


def _embedded(plot: Plot) -> dict[str, str]:
    uri = f"data:image/svg+xml;base64,{base64.b64encode(svg(plot.figure)).decode('ascii')}"
    return {"name": plot.name, "caption": plot.caption, "uri": uri}


def json_block(value: Any) -> Markup:
    """Returns ASCII JSON that is safe inside a script element, since it has no character that could end the element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
