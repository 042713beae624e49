"""Getting a benchmark: downloaded where it is not in PIXFOUND_DATA, joined, checked and saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

from pixfound_tasks.benchmarks import cache, downloads, joining_of
from pixfound_tasks.benchmarks.sources import DataError, asked_revision, download, local_folder, remedy_named


def fetch(benchmark: str) -> Iterator[str]:
    """Do it, and say step by step what was done; raises DataError where it cannot be.

    The hub's client shows progress, goes on with what was interrupted, and downloads nothing that is there.
    """
    with remedy_named(benchmark):
        if benchmark == "pixmini":
            yield "drawn by code, nothing to download"
        elif folder := _local_folder(benchmark):
            yield f"PIXFOUND_DATA has it: {folder}; nothing is downloaded"
        else:
            yield from _discard_damaged(benchmark)
        joining = joining_of(benchmark)
        yield f"origin: {joining.origin}"
        was_there = cache.is_whole(joining.place)
        place = joining.saved()
        yield f"{'saved before' if was_there else 'joined, checked and saved'} in {place}"


def _local_folder(benchmark: str) -> Path | None:
    module = import_module(f"{__package__}.{benchmark}")
    return local_folder(module.FOLDER, module.LAYOUT)


def _discard_damaged(benchmark: str) -> Iterator[str]:
    """Offline they are kept: the error that they lead to names them."""
    from huggingface_hub import constants

    module = import_module(f"{__package__}.{benchmark}")
    for repo in () if constants.HF_HUB_OFFLINE else module.REPOSITORIES:
        revision = asked_revision(benchmark) if repo == module.ANNOTATIONS else None
        broken = list(downloads.damaged(_kept(repo, revision)))
        if broken:
            downloads.discard(broken)
            yield f"{repo}: damaged, downloaded anew: {', '.join(sorted(file.name for file in broken))}"


def _kept(repo: str, revision: str | None) -> Iterable[Path]:
    """The files of a data set that were downloaded earlier."""
    try:
        return list(download(repo, ["README.md"], revision, local_only=True).rglob("*"))
    except DataError:
        return []
