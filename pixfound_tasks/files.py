"""Files that are there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place when the block ends well and goes when it does not.

    Who reads `path` sees what was there before or all of what was written, also where several processes write it, one
    is killed, or the disk is full.
    """
    beside = path.with_name(f"{path.name}.{uuid4().hex}.part")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
