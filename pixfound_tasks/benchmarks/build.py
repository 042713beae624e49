"""How a benchmark is built: its files, and the key that the result is saved under."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pixfound_tasks.benchmarks import cache
from pixfound_tasks.benchmarks.documents import PROVENANCE, Document, as_dataset, fingerprint
from pixfound_tasks.benchmarks.sources import Files


class BenchmarkBuilder(NamedTuple):
    """A benchmark that is ready to be built.

    `files` is None if the benchmark is drawn by code. `join` returns the documents. `checked` passes the documents
    through and raises DataError if they differ from the published ones. The data set is saved under `key`.
    """

    name: str
    origin: str
    files: Files | None
    key: str
    join: Callable[[], Iterable[Document]]
    checked: Callable[[Iterable[Document]], Iterable[Document]]

    @property
    def place(self) -> Path:
        """The folder that the benchmark is or will be saved in."""
        return cache.place_of(self.name, self.key)

    def saved(self) -> Path:
        """Build and save the benchmark if needed, and return its folder.

        Raises DataError if files are missing or differ from the published ones.
        """
        return cache.saved(self.name, self.key, lambda: as_dataset(self.checked(self.join())))


def from_documents(documents: Sequence[Document]) -> BenchmarkBuilder:
    """Return a BenchmarkBuilder for documents that are made by code. Its key is the fingerprint of their content."""
    first = documents[0]
    return BenchmarkBuilder(
        first.benchmark, first.origin, None, fingerprint(documents), lambda: documents, lambda them: them
    )


def with_provenance(documents: Iterable[Document], digest: str, **entries: str | None) -> Iterator[Document]:
    """Yield the documents with the digest of the files that they were built from, and with other provenance entries.

    Entries that are not given stay as they are.
    """
    for document in documents:
        yield document._replace(provenance={**document.provenance, "content": digest[:12], **entries})


def content_key(digest: str, origin: str) -> str:
    """Return the key of a benchmark that is built from files with this digest and whose documents name this origin."""
    return hashlib.sha256(f"{digest} {origin} {' '.join((*Document._fields, *PROVENANCE))}".encode()).hexdigest()
