"""What is known of how queries read patches: the attention calls, and what their rows and keys are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pixfound_tasks.attention.geometry import TokenGeometry

if TYPE_CHECKING:
    from jaxtyping import Int

_DIGITS = 3  # of a pixel, in which the boxes of patches of one place agree


class ReadingCall(NamedTuple):
    """What the rows and keys of one attention call are. -1 stands for nothing of the kind.

    Attributes:
        number: which of the vision part's attention calls it is.
        tokens: the image token that each row becomes.
        columns: the patch that each key is.
        states: the image token whose earlier state each key is.
    """

    number: int
    tokens: Int[np.ndarray, "items rows"]
    columns: Int[np.ndarray, "items keys"]
    states: Int[np.ndarray, "items keys"]


class Reading(NamedTuple):
    """How the image tokens of a prompt read patches.

    Attributes:
        calls: the attention calls that carry patches to image tokens, in order.
        ids: the ids of the image tokens in the prompt; empty if the decoder reads them by cross-attention.
        tokens: the number of image tokens.
        columns: the number of patches.
        sources: the calls that read them first, in the order of their columns.
    """

    calls: tuple[ReadingCall, ...]
    ids: tuple[int, ...]
    tokens: int
    columns: int
    sources: tuple[int, ...]

    def arrays(self) -> dict[str, Int[np.ndarray, "*any"]]:
        """Return what `reading_of` needs, as named arrays."""
        numbers = [call.number for call in self.calls]
        found = {"reading": np.array([self.tokens, self.columns, *numbers]), "sources": np.array(self.sources)}
        for call in self.calls:
            found |= {f"{name}_{call.number}": getattr(call, name) for name in ("tokens", "columns", "states")}
        return found

    def over(self, geometries: Sequence[TokenGeometry]) -> tuple[Reading, tuple[TokenGeometry, ...]]:
        """Return this reading and its patches' geometries without patches that show no place.

        Patches of an image with the same box, as of a video's equal frames, become one.
        """
        kept, column_of, total = list[TokenGeometry](), list[np.ndarray](), 0
        for geometry in geometries:
            is_placed = ~np.isnan(geometry.boxes[:, 0])
            rounded = np.round(geometry.boxes[is_placed], _DIGITS)
            _, first, inverse = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
            order = np.argsort(first)
            columns = np.full(len(geometry.boxes), -1)
            columns[is_placed] = total + np.argsort(order)[inverse.ravel()]
            kept.append(TokenGeometry(geometry.boxes[is_placed][first[order]], geometry.size))
            column_of.append(columns)
            total += len(first)
        new = np.append(np.concatenate(column_of), -1)  # whose last is that of no column
        calls = tuple(call._replace(columns=new[call.columns]) for call in self.calls)
        return self._replace(calls=calls, columns=total), tuple(kept)


def reading_of(arrays: Mapping[str, Any]) -> Reading | None:
    """Return the reading whose `arrays` these are, with the ids of the image tokens; None without one."""
    if "reading" not in arrays:
        return None
    tokens, columns, *numbers = arrays["reading"].tolist()
    calls = [
        ReadingCall(number, *(arrays[f"{name}_{number}"] for name in ("tokens", "columns", "states")))
        for number in numbers
    ]
    return Reading(tuple(calls), tuple(arrays["ids"].tolist()), tokens, columns, tuple(arrays["sources"].tolist()))
