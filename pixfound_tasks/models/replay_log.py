"""What the warnings at the end of a replay are made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from pixfound_tasks.models.png_masks import UnreadableMask

_NAMED = 5  # a warning names at most this many unreadable files
_WHOLE = 0.9  # of the image: a mask that covers more is hardly an object


@dataclass
class ReplayLog:
    """What happened in one replay.

    Attributes:
        notes: the number of documents by what is to be said of them.
        unreadable: the mask files that were not read, by name.
        read_as: the names of the files that are no plain masks, by how they were read.
        covered: the fraction of the image that each document's mask covers.
    """

    notes: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, UnreadableMask] = field(default_factory=dict)
    read_as: dict[str, list[str]] = field(default_factory=dict)
    covered: list[float] = field(default_factory=list)

    def warnings(self, documents: int) -> Iterator[str]:
        """One line for each kind of thing to know about a replay of so many documents."""
        for note, count in self.notes.items():
            yield f"{count} of {documents} documents {note}"
        for how, names in self.read_as.items():
            yield (
                f"{len(names)} mask files, such as {names[0]!r}, have {how}. If that is wrong, save the masks as white "
                "on a transparent ground"
            )
        if self.unreadable:
            shown = list(self.unreadable.items())[:_NAMED]
            named = ", ".join(f"{name!r} ({str(why)[: 240 if why.is_picture else 80]})" for name, why in shown)
            yield f"{len(self.unreadable)} masks cannot be read and count as missing, such as {named}"
        whole = sum(fraction > _WHOLE for fraction in self.covered)
        if whole > len(self.covered) / 2:
            yield (
                f"the masks of {whole} of {len(self.covered)} documents cover more than {_WHOLE:.0%} of the image: "
                "check that they are 0 outside the object"
            )
