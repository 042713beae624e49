"""The template environment of pages: all values are escaped, and undefined names are errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2


def make_environment(folder: Path, shown: Callable[[Any], Any] | None = None) -> jinja2.Environment:
    """Returns the environment for a folder of templates. `shown` converts each value before it is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=shown,
    )
