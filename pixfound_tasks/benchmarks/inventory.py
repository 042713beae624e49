"""Lists which parts of a benchmark are on this machine. Downloads nothing."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import filter as matching
from pathlib import Path
from typing import NamedTuple

from pixfound_tasks.benchmarks import builder_of, cache, published
from pixfound_tasks.benchmarks.benchmark import HubFiles
from pixfound_tasks.benchmarks.documents import Document
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.benchmarks.sources import DataError, Files, download, requested_revision, with_fix_hint
from pixfound_tasks.settings import read_setting


class Inventory(NamedTuple):
    """The source of a benchmark, its missing files, and the folder that it is saved in.

    `revisions` maps each hub data set to its local revision, or to None if it is not downloaded. It is empty if nothing
    comes from the hub. `counts` come from `published.tally`. `counts`, `folder` and `bytes` are empty or 0 if the
    benchmark is not saved yet. `problem` says why the benchmark cannot be built, or that the saved one is damaged.
    """

    benchmark: str
    source: str  # "local folder ...", "hub" or "built in"
    revisions: dict[str, str | None]
    files: int
    missing: list[str]
    documents: int
    known_documents: int
    counts: dict[str, int]
    folder: str
    bytes: int
    problem: str


def take(benchmark: str) -> Inventory:
    """Return the inventory of one benchmark.

    Raises ValueError if the name is unknown or an environment variable has an invalid value.
    """
    record, source = get_benchmark(benchmark), "built in"
    if record.files:
        source = f"local folder {data}" if (data := read_setting("PIXFOUND_DATA")) else "hub"
    found = Inventory(benchmark, source, {}, 0, [], 0, record.document_count, {}, "", 0, "")
    try:
        with with_fix_hint(benchmark):
            if record.files and source == "hub":
                found = found._replace(revisions=_revisions(benchmark, record.files))
            builder = builder_of(benchmark, local_only=True)
    except DataError as error:
        return found._replace(problem=str(error))
    if builder.files:
        missing = _missing(record.files.expected if record.files else (), builder.files)
        found = found._replace(files=len(builder.files.paths), missing=missing)
    place = builder.place
    if not cache.is_whole(place):
        return found._replace(problem=f"{place} is damaged and is built again when it is used" * place.is_dir())
    counts = published.tally(_saved_documents(place))
    size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    return found._replace(documents=counts["images"], counts=counts, folder=str(place), bytes=size)


def _revisions(benchmark: str, files: HubFiles) -> dict[str, str | None]:
    asked = {files.annotations: requested_revision(benchmark)}
    return {repo: _revision(repo, patterns, asked.get(repo)) for repo, patterns in files.repositories.items()}


def _revision(repo: str, patterns: Iterable[str], asked: str | None) -> str | None:
    try:
        return download(repo, list(patterns), asked, local_only=True).name
    except DataError:
        return None


def _missing(expected: Iterable[str], files: Files) -> list[str]:
    return [name for name in expected if not matching(files.paths, name)]


def _saved_documents(place: Path) -> Iterable[Document]:
    from datasets import load_from_disk

    rows = load_from_disk(str(place))["test"].remove_columns("image")
    return (Document(**row, image={}) for row in rows)
