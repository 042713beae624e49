"""What objects show in notebooks: small tables and pictures as HTML. All text is escaped, since models wrote some."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Sequence


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table; its first column is text, and the others are numbers."""
    head = "".join(f"<th>{_text(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(map(_cell, row, _sides(row)))}</tr>" for row in rows)
    title = f'<caption style="text-align: left"><b>{_text(caption)}</b></caption>'
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _sides(row: Sequence[str]) -> list[str]:
    return ["left", *["right"] * (len(row) - 1)]


def _cell(text: str, side: str) -> str:
    return f'<td style="text-align: {side}">{_text(text)}</td>'


def picture(png: bytes, words: str) -> str:
    """Returns a PNG with its text alternative."""
    uri = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    return f'<img src="{uri}" alt="{html.escape(words)}" style="max-width: 100%">'


def paragraph(text: str) -> str:
    """Returns a paragraph of text."""
    return f"<p>{_text(text)}</p>"


def number(value: float, digits: int = 3) -> str:
    """Returns a number, or an en dash if it is not one."""
    return "\N{EN DASH}" if math.isnan(value) else f"{value:.{digits}f}"


def _text(value: str) -> str:
    """Escapes a text, and keeps characters that change the direction of writing from its surroundings."""
    return f'<bdi dir="auto">{html.escape(value)}</bdi>'
