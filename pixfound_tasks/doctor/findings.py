"""What an examination finds."""

from __future__ import annotations

from typing import NamedTuple

OK, NOTE, WARNING, ERROR = "ok", "note", "warning", "error"


class Finding(NamedTuple):
    """One thing that was examined; the package's docstring explains the fields."""

    section: str
    name: str
    status: str
    detail: str
    remedy: str = ""
