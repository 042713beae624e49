"""PixMini: 120 pairs of drawn scenes in the format of PixMMVP, the same on every machine."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pixfound_tasks.benchmarks import pixmini_first
from pixfound_tasks.benchmarks.build import BenchmarkBuilder, from_documents
from pixfound_tasks.benchmarks.documents import Document
from pixfound_tasks.benchmarks.drawn_document import drawn_document
from pixfound_tasks.benchmarks.records.pixmini import VERSION, version
from pixfound_tasks.mini.pairs import Pair, sample_pair
from pixfound_tasks.mini.scenes import draw

FIRST_SEED = 600_100_000  # far from the seeds that the embedded models are trained with
# The patterns of PixMMVP, with their topics and the number of pairs of each.
TOPICS = {
    "Presence of Specific Features": {"extra": 7, "presence": 6},
    "Positional and Relational Context": {"side": 3, "height": 3, "beside": 3, "above": 3, "front": 4},
    "State and Condition": {"state": 13},
    "Color and Appearance": {"color": 6, "part color": 7},
    "Viewpoint and Perspective": {"view": 13},
    "Quantity and Count": {"count": 13},
    "Orientation and Direction": {"facing": 13},
    "Structural and Physical Characteristics": {"form": 13},
    "Text": {"letter": 13},
}
SMALL = ("state", "view")  # every second pair on these topics shows small things
COUNT = 2 * sum(sum(topics.values()) for topics in TOPICS.values())  # documents
PATTERNS = {topic: pattern for pattern, topics in TOPICS.items() for topic in topics}


def builder(local_only: bool = False) -> BenchmarkBuilder:
    """Return how PixMini is built. Every process draws it again, so a stale copy is never used."""
    return from_documents(build() if version() == VERSION else pixmini_first.build())


@lru_cache
def build() -> tuple[Document, ...]:
    """Draw the 240 documents of data version 3. The topics alternate from pair to pair."""
    pairs = enumerate(map(_pair, range(len(_schedule()))))
    return tuple(_document(pair, index, half) for index, pair in pairs for half in (0, 1))


def document(number: int) -> Document:
    """Draw only the document of data version 3 with this number, which counts from 1."""
    index, half = divmod(number - 1, 2)
    return _document(_pair(index), index, half)


@lru_cache
def _schedule() -> tuple[tuple[str, bool], ...]:
    """Return each pair's topic, and whether it shows small things. All topics come in turn until they are used up."""
    counts = {topic: count for topics in TOPICS.values() for topic, count in topics.items()}
    rounds = range(max(counts.values()))
    return tuple(
        (topic, topic in SMALL and turn % 2 == 0) for turn in rounds for topic, count in counts.items() if turn < count
    )


def _pair(index: int) -> Pair:
    return sample_pair(np.random.RandomState(FIRST_SEED + index), *_schedule()[index])


def _document(pair: Pair, index: int, half: int) -> Document:
    scene, question = pair.scenes[half], pair.questions[half]
    drawing = draw(scene)
    mask = drawing.mask(scene, question.reference.things, question.reference.part)
    return drawn_document(
        index, half, question, PATTERNS[pair.topic], pair.expression, drawing.image, mask, version=VERSION
    )
