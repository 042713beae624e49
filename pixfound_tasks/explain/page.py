"""Explanations as one HTML file. It loads nothing, escapes all untrusted text, and runs only its own script."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup
from PIL import Image

from pixfound_tasks import heat
from pixfound_tasks.explain import overlays, wording
from pixfound_tasks.explain.browsing import browsing
from pixfound_tasks.explain.explanation import Explanation
from pixfound_tasks.masks import Rle
from pixfound_tasks.report.console import printable
from pixfound_tasks.report.html.page import json_block
from pixfound_tasks.report.html.pictures import data_uri
from pixfound_tasks.report.templates import make_environment
from pixfound_tasks.response import Point

_HERE = Path(__file__).parent
_SCRIPTS = ("report/html/masks.js", "report/html/maps.js", "explain/browse.js", "explain/heads.js")


class Panel(NamedTuple):
    """The image with an overlay, which is a data URI.

    Each of `points` is x and y in pixels of the panel and the index of its phrase. `labels` are those of
    `wording.labels`.
    """

    title: str
    note: str = ""
    overlay: str | None = None
    points: tuple[tuple[float, float, int], ...] = ()
    labels: tuple[str, ...] = ()


def write_page(explanations: Sequence[Explanation], path: Path) -> None:
    """Writes the page of one or more answers, and creates its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(*explanations), encoding="utf-8")


def render(*explanations: Explanation) -> str:
    """Returns the page as HTML text. It has a script only if an explanation has a look to browse."""
    environment = make_environment(_HERE, _shown)
    browsed = [browsing(each) for each in explanations]
    files = [_HERE.parent / name for name in _SCRIPTS] if any(browsed) else []
    script = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return environment.get_template("page.html.jinja").render(
        answers=[_answer(each, found is not None) for each, found in zip(explanations, browsed)],
        many=len(explanations) > 1,
        title=explanations[0].expression,
        color_of=wording.color_of,
        tokens=wording.tokens,
        labels=wording.LABELS,
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        data=json_block({"answers": browsed, "colors": [wording.color_of(index) for index in range(6)]}),
    )


def _answer(explanation: Explanation, is_browsed: bool) -> dict[str, Any]:
    """Returns what the template shows of one answer."""
    height, width = overlays.shown_size(explanation.image)
    said = (wording.judgement(explanation), wording.true_mask(explanation))
    maps = [each.map for each in explanation.phrases]
    return {
        "found": explanation,
        "parts": list(wording.parts(explanation)),
        "verdict": wording.verdict(explanation),
        "remarks": [each for each in said if each],
        "overview": _overview(explanation),
        "phrases": _phrases(explanation),
        "provenance": flat(explanation.provenance),
        "exchanges": explanation.judged.notes["exchanges"] if explanation.judged else [],
        "picture": data_uri(explanation.image),
        "is_drawing": overlays.is_drawing(explanation.image),
        "scale": heat.common_scale(maps) if maps else None,
        "browsed": is_browsed,
        "width": width,
        "height": height,
    }


def _shown(value: Any) -> Any:
    """Replaces unprintable characters in template output.

    Untrusted text can contain characters that change the writing direction or that UTF-8 cannot encode.
    """
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _overview(explanation: Explanation) -> list[Panel]:
    """Returns panels of the image with all points, of the selected masks, and of the ground truth."""
    points = [
        point for i, each in enumerate(explanation.phrases) for point in _points(explanation, i, each.phrase.point)
    ]
    panels = [Panel("Points of the phrases", points=tuple(points))]
    for taken in wording.taken(explanation):
        overlay = _mask_uri(explanation, taken.mask, taken.color)
        panels.append(Panel(taken.title, taken.note, overlay, labels=(taken.label,)))
    return panels


def _phrases(explanation: Explanation) -> list[list[Panel]]:
    """Returns, for each phrase, a panel of its map and point and one panel per candidate mask."""
    scale = heat.common_scale([each.map for each in explanation.phrases])
    found = []
    for index, each in enumerate(explanation.phrases):
        point = _points(explanation, index, each.phrase.point)
        note = "{:.2f}, {:.2f}".format(*each.phrase.point) if each.phrase.point else "no point: the map is flat"
        panels = [Panel("Map and point", note, _uri(heat.map_overlay(each.map, scale)), point)]
        for number, candidate in enumerate(each.phrase.candidates):
            overlay = _mask_uri(explanation, candidate.mask, wording.color_of(index).ground)
            labels = tuple(wording.labels(explanation, index, number))
            note = wording.measured(explanation, index, number)
            panels.append(Panel(f"Mask {number + 1}", note, overlay, labels=labels))
        found.append(panels)
    return found


def _points(explanation: Explanation, phrase: int, point: Point | None) -> tuple[tuple[float, float, int], ...]:
    height, width = overlays.shown_size(explanation.image)
    return ((point[0] * width, point[1] * height, phrase),) if point else ()


def _mask_uri(explanation: Explanation, mask: Rle | None, color: str) -> str:
    return _uri(overlays.mask_overlay(mask, overlays.shown_size(explanation.image), color))


def _uri(overlay: Image.Image) -> str:
    file = io.BytesIO()
    overlay.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def flat(values: dict[str, Any], before: str = "") -> dict[str, str]:
    """Flattens nested values: names are joined with spaces, and None values are left out."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{before}{name} ")
        elif value is not None and name != "exchanges":
            found[f"{before}{name}"] = str(value)
    return found
