"""Saves benchmarks as Arrow data sets in the user's cache folder, under keys that depend on their source content.

A data set is written to a temporary folder, with a list of its files and their sizes, and then renamed. A data set
that was interrupted or damaged later is never read. It is built again.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from loguru import logger

from pixfound_tasks.benchmarks.sources import DataError
from pixfound_tasks.settings import read_setting

if TYPE_CHECKING:
    from datasets import DatasetDict

# Increase it when the columns or their computation change, so that data sets saved earlier are no longer used.
DATA_VERSION = 2

_SIZES = "sizes.json"
_BESIDE = ".joining-"
_LEFT_BEHIND = 24 * 3600  # seconds after which the temporary folders of interrupted processes are removed


class SaveError(DataError):
    """The cache folder cannot be read or written."""


def cache_folder() -> Path:
    """Return PIXFOUND_CACHE, or `pixfound` in XDG_CACHE_HOME, or `~/.cache/pixfound`: the first that is set."""
    if chosen := read_setting("PIXFOUND_CACHE"):
        return Path(chosen).expanduser()
    return Path(read_setting("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pixfound"


def place_of(name: str, key: str) -> Path:
    """Return the folder that a data set with this name and (hexadecimal) key is saved in."""
    return cache_folder() / f"{name}-v{DATA_VERSION}-{key[:16]}"


def saved(name: str, key: str, build: Callable[[], DatasetDict]) -> Path:
    """Return the folder of the data set with this key. Builds and saves the data set if it is missing or damaged.

    Raises SaveError if the folder cannot be read or written, and any error that `build` raises.
    """
    place = place_of(name, key)
    with _with_fix_hint(name):
        if is_whole(place):
            return place
        if place.is_dir():
            logger.warning(f"{name}: {place} is damaged and is built again")
    dataset = build()
    with _with_fix_hint(name):
        _save(dataset, place)
    logger.info(f"{name}: saved in {place}")
    return place


def is_whole(place: Path) -> bool:
    """Whether a folder holds all files that were saved in it, with their original sizes."""
    try:
        sizes = json.loads((place / _SIZES).read_text())
        return bool(sizes) and all((place / file).stat().st_size == size for file, size in sizes.items())
    except (FileNotFoundError, NotADirectoryError, ValueError, AttributeError):
        return False


def _save(dataset: DatasetDict, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_behind(place.parent)
    with TemporaryDirectory(prefix=_BESIDE, dir=place.parent) as temporary:
        written = Path(temporary) / place.name
        dataset.save_to_disk(written)
        sizes = {str(file.relative_to(written)): file.stat().st_size for file in written.rglob("*") if file.is_file()}
        (written / _SIZES).write_text(json.dumps(sizes))
        if not is_whole(place):
            with suppress(FileNotFoundError):  # it does not exist, or another process has just moved it
                place.rename(Path(temporary) / "damaged")
        try:
            written.rename(place)
        except OSError:
            # If another process was faster, its data set has the same content. Any other failure is an error.
            if not is_whole(place):
                raise


def _remove_left_behind(folder: Path) -> None:
    for path in folder.glob(f"{_BESIDE}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _LEFT_BEHIND:
                shutil.rmtree(path)


@contextmanager
def _with_fix_hint(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SaveError(
            f"expected to save {name} in {cache_folder()}, but got {error.strerror or error}: make room there, or let "
            "PIXFOUND_CACHE name a folder that can be written to"
        ) from error
