"""Selects a mask by a judge exactly as the study's script does. `mask_judge` has this package's own rules.

| | here | in `mask_judge` |
|---|---|---|
| the object is there | if the reply is "yes" | unless the reply denies it |
| masks shown | all, also empty and equal ones, at most 499 | those that differ and are not empty |
| questions | one | rounds of at most 24 images |
| number | the first one in the reply | the one that the reply chooses |

Source: `infer_pixfoundation_auto_gpt.py`. Its system prompt and temperature are in `prompts.judge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pixfound_tasks.grounding.judge_replies import first_number, says_yes
from pixfound_tasks.grounding.mask_judge import CHOICE, PRESENCE, Judged, JudgeSession, highlight
from pixfound_tasks.judges.base import Judge, JudgeDown
from pixfound_tasks.response import Phrase, Selection, all_candidates

if TYPE_CHECKING:
    from PIL import Image

MOST_IMAGES = 499  # in one question; further candidates are not shown


def select_as_study(phrases: Sequence[Phrase], image: Image.Image, expression: str, judge: Judge) -> Judged:
    """Ask whether the image (RGB) has the object and, if so, which candidate of all phrases shows it best.

    The candidates are shown in the order of the phrases; the study's order is that of files in a folder. Number 0
    selects the last candidate, -1 the one before, as Python's indices do. Without a number the first one is selected,
    and also if the number is out of range, for which the study's script ends with an error. Without candidates, nobody
    is asked: the study's mask is then empty whatever the judge says.
    """
    session = JudgeSession(judge)
    session.notes["name"] = f"{judge.name} (study's rules)"
    candidates = all_candidates(phrases)
    if not candidates:
        return session.end("no candidates", Selection("judge"))
    try:
        if not says_yes(session.ask(PRESENCE.format(expression), [image])):
            return session.end("absent", Selection("judge"))
        if len(candidates) == 1:
            return session.end("only candidate", Selection("judge", *candidates[0][:2]))
        shown = [highlight(image, candidate.mask) for *_, candidate in candidates[:MOST_IMAGES]]
        number = first_number(session.ask(CHOICE.format(expression, len(shown)), shown))
    except JudgeDown as down:
        return session.down(down)
    is_read = number is not None and -len(candidates) < number <= len(candidates)
    phrase, candidate, _ = candidates[number - 1 if number is not None and is_read else 0]
    return session.end("chosen" if is_read else "unread: first candidate", Selection("judge", phrase, candidate))
