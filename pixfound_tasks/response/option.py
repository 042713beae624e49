"""Reading the chosen option from an answer to a choice question: the authors' rule, and a more lenient one."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

# In the authors' order. Splitting at "answer is" leaves the colon, so "the answer is: (a)" matches no option.
_ANNOUNCEMENTS = ("answer is", "answer is:", "answer:")
_LETTERED = re.compile(r"\(?\b([a-z])\b(?:\s*[).:,]|\s*$)")
_NAMED_LETTER = re.compile(r"\b(?:option|choice|answer)\b(?:\s+is)?\s*:?\s*\(?([a-z])\b\)?(?!\s+[a-z])")


def letter_of(option: int) -> str:
    """The lower-case letter of an option, counted from 0."""
    return string.ascii_lowercase[option]


def option_of(letter: str) -> int:
    """The option, counted from 0, of a lower-case letter."""
    return string.ascii_lowercase.index(letter)


def is_correct_answer(answer: str, options: Sequence[str], correct: int) -> bool:
    """The `paper` rule: whether an answer is the correct option's letter or text, as the authors' scripts read it.

    The answer is lower-cased and cut to what follows the last "answer is", "answer is:" or "answer:". Trailing `.:,`,
    leading `(` and trailing `)` are removed. The rest must equal the option's letter or its whole text.
    """
    return _stripped(answer) in (letter_of(correct), options[correct].lower())


def _stripped(answer: str) -> str:
    rest = answer.lower().strip()
    for announcement in _ANNOUNCEMENTS:
        rest = rest.split(announcement)[-1]
    return rest.strip().rstrip(".:,").lstrip("(").rstrip(")")


def lenient_choice(answer: str, options: Sequence[str]) -> int | None:
    """The one option that an answer names, also within a sentence; None if it names no option or several.

    These are tried in order: the `paper` rule; a letter that opens the answer ("B) Closed"); a letter that is announced
    ("option B"); an option's text found in the answer. An option's text inside a longer option that is also found does
    not count.
    """
    for index in range(len(options)):
        if is_correct_answer(answer, options, index):
            return index
    text = " ".join(answer.lower().split())
    letters = [letter_of(index) for index in range(len(options))]
    for match in (_LETTERED.match(text), _NAMED_LETTER.search(text)):
        if match and match[1] in letters:
            return letters.index(match[1])
    return _mentioned(text, [option.lower() for option in options])


def _mentioned(text: str, options: list[str]) -> int | None:
    found = set()
    for option in sorted(filter(None, options), key=len, reverse=True):
        text, count = re.subn(rf"(?<!\w){re.escape(option)}(?!\w)", "\0", text)
        if count:
            found.add(options.index(option))
    return found.pop() if len(found) == 1 else None
