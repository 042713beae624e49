"""How a benchmark is made: of which files, and under which key what comes of them is saved."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pixfound_tasks.benchmarks import cache
from pixfound_tasks.benchmarks.documents import Document, as_dataset, fingerprint
from pixfound_tasks.benchmarks.sources import Files


class Joining(NamedTuple):
    """A benchmark that can be joined.

    `files` is None where it is drawn. `join` gives the documents; `checked` gives them on, and raises DataError unless
    they are what was published.
    """

    name: str
    origin: str
    files: Files | None
    key: str
    join: Callable[[], Iterable[Document]]
    checked: Callable[[Iterable[Document]], Iterable[Document]]

    @property
    def place(self) -> Path:
        """The folder that it is saved in, or will be."""
        return cache.place_of(self.name, self.key)

    def saved(self) -> Path:
        """The same folder, with it in; raises DataError where files are missing or not what was published."""
        return cache.saved(self.name, self.key, lambda: as_dataset(self.checked(self.join())))


def from_documents(documents: Sequence[Document]) -> Joining:
    """A benchmark whose documents are made by code: they are saved under a key of their content."""
    first = documents[0]
    return Joining(first.benchmark, first.origin, None, fingerprint(documents), lambda: documents, lambda them: them)


def content_key(digest: str, origin: str) -> str:
    """The key of what is joined from files of this digest, with this origin in its documents."""
    return hashlib.sha256(f"{digest} {origin}".encode()).hexdigest()
