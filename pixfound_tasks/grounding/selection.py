"""Which of the phrases' masks is the answer, chosen without the truth."""

from __future__ import annotations

from collections.abc import Sequence

from pixfound_tasks.response import Phrase, Selection

THRESHOLD = 0.7  # a phrase less similar than this is about something else: the object is "not there"


def select_by_similarity(phrases: Sequence[Phrase], threshold: float = THRESHOLD) -> Selection:
    """The phrase most similar to the expression, the later one on ties, and of it the surest mask.

    Phrases whose similarity is not known, or that have no mask, are passed over. Source: PixFoundation, section 3.
    """
    known = [(p.similarity, i) for i, p in enumerate(phrases) if p.similarity is not None and p.candidates]
    best, index = max(known, default=(-1.0, 0))
    if best < threshold:
        return Selection("similarity")
    return Selection("similarity", index, surest_candidate(phrases[index]))


def select_first(phrases: Sequence[Phrase]) -> Selection:
    """The first mask of the first phrase that has one."""
    index = next((i for i, phrase in enumerate(phrases) if phrase.candidates), None)
    return Selection("first") if index is None else Selection("first", index, 0)


def surest_candidate(phrase: Phrase) -> int:
    """Index of the candidate with the highest score, the later one on ties."""
    return max(range(len(phrase.candidates)), key=lambda index: (phrase.candidates[index].score, index))


SELECTIONS = {"similarity": select_by_similarity, "first": select_first}
