"""Progress on standard error: one bar per step in a terminal, one line in all if it is not a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

T = TypeVar("T")


class Track(Protocol):
    """Yields the items unchanged and shows how many of `total` were taken. `total` is None if it is unknown."""

    def __call__(self, items: Iterable[T], words: str, total: int | None = None) -> Iterator[T]: ...


def untracked(items: Iterable[T], words: str, total: int | None = None) -> Iterator[T]:
    """Yields the items and shows nothing."""
    return iter(items)


@contextmanager
def progress_shown(what: str) -> Iterator[Track]:
    """Yields a `Track` for the duration of the context. If standard error is not a terminal, prints only `what`.

    That is printed when the first item is asked for, so not before an error about what there is to track.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        unsaid = [what]

        def say_once(items: Iterable[T], words: str, total: int | None = None) -> Iterator[T]:
            while unsaid:
                typer.echo(unsaid.pop(), err=True)
            return iter(items)

        yield say_once
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:

        def track(items: Iterable[T], words: str, total: int | None = None) -> Iterator[T]:
            step = progress.add_task(words, total=total)
            taken = 0
            for item in items:
                yield item
                taken += 1
                progress.update(step, completed=taken)
            progress.update(step, total=taken)

        yield track
