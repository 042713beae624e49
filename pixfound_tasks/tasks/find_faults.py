"""The faults of one answer, by the names of `analysis.faults`."""

from __future__ import annotations

from pixfound_tasks import masks
from pixfound_tasks.grounding.coordinates.reading import UNDECLARED
from pixfound_tasks.masks import Rle
from pixfound_tasks.response import Response
from pixfound_tasks.response.final_answer import UNFINISHED, final_answer

FULL = 0.95  # a mask that covers more of the image is nearly the whole image


def choice_faults(output: str, is_parsed: bool) -> list[str]:
    """The faults of an answer to a choice question."""
    return _unread(is_parsed, final_answer(output).is_finished)


def open_faults(response: Response, verdict: bool | None) -> list[str]:
    """The faults of an open answer with this verdict."""
    if not is_finished(response):
        return ["unfinished"]
    return ["unjudged"] if verdict is None else []


def grounding_faults(response: Response, target: Rle | None) -> list[str]:
    """The faults of a grounded answer; `target` is the ground truth, None without a referring expression."""
    found = _unread(response.is_grounded and not response.problems, is_finished(response))
    if found == ["unparsed"] and any(UNDECLARED in problem for problem in response.problems):
        found = ["undeclared"]
    if target is None or not response.is_grounded:
        return found
    height, width = target["size"]
    covered = masks.area(response.prediction((height, width)))
    if covered > FULL * height * width:
        found.append("full")
    if not covered and masks.area(target):
        found.append("empty")
    return found


def is_finished(response: Response) -> bool:
    """Whether the model stopped thinking, as far as its response shows."""
    if UNFINISHED in response.problems:
        return False
    return response.is_grounded or final_answer(response.text).is_finished


def _unread(is_parsed: bool, is_finished: bool) -> list[str]:
    if not is_finished:
        return ["unfinished"]
    return [] if is_parsed else ["unparsed"]
