"""The progress bars of lmms-eval, transformers and datasets, all of which are tqdm's.

| replaced | for what | seen in |
|---|---|---|
| `tqdm.std.tqdm.__init__` | only the bar that counts requests is shown | 4.60 to 4.69 |
"""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Descriptions of the bars that count requests: those of lmms-eval's models, and of ours.
OF_REQUESTS = ("Model Responding", "answering")
_FEW = 5  # requests, after which the time that is left is estimated
_STEPS = 10  # lines of progress, if the output is not a terminal
_PAUSE = 10  # seconds


@contextmanager
def only_requests_shown(say: Callable[[str], None]) -> Iterator[None]:
    """Show no bars but that of the requests; in place of that, say a few lines if standard error is not a terminal.

    Before the first request, `say` is told how many there are; after the first few, the bar or a line says how long the
    others will take.
    """
    from tqdm.std import tqdm

    replaced, original = vars(tqdm)["__init__"], tqdm.__init__

    @functools.wraps(original)
    def init(self: Any, iterable: Any = None, desc: str | None = None, *rest: Any, **options: Any) -> None:
        counts_requests = desc in OF_REQUESTS and not options.get("disable")
        if not counts_requests:
            original(self, iterable, desc, *rest, **{**options, "disable": True})
            return
        is_terminal = sys.stderr.isatty()
        options |= {"dynamic_ncols": True} if is_terminal else {"file": io.StringIO()}
        original(self, iterable, desc, *rest, **options)
        said = _Lines(self.total, say)
        said.begin()
        if not is_terminal:
            self.display = lambda *_, **__: said.advance(self.n, self.format_dict["elapsed"])

    tqdm.__init__ = init
    try:
        yield
    finally:
        tqdm.__init__ = replaced


class _Lines:
    """Progress in lines: the count, an estimate after the first few requests, and each tenth of all.

    No line comes sooner than `_PAUSE` seconds after the one before it, except the last.
    """

    def __init__(self, total: int | None, say: Callable[[str], None]) -> None:
        self.total, self.say = total or 0, say
        self.next, self.said_at = min(_FEW, self.total), 0.0

    def begin(self) -> None:
        if self.total:
            self.say(f"{self.total:,} requests")

    def advance(self, done: int, seconds: float) -> None:
        if not self.total or done < max(self.next, 1):
            return
        if done >= self.total:
            self.next = self.total + 1
            self.say(f"all {self.total:,} answered in {duration(seconds)}")
        elif seconds - self.said_at >= _PAUSE or not self.said_at:
            self.said_at = seconds
            self.next = -(-self.total * (done * _STEPS // self.total + 1) // _STEPS)
            left = seconds / done * (self.total - done)
            if left >= _PAUSE:
                self.say(f"{done:,} of {self.total:,} answered; about {duration(left)} left")


def duration(seconds: float) -> str:
    """Return a duration in the two largest units that it has, such as "2 h 5 min"."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
