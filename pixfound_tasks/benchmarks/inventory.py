"""What there is of a benchmark on this machine, without downloading anything."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import filter as matching
from pathlib import Path
from typing import NamedTuple

from pixfound_tasks.benchmarks import cache, joining_of, published
from pixfound_tasks.benchmarks.benchmark import HubFiles
from pixfound_tasks.benchmarks.documents import Document
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.benchmarks.sources import DataError, Files, asked_revision, download, remedy_named
from pixfound_tasks.settings import read_setting


class Inventory(NamedTuple):
    """Where a benchmark is from, what is missing, and where it is saved once it is joined.

    `revisions` maps the hub's data sets to the revision that is here, None where there is none; it is empty where
    nothing comes from the hub. `counts` are those of `published.tally`; they, `folder` and `bytes` are empty where
    the benchmark is not joined yet. `problem` says what keeps it from being joined.
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
    """The inventory of one benchmark; raises ValueError for settings in the environment that are none."""
    record, source = get_benchmark(benchmark), "built in"
    if record.files:
        source = f"local folder {data}" if (data := read_setting("PIXFOUND_DATA")) else "hub"
    found = Inventory(benchmark, source, {}, 0, [], 0, record.document_count, {}, "", 0, "")
    try:
        with remedy_named(benchmark):
            if record.files and source == "hub":
                found = found._replace(revisions=_revisions(benchmark, record.files))
            joining = joining_of(benchmark, local_only=True)
    except DataError as error:
        return found._replace(problem=str(error))
    if joining.files:
        missing = _missing(record.files.expected if record.files else (), joining.files)
        found = found._replace(files=len(joining.files.paths), missing=missing)
    place = joining.place
    if not cache.is_whole(place):
        return found._replace(problem=f"{place} is damaged, and is made anew when it is used" * place.is_dir())
    counts = published.tally(_saved_documents(place))
    size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    return found._replace(documents=counts["images"], counts=counts, folder=str(place), bytes=size)


def _revisions(benchmark: str, files: HubFiles) -> dict[str, str | None]:
    asked = {files.annotations: asked_revision(benchmark)}
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
