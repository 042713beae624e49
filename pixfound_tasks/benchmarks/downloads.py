"""What the hub's client keeps of a download: whether it is what the hub has, and throwing away what is not.

A file of a snapshot is a link to a blob, whose name is the content's Git hash, or of large files its SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from pixfound_tasks.benchmarks.sources import file_digest


def damaged(files: Iterable[Path]) -> Iterator[Path]:
    """The downloaded files whose content is not what their blob's name says; what is no link is passed over."""
    return (file for file in files if _is_damaged(file))


def discard(files: Iterable[Path]) -> None:
    """Remove files with their blobs, so that they are downloaded anew."""
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
