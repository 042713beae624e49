"""How far a command is, on standard error: a bar for each of its steps in a terminal, one line elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

T = TypeVar("T")


class Track(Protocol):
    """Gives the items as they are, and shows how many of `total` have been taken; None: it is not known."""

    def __call__(self, items: Iterable[T], words: str, total: int | None = None) -> Iterator[T]: ...


def untracked(items: Iterable[T], words: str, total: int | None = None) -> Iterator[T]:
    """The items, with nothing shown."""
    return iter(items)


@contextmanager
def progress_shown(what: str) -> Iterator[Track]:
    """What is given tracks while the context lasts; where standard error is no terminal, only `what` is printed."""
    console = Console(stderr=True)
    if not console.is_terminal:
        typer.echo(what, err=True)
        yield untracked
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
