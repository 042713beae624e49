"""Selects the predicted mask from the candidate masks of all phrases, without the ground truth.

The oracle and the score of the random-point baseline need the ground truth, so they are computed when responses are
scored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.mask_judge import select_by_judge
from pixfound_tasks.grounding.phrases import content_words, is_denied, named_words
from pixfound_tasks.grounding.study_mask_judge import select_as_study
from pixfound_tasks.prompts.judge import STUDY, check_judging
from pixfound_tasks.response import Phrase, PromptedMasks, Selection

if TYPE_CHECKING:
    from pixfound_tasks.judges.base import Judge

# Which of a segmenter's masks for a point or box is taken. The study takes SAM's third.
MASKS = ("highest", "third", "single")
THRESHOLD = 0.7  # if no phrase is at least this similar to the expression, the object is "not there"


class Selected(NamedTuple):
    """A selection, and notes on the judge's questions for the response's provenance."""

    selection: Selection
    notes: dict[str, Any]


Selector = Callable[[Sequence[Phrase], Image.Image, str], Selected]


def select_by_similarity(phrases: Sequence[Phrase], mask: str = "highest", threshold: float = THRESHOLD) -> Selection:
    """Select a mask of the phrase most similar to the expression; on ties, of the last such phrase.

    Phrases without a known similarity or without candidates are skipped. Nothing is selected ("not there") if no
    similarity reaches `threshold`. For `mask` see `choose_candidate`. Source: PixFoundation, section 3.
    """
    known = [(p.similarity, i) for i, p in enumerate(phrases) if p.similarity is not None and p.candidates]
    best, index = max(known, default=(-1.0, 0))
    if best < threshold:
        return Selection("similarity")
    return Selection("similarity", index, choose_candidate(phrases[index], mask))


def select_by_phrase(phrases: Sequence[Phrase], expression: str, mask: str = "highest") -> Selection:
    """Select a mask of the phrase that names the same object as the expression.

    A phrase matches if it has the head noun of the expression, in the singular or plural. If several match, the one
    that shares the most words with the expression is selected; on ties, the last one. Denials and phrases without
    candidates are skipped. Nothing is selected ("not there") if no phrase matches.
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
    return Selection("phrase", index, choose_candidate(phrases[index], mask))


def select_first(phrases: Sequence[Phrase], mask: str = "highest") -> Selection:
    """Select the first candidate mask, whatever `mask` is, of the first phrase that has candidates."""
    index = next((i for i, phrase in enumerate(phrases) if phrase.candidates), None)
    return Selection("first") if index is None else Selection("first", index, 0)


def choose_candidate(prompted: PromptedMasks, mask: str = "highest") -> int:
    """Return the index of the candidate that the rule `mask` takes.

    It is the highest-scoring one ("highest"), or the last one ("third"). "single" is for segmenters that give one.
    """
    return highest_scoring_candidate(prompted) if mask == "highest" else len(prompted.candidates) - 1


def highest_scoring_candidate(probe: PromptedMasks) -> int:
    """Return the index of the highest-scoring candidate; on ties, of the last one."""
    return max(range(len(probe.candidates)), key=lambda index: (probe.candidates[index].score, index))


def _head(phrase: Phrase) -> str | None:
    words = content_words(phrase.root) or content_words(phrase.text)
    return words[-1] if words else None


# The selections that need only the phrases.
SELECTIONS: dict[str, Callable[..., Selection]] = {
    "similarity": select_by_similarity,
    "first": select_first,
}


def check_select(select: str, judge: Any) -> str:
    """Return the selection's name without the similarity's name. `judge` is a judge, a judge's name or None.

    Raises:
        ValueError: the name is unknown, or "judge" comes without a judge, or another name comes with one.
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


def check_mask(mask: str) -> None:
    """Raise ValueError unless `mask` is one of `MASKS`."""
    check_choice("mask", mask, MASKS)


def make_selector(select: str, judge: Judge | None = None, mask: str = "highest", judging: str = "default") -> Selector:
    """Return the selector with this name: a function of phrases with candidates, the image (RGB) and the expression.

    Args:
        select: "similarity", "phrase", "first" or "judge". The name of a similarity may follow "similarity" (see
            `make_similarity`), but it is not used here: the phrases already have their similarities.
        judge: the judge to ask. It is required with "judge" and not allowed otherwise.
        mask: the rule by which one of a phrase's masks is taken, see `choose_candidate`. A judge sees all masks.
        judging: the rules of a judge's selection: "default" (see `mask_judge`) or "study" (see `study_mask_judge`).

    Raises:
        ValueError: `mask` or `judging` is unknown; also see `check_select`.
    """
    name = check_select(select, judge)
    check_mask(mask)
    check_judging(judging, "judging")
    if judge is not None:
        return partial(_selected_by_judge, judge=judge, mask=mask, judging=judging)
    if name == "phrase":
        return lambda phrases, image, expression: Selected(select_by_phrase(phrases, expression, mask), {})
    return lambda phrases, image, expression: Selected(SELECTIONS[name](phrases, mask), {})


def _selected_by_judge(
    phrases: Sequence[Phrase], image: Image.Image, expression: str, judge: Judge, mask: str, judging: str
) -> Selected:
    """Return the judge's selection, or selection by similarity if the judge is down. The notes say which one it was."""
    judged = (select_as_study if judging == STUDY else select_by_judge)(phrases, image, expression, judge)
    return Selected(judged.selection or select_by_similarity(phrases, mask), {"judge": judged.notes})
