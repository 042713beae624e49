"""Templates of pages: everything that they show is escaped, and what they name must be there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2


def make_environment(folder: Path, shown: Callable[[Any], Any] | None = None) -> jinja2.Environment:
    """The templates of a folder; `shown` turns every value into what is shown of it, before it is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=shown,
    )
