"""The sentences, labels and colors of an explanation, shared by the terminal, the page and the figure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pixfound_tasks import masks
from pixfound_tasks.explain.explanation import Explanation
from pixfound_tasks.grounding.phrases import is_denied
from pixfound_tasks.grounding.selection import THRESHOLD
from pixfound_tasks.report.formats import percent
from pixfound_tasks.response import Candidate, Phrase, Selection


class Color(NamedTuple):
    """A background color that people with color vision deficiency can distinguish, and the color of text on it."""

    ground: str
    ink: str


# Okabe and Ito, "Color Universal Design" (2008), without black and vermilion; vermilion marks the selected mask.
_COLORS = (
    Color("#0072b2", "#ffffff"),
    Color("#e69f00", "#000000"),
    Color("#009e73", "#ffffff"),
    Color("#cc79a7", "#000000"),
    Color("#56b4e9", "#000000"),
    Color("#f0e442", "#000000"),
)

_BY = {"first": "order", "phrase": "name", "judge": "the judge"}
_LONGEST = 80  # characters of a phrase in a sentence
TRUTH, TAKEN = "#1b1f24", "#d55e00"
LABELS = {"selected": "selected", "judge": "judge's choice", "best": "best IoU"}


def color_of(phrase: int) -> Color:
    """Returns the color of a phrase. Colors repeat from the seventh phrase on; the numbers are unique."""
    return _COLORS[phrase % len(_COLORS)]


class Part(NamedTuple):
    """A passage of the answer and the index of its phrase; the index is None between phrases."""

    text: str
    phrase: int | None


def parts(explanation: Explanation) -> Iterator[Part]:
    """Yields the answer from beginning to end. If phrases overlap, only the first is marked."""
    end = 0
    for index, found in enumerate(explanation.phrases):
        if found.phrase.chars is None or found.phrase.chars[0] < end:
            continue
        start, stop = found.phrase.chars
        if start > end:
            yield Part(explanation.answer[end:start], None)
        yield Part(explanation.answer[start:stop], index)
        end = stop
    if end < len(explanation.answer):
        yield Part(explanation.answer[end:], None)


def verdict(explanation: Explanation) -> str:
    """Returns a sentence: which mask is selected, or why the object is "not there"."""
    selection = explanation.selection
    if selection is None:
        return "A saved look: attention only, no masks."
    if selection.phrase is not None and selection.candidate is not None:
        named = _named(explanation, selection.phrase, selection.candidate)
        found = f"Selected by {_BY.get(selection.by, selection.by)}: {named}."
        return found + _iou(explanation, selection)
    return f"Not there: {_why_not(explanation)}.{_iou(explanation, selection)}"


def _why_not(explanation: Explanation) -> str:
    assert explanation.selection is not None
    by, found = explanation.selection.by, [each.phrase for each in explanation.phrases]
    if not found:
        return "the answer has no noun phrase to ground"
    denials = [phrase.text for phrase in found if is_denied(phrase.text)]
    if denials:
        return f"the answer says {_quoted(denials[0])}"
    if by == "similarity":
        known = [phrase.similarity for phrase in found if phrase.similarity is not None and phrase.candidates]
        nearest = f"; the highest similarity is {max(known):.2f}" if known else ""
        return f"no phrase reaches a similarity of {THRESHOLD} to the expression{nearest}"
    return {"phrase": "no phrase names it", "judge": "the judge chose no mask"}.get(by, "no phrase has a mask")


def judgement(explanation: Explanation) -> str | None:
    """Returns a sentence about the judge's choice, or None if there is no judge."""
    if explanation.judged is None:
        return None
    selection, notes = explanation.judged
    name, status = f"Judge {notes['name']}", notes["status"]
    if selection is None:
        return f"{name} gave no reply: {notes.get('reason', status)}"
    if selection.phrase is None or selection.candidate is None:
        reason = "says that the object is not there" if status == "absent" else "had no mask to choose from"
        return f"{name} {reason}.{_iou(explanation, selection)}"
    how = {
        "only candidate": "says that the object is there, and there is only one mask",
        "unread: first candidate": "gave no readable number, so the first mask is used",
    }.get(status, "chooses")
    named = _named(explanation, selection.phrase, selection.candidate)
    return f"{name} {how}: {named}.{_iou(explanation, selection)}"


def true_mask(explanation: Explanation) -> str | None:
    """Returns a sentence about the ground truth, or None if it is unknown."""
    if explanation.target is None:
        return None
    if masks.area(explanation.target) == 0:
        return "Ground truth: the object is not in the image."
    return f"Ground truth: the object covers {area(explanation.target)} of the image."


class Taken(NamedTuple):
    """A chosen or ground-truth mask, None for "not there", and how to show it. `label` is a key of `LABELS`."""

    title: str
    note: str
    mask: masks.Rle | None
    color: str
    label: str


def taken(explanation: Explanation) -> Iterator[Taken]:
    """Yields the selected mask, the judge's choice if it is separate, and the ground truth if it is known."""
    selection, judged = explanation.selection, explanation.judged
    if selection is not None:
        yield _taken(explanation, f"Selected by {_BY.get(selection.by, selection.by)}", selection, "selected")
    if judged and judged.selection and (selection is None or selection.by != "judge"):
        yield _taken(explanation, "Selected by the judge", judged.selection, "judge")
    if explanation.target is not None:
        mask = explanation.target if masks.area(explanation.target) else None
        yield Taken("Ground truth", _area_or_none(mask), mask, TRUTH, "best")


def _taken(explanation: Explanation, title: str, selection: Selection, label: str) -> Taken:
    mask = explanation.mask(selection)
    color = TRUTH if mask is None or selection.phrase is None else color_of(selection.phrase).ground
    return Taken(title, _area_or_none(mask), mask, color, label)


def _area_or_none(mask: masks.Rle | None) -> str:
    return "not there" if mask is None else area(mask)


def labels(explanation: Explanation, phrase: int, candidate: int) -> list[str]:
    """Returns the labels of one candidate mask: who selected it, and whether it has the best IoU of all candidates."""
    taken = {"selected": explanation.selection, "judge": explanation.judged and explanation.judged.selection}
    found = [label for label, by in taken.items() if by and (by.phrase, by.candidate) == (phrase, candidate)]
    best = [max(each.ious) for each in explanation.phrases if each.ious]
    ious = explanation.phrases[phrase].ious
    is_best = bool(ious) and ious[candidate] == max(best, default=0)
    return [*found, "best"] if is_best else found


def tokens(phrase: Phrase) -> str:
    """Returns the first and last token of a phrase, counted from 0."""
    start, end = phrase.tokens or (0, 0)
    return "" if end <= start else str(start) if end == start + 1 else f"{start}\N{EN DASH}{end - 1}"


def area(mask: masks.Rle) -> str:
    """Returns the percentage of the image that a mask covers."""
    height, width = mask["size"]
    return f"{percent(masks.area(mask) / (height * width))} %"


def measured(explanation: Explanation, phrase: int, candidate: int) -> str:
    """Returns a candidate mask's score, area and IoU on one line."""
    found = explanation.phrases[phrase]
    shown: Candidate = found.phrase.candidates[candidate]
    iou = f" \N{MIDDLE DOT} IoU {found.ious[candidate]:.2f}" if found.ious else ""
    return f"score {shown.score:.2f} \N{MIDDLE DOT} area {area(shown.mask)}{iou}"


def shortened(text: str, length: int) -> str:
    """Returns the text, cut to `length` characters with an ellipsis at the end."""
    return text if len(text) <= length else f"{text[: length - 1]}\N{HORIZONTAL ELLIPSIS}"


def _quoted(text: str) -> str:
    return f"\N{LEFT DOUBLE QUOTATION MARK}{shortened(text, _LONGEST)}\N{RIGHT DOUBLE QUOTATION MARK}"


def _named(explanation: Explanation, phrase: int, candidate: int) -> str:
    return f"phrase {phrase + 1}, {_quoted(explanation.phrases[phrase].phrase.text)}, mask {candidate + 1}"


def _iou(explanation: Explanation, selection: Selection) -> str:
    """Returns a sentence with the IoU, or "" if the object is absent, since the IoU would be just 1 or 0."""
    if explanation.target is None or masks.area(explanation.target) == 0:
        return ""
    return f" IoU with the ground truth: {explanation.iou(selection):.2f}."
