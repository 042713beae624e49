"""Reads a judge's replies about candidate masks: whether the object is there, and which image shows it best.

`says_yes` and `first_number` read them by the study's rules.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

from pixfound_tasks.grounding.coordinates.denials import is_denial
from pixfound_tasks.response.final_answer import final_answer, without_draft
from pixfound_tasks.response.numbers import VALUES
from pixfound_tasks.response.plain import json_answer, plain
from pixfound_tasks.response.yes_no import read_verdict

_MOST = 1000  # numbers that are read; a model in a loop repeats them endlessly
_AROUND = 60  # characters around a number that decide how it is meant
_LACKS = re.compile(
    r"\b(?:does|do|did)(?: not|n't) (?:seem to |appear to )?(?:have|contain|show|include|depict|feature|appear|exist)\b"
    r"|\bno\b(?! (?:doubt|question|problem|wonder|need|matter|longer|way|idea))"
    r"|\bthere (?:is not|isn't|are not|aren't)\b(?! any (?:doubt|question))"
    r"|\b(?:can't|cannot|can not|don't|do not|didn't|did not) (?:see|find|spot|detect|locate)\b"
    r"|\b(?:absent|missing|not (?:present|visible|there|shown|depicted|in (?:the|this) (?:image|picture|photo)))\b"
)
_UNSURE = re.compile(
    r"\b(?:not sure|unsure|unclear|hard to (?:tell|say|see)|(?:can't|cannot|can not) (?:tell|say|determine))\b"
)
_BUT_ONE = re.compile(r"\b(?:but|however|although|though)\b.{0,80}\b(?:one|it|some|them)\b")
_AFFIRMS = re.compile(
    r"(?:there (?:is|are)|it (?:does|is|has)|i (?:can )?see|(?:the|this) (?:image|picture) (?:has|shows|contains))\b"
)
# What is lacking is another thing, or a part: "a dog with no collar", "there is a dog but no cat".
_OF_ANOTHER = re.compile(
    r"\b(?:with|but) no\b|\bmissing (?:an?|its|his|her|the)\b|\bnot missing\b"
    r"|^\W*there(?: is|'s| are) (?!no\b|not\b|nothing\b|none\b)\w+|\b(?:is|are) present\b.*\bnot\b"
)
_SENTENCE = re.compile(r"[.!?\n]")

_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_VALUES = {**VALUES, **{word: value for value, word in enumerate(_ORDINALS, 1)}}
_THING = r"(?:image|picture|photo|option|candidate|mask|panel|number|choice|figure|one)"
_NUMBER = re.compile(
    r"(?<![a-z\d.])(?P<digits>\d+)(?:st|nd|rd|th)?(?![a-z\d%]|\.\d)"
    rf"|\b(?P<ordinal>{'|'.join(_ORDINALS)})\b(?= {_THING}\b| is\b| has\b|\W*$)"
    rf"|(?:\A\W*|\b(?:{_THING}|is|choose|pick|select|answer:?) )(?P<word>{'|'.join(list(VALUES)[1:])})\b(?! \w+s\b)"
)
_QUANTITY = re.compile(rf" {_THING}s\b")
_OF_ALL = re.compile(r"(?:\bof|/|\bamong|\bfrom|\ball) ?(?:the )?$")
_REJECTED = re.compile(
    r"\b(?:second best|runner-?up|worst|next best|least)\b[^.\n;\d]{0,20}$"
    r"|(?:\b(?:than|not|unlike|instead of|compared (?:to|with)|over|except|neither|nor)|n't)(?: (?:the|in|is|best))*"
    rf"(?: {_THING})? ?$"
)
_WORSE = re.compile(r"[^.\n;,\d]{0,30}(?:\b(?:no|not|worse|worst|wrong|incorrect|neither)\b|n't\b)")
_BETTER = re.compile(r"[^.\n;,\d]{0,40}\b(?:best|better|clearest|correct|right|most)\b")
_ANNOUNCED = re.compile(
    r"\b(?:answer|choice|selection|verdict|result|choose|chose|pick|select|go with|best|so|therefore|prefer)\b"
    r"[^.\n;\d]{0,40}$"
)
_OPENS = re.compile(rf"(?:\A|[\n.:!?])[^\w\n]*(?:{_THING} )?$")
_ENDS = re.compile(r"[^\w\n]*(?:\n|\Z)")
# What follows takes back what came before; a reason compares; a remark in brackets rates.
_REVISED = re.compile(r"\b(?:wait|actually|correction|scratch that)\b[,:.]*(?=[^\n]*\d)")
_REASON = re.compile(r"\b(?:because|since|though|although|whereas|while)\b[^.\n;]*")
_ASIDE = re.compile(r"\((?:score|confidence|rating)\b[^()\n]{0,40}\)")
_WORD_YES = re.compile(r"\byes\b")
_RATED = re.compile(r"^\W*(\d+)\W{0,3}: ?[a-z]", re.MULTILINE)
_LISTED = re.compile(rf"[\s,()]*(?:or|and|/|&|-|to|,)[\s,()]*(?:or |else |the |{_THING} )*")


_STUDY_YES = re.compile(r"yes\.*\n?", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")


class Presence(NamedTuple):
    """Whether an object is there, and why a reply counts as yes although it does not say so, "" if it does."""

    is_there: bool
    problem: str = ""


class _Number(NamedTuple):
    value: int
    start: int
    stop: int
    is_declared: bool


def read_presence(reply: str) -> Presence:
    """Read the reply to "Does this image have ...?". Never raises.

    A statement without yes or no counts: "There isn't any dog." A reply that says both, or neither, counts as yes.
    """
    answer = final_answer(reply).text
    verdict, is_conflicting = read_verdict(answer)
    if verdict is not None:
        return Presence(verdict)
    if is_conflicting:
        return Presence(True, "conflicting: counts as yes")
    text = plain(answer).lower()
    is_said = False
    for sentence in _SENTENCE.split(text):
        if (_LACKS.search(sentence) or is_denial(sentence)) and not _UNSURE.search(sentence):
            if is_said or _OF_ANOTHER.search(sentence):
                return Presence(True, "conflicting: counts as yes")
            return Presence(True, "conflicting: counts as yes") if _BUT_ONE.search(sentence) else Presence(False)
        is_said = is_said or _OF_ANOTHER.search(sentence) is not None
    return Presence(True, "" if _AFFIRMS.match(text) else "unread: counts as yes")


def says_yes(reply: str) -> bool:
    """Whether a reply is "yes", in any case and with or without periods, and nothing else: the study's rule."""
    return _STUDY_YES.fullmatch(without_draft(reply)) is not None


def first_number(reply: str) -> int | None:
    """Return the number in a reply by the study's rule: the whole reply as a number, or else its first digits.

    The number may be 0, negative or too large. None if the reply has no digit, or too many to be a number.
    """
    text = without_draft(reply)
    digits = _DIGITS.search(text)
    for number in (text, digits[0] if digits else ""):
        try:
            return int(number)
        except ValueError:
            continue
    return None


def chosen_number(reply: str, count: int) -> int | None:
    """Return the number from 1 to `count` that a reply chooses, as digits or in English; None if there is none.

    It is the last one that is declared ("image 3 is best", "I choose 3", a line with nothing else), or else the only
    one. Of "1 or 3", none is chosen. Never raises.
    """
    final = final_answer(reply).text
    text = _ASIDE.sub(" ", plain(json_answer(final) or final).lower())
    revised = _REVISED.split(text)[-1]
    numbers: list[_Number] = []
    for part in (_REASON.sub(" ", revised), revised, text):
        if numbers := _numbers(part):
            text = part
            break
    if len({match[1] for match in _RATED.finditer(text)}) > 1 and not _WORD_YES.search(text):
        return None  # every image is described, and none chosen
    listed = {
        number
        for first, second in zip(numbers, numbers[1:])
        if second.start - first.stop < _AROUND and _LISTED.fullmatch(text, first.stop, second.start)
        for number in (first, second)
        if first.value != second.value
    }
    declared = [number for number in numbers if number.is_declared]
    if declared:
        value = None if declared[-1] in listed else declared[-1].value
    else:
        values = {number.value for number in numbers}
        value = values.pop() if len(values) == 1 else None
    return value if value is not None and 1 <= value <= count else None


def _numbers(text: str) -> list[_Number]:
    """The numbers of images in a plain text in lower case, without those that it rejects."""
    found = []
    for match in islice(_NUMBER.finditer(text), _MOST):
        kind = match.lastgroup or "digits"
        start, stop = match.span(kind)[0], match.end()
        before = text[max(0, start - _AROUND) : start]
        is_quantity = _QUANTITY.match(text, stop) or _OF_ALL.search(before)
        if is_quantity or _REJECTED.search(before) or _WORSE.match(text, stop):
            continue
        # Longer numbers are out of range, and `int` refuses thousands of digits.
        value = _VALUES.get(match[kind]) or (int(match[kind]) if len(match[kind]) < 9 else 10**9)
        is_alone = _OPENS.search(before) and _ENDS.match(text, stop)
        is_first = start < _AROUND and not before.strip(" (-") and not text[stop : stop + 1].isalpha()
        is_declared = bool(is_alone or is_first or _BETTER.match(text, stop) or _ANNOUNCED.search(before))
        found.append(_Number(value, start, stop, is_declared))
    return found
