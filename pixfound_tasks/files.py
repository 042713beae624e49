"""Atomic file writes: a file is either complete or absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder. It replaces `path` if the block succeeds and is deleted if it fails.

    Readers of `path` see the old content or all of the new content, even if several processes write it, a process is
    killed, or the disk is full.
    """
    beside = path.with_name(f"{path.name}.{uuid4().hex}.part")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
