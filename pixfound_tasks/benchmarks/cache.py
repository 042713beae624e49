"""Benchmarks saved as Arrow data sets in the user's cache folder, each under a key of the content it came from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from datasets import DatasetDict

# Raise it when the columns or the way they are worked out change: what was saved before is then no longer used.
DATA_VERSION = 2


def cache_folder() -> Path:
    """PIXFOUND_CACHE, else `pixfound` in XDG_CACHE_HOME, else `~/.cache/pixfound`."""
    if chosen := os.environ.get("PIXFOUND_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pixfound"


def saved(name: str, key: str, build: Callable[[], DatasetDict]) -> Path:
    """The folder of the data set saved under this key (hexadecimal); it is built and saved where there is none."""
    place = cache_folder() / f"{name}-v{DATA_VERSION}-{key[:16]}"
    if not place.is_dir():
        _save(build(), place)
        logger.info(f"{name}: saved in {place}")
    return place


def _save(dataset: DatasetDict, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place.parent) as temporary:
        written = Path(temporary) / place.name
        dataset.save_to_disk(written)
        try:
            written.rename(place)
        except OSError:
            # Another process was faster, and what it wrote has the same content. Any other failure is one.
            if not place.is_dir():
                raise
