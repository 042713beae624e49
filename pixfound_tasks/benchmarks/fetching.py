"""Fetches a benchmark: downloads it if PIXFOUND_DATA is not set, builds it, checks it and saves it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pixfound_tasks.benchmarks import builder_of, cache, downloads
from pixfound_tasks.benchmarks.benchmark import HubFiles
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.benchmarks.sources import DataError, download, local_folder, requested_revision, with_fix_hint


def fetch(benchmark: str) -> Iterator[str]:
    """Fetch a benchmark, and yield a line of text after each step.

    The hub's client shows progress, resumes interrupted downloads, and skips files that are already there. Raises
    DataError if files are missing, cannot be downloaded, or differ from the published ones.
    """
    with with_fix_hint(benchmark):
        files = get_benchmark(benchmark).files
        if files is None:
            yield "drawn by code, nothing to download"
        elif folder := local_folder(files.folder, files.layout):
            yield f"PIXFOUND_DATA has it: {folder}; nothing is downloaded"
        else:
            yield from _discard_damaged(benchmark, files)
        builder = builder_of(benchmark)
        yield f"origin: {builder.origin}"
        was_there = cache.is_whole(builder.place)
        place = builder.saved()
        yield f"{'saved before' if was_there else 'joined, checked and saved'} in {place}"


def _discard_damaged(benchmark: str, files: HubFiles) -> Iterator[str]:
    """Remove damaged downloads. Offline, keep them: they cannot be replaced, and reading them gives a clear error."""
    from huggingface_hub import constants

    for repo in () if constants.HF_HUB_OFFLINE else files.repositories:
        revision = requested_revision(benchmark) if repo == files.annotations else None
        broken = list(downloads.damaged(_kept(repo, revision)))
        if broken:
            downloads.discard(broken)
            yield f"{repo}: damaged, downloaded again: {', '.join(sorted(file.name for file in broken))}"


def _kept(repo: str, revision: str | None) -> Iterable[Path]:
    """Return the files of a data set that were downloaded earlier."""
    try:
        return list(download(repo, ["README.md"], revision, local_only=True).rglob("*"))
    except DataError:
        return []
