"""Misspelt text, draw for draw as the study's (PixFoundation, arXiv 2502.04192, prompt sensitivity)."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass

import numpy as np

SEED = 2024  # of the study's first variation; the next ones count on from it

_SHORTEST = 5  # characters: the first two and the last two are never drawn


@dataclass(frozen=True)
class Draws:
    """The two streams that the study draws from, seeded together and apart from the global ones.

    `numbers` gives what numpy's global functions give after `np.random.seed(seed)`, `letters` what `random` gives after
    `random.seed(seed)`. Drawing moves them on: what follows depends on what was drawn before.
    """

    numbers: np.random.RandomState
    letters: random.Random

    @classmethod
    def seeded(cls, seed: int) -> Draws:
        return cls(np.random.RandomState(seed), random.Random(seed))


def alter(text: str, count: int, draws: Draws) -> str:
    """`count` edits of one kind, drawn for the whole text: swapped neighbours, letters put in, or characters dropped.

    Kept as the study has it: the kind is drawn even where nothing can be edited (a text under five characters comes
    back as it is), places are drawn for the text as it was, and a place beyond its end by then drops nothing.
    """
    edit = _EDITS[draws.numbers.randint(len(_EDITS))]
    if len(text) < _SHORTEST:
        return text
    for place in draws.numbers.randint(2, len(text) - 2, count).tolist():
        text = edit(text, place, draws.letters)
    return text


def _swap(text: str, place: int, letters: random.Random) -> str:
    """Swap with the next character, or with the one before where the next is a blank."""
    first = place - 1 if text[place + 1] == " " else place
    return text[:first] + text[first + 1] + text[first] + text[first + 2 :]


def _insert(text: str, place: int, letters: random.Random) -> str:
    return text[:place] + letters.choice(string.ascii_letters) + text[place:]


def _drop(text: str, place: int, letters: random.Random) -> str:
    return text[:place] + text[place + 1 :]


_EDITS = (_swap, _insert, _drop)  # in the order of the number that is drawn
