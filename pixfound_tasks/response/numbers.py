"""Reading a count from an answer, for options that are numbers."""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

from pixfound_tasks.response.statements import AROUND, is_announced, is_negated, is_supposed

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
_UNITS += "seventeen eighteen nineteen twenty".split()
VALUES = {word: value for value, word in enumerate(_UNITS)}
_NUMBER = re.compile(rf"(?<![\w.-])(?<!\d,)(?:\d{{1,4}}(?![\w%]|[.,]\d)|(?:{'|'.join(_UNITS)})(?![\w-]))")
_MOST = 1000  # numbers that are read; a model in a loop repeats them endlessly
_AGAIN = re.compile(r"(?<!\w)(\w{1,9}) ?\((\w{1,9})\)")
_BULLET = re.compile(r"(?m)^ ?\d{1,2}[.)] (?=\S)")
# Where "one" counts and does not stand for a thing, as in "the left one".
_ONE = re.compile(
    r"(?:^|[.,;:!?(\n]|'s|\b(?:is|are|be|has|have|see|count|contains?|only|just|exactly|shows?|with|and|answer)) ?$"
)
_COUNTS = re.compile(
    r"\b(?:there(?: is| are| was| were|'s)|see|count|counted|shows?|contains?|has|have|depicts?|total(?: of)?)"
    r"(?: (?:only|exactly|just|a total of|about|around|clearly|visibly))* ?$"
)
_IN_TOTAL = re.compile(r"[\w ]{0,30}\b(?:in total|altogether|total|overall)\b")
_BOUNDS = re.compile(r"\b(?:more|fewer|less|greater) than ?$|\b(?:over|under|not) ?$")
_NONE = re.compile(
    r"\b(?:there (?:is|are) (?:no|not any)|there (?:isn't|aren't) any|(?:see|has|have|contains?|shows?) no)\b"
    r"|^ ?(?:none\b|no \w)"
)
_ANOTHER = re.compile(r"\b(?:another|the other|and one more|a second)\b")
_SENTENCE = re.compile(r"[!?\n]|\.(?!\d)")


class _Count(NamedTuple):
    value: int
    sentence: int
    is_answer: bool
    is_declared: bool
    is_supposed: bool


def number_of(text: str) -> int | None:
    """Return the number that a text is, as digits or as an English word up to twenty; None if it is no number."""
    text = text.strip().lower()
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else VALUES.get(text)


def read_count(text: str) -> tuple[int | None, bool]:
    """Return the count that a plain text in lower case gives, and whether it gives several that do not fit together.

    In "There are 2 dogs: 1 on the left and 1 on the right", the others add up to the first.
    """
    if len(_BULLET.findall(text)) > 1:
        text = _BULLET.sub("", text)
    text = _AGAIN.sub(_once, text)
    counts = _counts(text)
    counts = [count for count in counts if not count.is_supposed] or counts
    if answers := [count for count in counts if count.is_answer]:
        return answers[-1].value, False
    if declared := [count for count in counts if count.is_declared]:
        return _declared(text, counts, declared)
    if not counts:
        return (0, False) if _NONE.search(text) else (None, False)
    values = [count.value for count in counts]
    if len(values) > 2 and sum(values[1:]) == values[0]:
        return values[0], False
    is_one = len(set(values)) == 1 and len({count.sentence for count in counts}) == len(counts)
    return (values[0], False) if is_one and not _ANOTHER.search(text) else (None, True)


def _once(pair: re.Match[str]) -> str:
    """The first of "2 (two)"."""
    return pair[1] if number_of(pair[1]) == number_of(pair[2]) is not None else pair[0]


def _declared(text: str, counts: list[_Count], declared: list[_Count]) -> tuple[int | None, bool]:
    value = declared[0].value
    if len({count.value for count in declared}) > 1 or _ANOTHER.search(text):
        return None, True
    others = [count.value for count in counts if count.sentence == declared[0].sentence]
    others.remove(value)
    return (value, False) if not others or (len(others) > 1 and sum(others) == value) else (None, True)


def _counts(text: str) -> list[_Count]:
    found: list[_Count] = []
    sentence, position = 0, 0
    for match in islice(_NUMBER.finditer(text), _MOST):
        sentence += len(_SENTENCE.findall(text, position, match.start()))
        position = match.start()
        before = text[max(0, match.start() - AROUND) : match.start()]
        if (match[0] == "one" and not _ONE.search(before)) or is_negated(before) or _BOUNDS.search(before):
            continue
        value = VALUES.get(match[0])
        found.append(
            _Count(
                int(match[0]) if value is None else value,
                sentence,
                is_answer=is_announced(before),
                is_declared=bool(_COUNTS.search(before) or _IN_TOTAL.match(text, match.end())),
                is_supposed=is_supposed(before),
            )
        )
    return found
