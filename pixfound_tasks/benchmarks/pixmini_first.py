"""PixMini before data version 3: 60 pairs of plain shapes, for results that were made with it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pixfound_tasks.benchmarks.documents import Document
from pixfound_tasks.benchmarks.drawn_document import drawn_document
from pixfound_tasks.mini.first.pairs import Pair, sample_pair
from pixfound_tasks.mini.first.questions import ASKERS
from pixfound_tasks.mini.first.scenes import draw

PAIR_COUNT = 60
FIRST_SEED = 600_000_000  # far from the seed that the embedded model is trained with
PATTERNS = {
    "side": "Positional and Relational Context",
    "height": "Positional and Relational Context",
    "color": "Color and Appearance",
    "size": "Structural and Physical Characteristics",
    "presence": "Presence of Specific Features",
    "count": "Quantity and Count",
    "beside": "Positional and Relational Context",
    "above": "Positional and Relational Context",
    "orientation": "Orientation and Direction",
}


@lru_cache
def build() -> tuple[Document, ...]:
    """Draw the 120 documents. The nine kinds of question alternate from pair to pair."""
    pairs = enumerate(map(_pair, range(PAIR_COUNT)))
    return tuple(_document(pair, index, half) for index, pair in pairs for half in (0, 1))


def document(number: int) -> Document:
    """Draw only the document with this number, which counts from 1."""
    index, half = divmod(number - 1, 2)
    return _document(_pair(index), index, half)


def _pair(index: int) -> Pair:
    kinds = list(ASKERS)
    return sample_pair(np.random.RandomState(FIRST_SEED + index), kinds[index % len(kinds)])


def _document(pair: Pair, index: int, half: int) -> Document:
    drawing = draw(pair.scenes[half])
    mask = np.any(drawing.masks[list(pair.targets[half])], axis=0)
    return drawn_document(
        index, half, pair.questions[half], PATTERNS[pair.kind], pair.expression, drawing.image, mask, version="1"
    )
