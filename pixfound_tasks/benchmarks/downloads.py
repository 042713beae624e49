"""Finds and removes damaged files in the local cache of the hub's client.

Each file of a snapshot is a link to a blob. The blob's name is the Git hash of its content, or the SHA-256 if the file
is large.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from pixfound_tasks.benchmarks.sources import file_digest


def damaged(files: Iterable[Path]) -> Iterator[Path]:
    """Yield the downloaded files whose content does not match the hash in their blob's name.

    Skips files that are not links to blobs.
    """
    return (file for file in files if _is_damaged(file))


def discard(files: Iterable[Path]) -> None:
    """Remove files and their blobs, so that they are downloaded again."""
    for file in files:
        file.resolve().unlink(missing_ok=True)
        file.unlink(missing_ok=True)


def _is_damaged(file: Path) -> bool:
    name = file.readlink().name if file.is_symlink() else ""
    if len(name) not in (40, 64) or not set(name) <= set("0123456789abcdef"):
        return False
    if not file.exists():
        return True
    return name != (file_digest(file) if len(name) == 64 else _git_hash(file))


def _git_hash(file: Path) -> str:
    content = file.read_bytes()
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
