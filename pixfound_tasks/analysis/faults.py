"""What keeps answers from being scored as answers: counted over a run, and said with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

MOST = 0.02  # a larger fraction of a task's answers is worth a warning


class Fault(NamedTuple):
    """A kind of fault: its name in the samples, what to say of the answers that have it, and what to do about it."""

    name: str
    says: str
    remedy: str


FAULTS = {
    fault.name: fault
    for fault in (
        Fault(
            "failed",
            "are missing, because their requests failed",
            "run the same command again; with --use_cache DIR it asks for these alone",
        ),
        Fault(
            "unfinished",
            "end while the model is thinking",
            "give it more tokens: --gen_kwargs max_new_tokens=4096",
        ),
        Fault(
            "undeclared",
            "have numbers without a declared meaning",
            "name the model's coordinate convention: PIXFOUND_COORDINATES=thousand, for example",
        ),
        Fault(
            "unparsed",
            "cannot be read",
            "look at them in the report; PIXFOUND_KIND chooses how a model is prompted",
        ),
        Fault(
            "unjudged",
            "got no verdict",
            "choose another judge: PIXFOUND_JUDGE=openai:MODEL, for example",
        ),
        Fault(
            "full",
            "have masks that cover nearly the whole image",
            "look at them in the report; another segmenter or PIXFOUND_COORDINATES may suit, and mask files need 0 as "
            "their ground",
        ),
        Fault(
            "empty",
            "have no mask although the object is in the image",
            "look at them in the report; select=phrase or PIXFOUND_KIND may suit the model better",
        ),
    )
}


MOST_UNREADABLE = 0.5  # if a larger fraction of the answers cannot be read, the score over them says little
UNREADABLE = ("failed", "unfinished", "undeclared", "unparsed", "unjudged")  # at most one of them per answer


class Flag(float):
    """0 or 1 for one answer, NaN if the answer is missing, with the names of the answer's faults."""

    faults: tuple[str, ...]

    def __new__(cls, value: float, faults: Iterable[str] = ()) -> Flag:
        flag = super().__new__(cls, value)
        flag.faults = tuple(faults)
        return flag

    def __reduce__(self) -> tuple[type[Flag], tuple[float, tuple[str, ...]]]:
        return Flag, (float(self), self.faults)  # several processes exchange their flags


def shares(faults: Iterable[Iterable[str]]) -> dict[str, float]:
    """The fraction of the answers that have each fault, in the order of `FAULTS`, from the faults of each answer."""
    listed = [set(names) for names in faults]
    counts = {name: sum(name in names for names in listed) for name in FAULTS}
    return {name: count / len(listed) for name, count in counts.items() if count}


def warnings(found: Mapping[str, float]) -> list[str]:
    """A sentence for each fault that more than `MOST` of the answers have, with its remedy, from their `shares`."""
    return [
        f"{share:.0%} of the answers {FAULTS[name].says}: {FAULTS[name].remedy}"
        for name, share in found.items()
        if share > MOST
    ]
