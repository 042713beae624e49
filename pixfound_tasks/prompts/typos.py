"""Misspells text with the same random draws as the PixFoundation study (arXiv 2502.04192, prompt sensitivity)."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass

import numpy as np

SEED = 2024  # the seed of the study's first variation; later variations add their number to it

_SHORTEST = 5  # characters; no edit is drawn at the first two or the last two


@dataclass(frozen=True)
class Draws:
    """The two random streams of the study, with one seed and independent of the global streams.

    `numbers` gives the same draws as numpy's global functions after `np.random.seed(seed)`. `letters` gives the same
    draws as the module `random` after `random.seed(seed)`. Both have state: each draw depends on the draws before it.
    """

    numbers: np.random.RandomState
    letters: random.Random

    @classmethod
    def seeded(cls, seed: int) -> Draws:
        return cls(np.random.RandomState(seed), random.Random(seed))


def add_typos(text: str, count: int, draws: Draws) -> str:
    """Apply `count` edits of one randomly drawn kind: swap neighboring characters, insert letters, or drop characters.

    The draws follow the study exactly. A text with fewer than five characters is returned unchanged, but the kind is
    still drawn. All positions are drawn for the length of the original text. A drop beyond the end of the shortened
    text has no effect.
    """
    edit = _EDITS[draws.numbers.randint(len(_EDITS))]
    if len(text) < _SHORTEST:
        return text
    for place in draws.numbers.randint(2, len(text) - 2, count).tolist():
        text = edit(text, place, draws.letters)
    return text


def _swap(text: str, place: int, letters: random.Random) -> str:
    """Swap a character with the next one, or with the previous one if the next one is a space."""
    first = place - 1 if text[place + 1] == " " else place
    return text[:first] + text[first + 1] + text[first] + text[first + 2 :]


def _insert(text: str, place: int, letters: random.Random) -> str:
    return text[:place] + letters.choice(string.ascii_letters) + text[place:]


def _drop(text: str, place: int, letters: random.Random) -> str:
    return text[:place] + text[place + 1 :]


_EDITS = (_swap, _insert, _drop)  # the drawn number is the index
