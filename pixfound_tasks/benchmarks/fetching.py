"""Getting a benchmark: downloaded where it is not in PIXFOUND_DATA, joined, checked and saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pixfound_tasks.benchmarks import cache, downloads, joining_of
from pixfound_tasks.benchmarks.benchmark import HubFiles
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.benchmarks.sources import DataError, asked_revision, download, local_folder, remedy_named


def fetch(benchmark: str) -> Iterator[str]:
    """Do it, and say step by step what was done; raises DataError where it cannot be.

    The hub's client shows progress, goes on with what was interrupted, and downloads nothing that is there.
    """
    with remedy_named(benchmark):
        files = get_benchmark(benchmark).files
        if files is None:
            yield "drawn by code, nothing to download"
        elif folder := local_folder(files.folder, files.layout):
            yield f"PIXFOUND_DATA has it: {folder}; nothing is downloaded"
        else:
            yield from _discard_damaged(benchmark, files)
        joining = joining_of(benchmark)
        yield f"origin: {joining.origin}"
        was_there = cache.is_whole(joining.place)
        place = joining.saved()
        yield f"{'saved before' if was_there else 'joined, checked and saved'} in {place}"


def _discard_damaged(benchmark: str, files: HubFiles) -> Iterator[str]:
    """Offline they are kept: the error that they lead to names them."""
    from huggingface_hub import constants

    for repo in () if constants.HF_HUB_OFFLINE else files.repositories:
        revision = asked_revision(benchmark) if repo == files.annotations else None
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
