"""Which of the phrases' masks is the answer, chosen without the truth.

The oracle and the chance control know the truth, and so are computed where responses are scored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.judged import select_by_judge
from pixfound_tasks.grounding.phrases import content_words, is_denied, named_words
from pixfound_tasks.response import Phrase, Probe, Selection

if TYPE_CHECKING:
    from pixfound_tasks.judges.base import Judge

THRESHOLD = 0.7  # a phrase less similar than this is about something else: the object is "not there"


class Selected(NamedTuple):
    """What was chosen, and what a judge was asked for it, to go into the response's provenance."""

    selection: Selection
    notes: dict[str, Any]


Selector = Callable[[Sequence[Phrase], Image.Image, str], Selected]


def select_by_similarity(phrases: Sequence[Phrase], threshold: float = THRESHOLD) -> Selection:
    """The phrase most similar to the expression, the later one on ties, and of it the surest mask.

    Phrases whose similarity is not known, or that have no mask, are passed over. Source: PixFoundation, section 3.
    """
    known = [(p.similarity, i) for i, p in enumerate(phrases) if p.similarity is not None and p.candidates]
    best, index = max(known, default=(-1.0, 0))
    if best < threshold:
        return Selection("similarity")
    return Selection("similarity", index, surest_candidate(phrases[index]))


def select_by_phrase(phrases: Sequence[Phrase], expression: str) -> Selection:
    """The phrase that names what the expression names, and of it the surest mask.

    Its head noun is the expression's, be it in the plural; of several the one that shares most words with the
    expression, the later one on ties. Denials and phrases that have no mask are passed over; none: "not there".
    """
    asked = named_words(expression)
    naming = [
        (len(set(content_words(phrase.text)) & set(asked)), index)
        for index, phrase in enumerate(phrases)
        if phrase.candidates and not is_denied(phrase.text) and asked and _head(phrase) == asked[-1]
    ]
    if not naming:
        return Selection("phrase")
    _, index = max(naming)
    return Selection("phrase", index, surest_candidate(phrases[index]))


def select_first(phrases: Sequence[Phrase]) -> Selection:
    """The first mask of the first phrase that has one."""
    index = next((i for i, phrase in enumerate(phrases) if phrase.candidates), None)
    return Selection("first") if index is None else Selection("first", index, 0)


def surest_candidate(probe: Probe) -> int:
    """Index of the candidate with the highest score, the later one on ties."""
    return max(range(len(probe.candidates)), key=lambda index: (probe.candidates[index].score, index))


def _head(phrase: Phrase) -> str | None:
    words = content_words(phrase.root) or content_words(phrase.text)
    return words[-1] if words else None


# Those that need the phrases alone.
SELECTIONS = {"similarity": select_by_similarity, "first": select_first}


def check_select(select: str, judge: Any) -> str:
    """The selection's name alone; `judge` is one, or its name, or None.

    Raises:
        ValueError: where the name is not known, or name and judge do not go together.
    """
    name = "similarity" if select.startswith("similarity:") else select
    check_choice("select", name, (*SELECTIONS, "phrase", "judge"))
    if (name == "judge") != (judge is not None):
        raise ValueError(
            f"expected a judge with select=judge and only then, but got {select=} and "
            f"judge={getattr(judge, 'name', judge)!r}; give select=judge together with judge=openai:MODEL, "
            "judge=local:CHECKPOINT or judge=self"
        )
    return name


def make_selector(select: str, judge: Judge | None = None) -> Selector:
    """The selector of this name: a function of phrases with their masks, the image (RGB) and the expression.

    Args:
        select: "similarity", also with the name of one (see `make_similarity`; the phrases come with theirs
            measured), "phrase", "first" or "judge".
        judge: who is asked with "judge", and only then.

    Raises:
        ValueError: as `check_select` does.
    """
    name = check_select(select, judge)
    if judge is not None:
        return partial(_selected_by_judge, judge=judge)
    if name == "phrase":
        return lambda phrases, image, expression: Selected(select_by_phrase(phrases, expression), {})
    return lambda phrases, image, expression: Selected(SELECTIONS[name](phrases), {})


def _selected_by_judge(phrases: Sequence[Phrase], image: Image.Image, expression: str, judge: Judge) -> Selected:
    """The judge's choice; where the judge is down the most similar phrase's, which the notes say."""
    judged = select_by_judge(phrases, image, expression, judge)
    return Selected(judged.selection or select_by_similarity(phrases), {"judge": judged.notes})
