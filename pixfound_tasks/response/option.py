"""Reading the chosen option from an answer: the authors' rule, and a more lenient one."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import NamedTuple

from pixfound_tasks.response.final_answer import final_answer
from pixfound_tasks.response.numbers import number_of, read_count
from pixfound_tasks.response.option_letters import letters
from pixfound_tasks.response.option_texts import texts
from pixfound_tasks.response.plain import json_answer, plain
from pixfound_tasks.response.statements import Polarity, Role, Statement, revisions
from pixfound_tasks.response.yes_no import read_yes_no

# In the authors' order. Splitting at "answer is" leaves the colon, so "the answer is: (a)" matches no option.
_ANNOUNCEMENTS = ("answer is", "answer is:", "answer:")
_AFTER_LETTER = re.compile(r"[).:, \n-]*")
_VERDICT = re.compile(
    r"(?<![\w'])([A-Z])\)? ?[:=-] ?(true|false|correct|incorrect|right|wrong|yes|no)(?= ?(?:[.,;:!\n]|$))",
    re.IGNORECASE,
)
_POSITIVE = frozenset("true correct right yes".split())
_DENIES = re.compile(r"\bno\b(?! longer| more| one| doubt| question| wonder)")
_AT_END = re.compile(r" ?(?:[.,;:!\n]|$)")


def letter_of(option: int) -> str:
    """The lower-case letter of an option, counted from 0."""
    return string.ascii_lowercase[option]


def option_of(letter: str) -> int:
    """The option, counted from 0, of a lower-case letter."""
    return string.ascii_lowercase.index(letter)


PAPER_RULES = ("letter or text", "first letter")  # of PixMMVP, and of PixCV-Bench


def is_correct_answer(answer: str, options: Sequence[str], correct: int, rule: str = "letter or text") -> bool:
    """The `paper` rule: whether an answer is the correct option, as the authors' scripts for a benchmark read it.

    The answer is lower-cased and cut to what follows the last "answer is", "answer is:" or "answer:". Full stops at its
    end (for "letter or text" also `:,`), `(` at its start and then `)` at its end are removed. By "letter or text", the
    rest must equal the option's letter or its whole text; by "first letter", its first character must be the letter.
    """
    rest = answer.lower().strip()
    for announcement in _ANNOUNCEMENTS:
        rest = rest.split(announcement)[-1]
    ends = "." if rule == "first letter" else ".:,"
    rest = rest.strip().rstrip(ends).lstrip("(").rstrip(")")
    if rule == "first letter":
        return rest[:1] == letter_of(correct)
    return rest in (letter_of(correct), options[correct].lower())


class _Reading(NamedTuple):
    """What a part of an answer says: an option, or several that conflict; and which options it rules out."""

    option: int | None = None
    is_conflicting: bool = False
    is_supposed: bool = False
    excluded: frozenset[int] = frozenset()


_CONFLICT = _Reading(is_conflicting=True)


# "B rather than A", in words that other readers do not know; and counts that are no number.
_RATHER = re.compile(r"\b[A-Z]\s?(?:ではなく|가 아니라)\s?([A-Z])\b")
_OVER = re.compile(r"\b([Cc]hoose|[Pp]refer|[Pp]ick|[Ss]elect) ([A-Z]) (?:over|to|rather than) [A-Z]\b")
_RANGE = re.compile(
    r"\b\w+ ?(?:-|\u2013|\bor\b|\bto\b) ?(?:\d+|one|two|three|four|five|six|more|fewer|less)\b(?! more)"
    r"|(?:\b(?:at (?:least|most)|up to|(?:more|less|fewer|no more|no less) than|half of|between)\b|[<>\u2264\u2265~])"
    r" ?\w+"
    r"|\b\d+ ?\+|\b\w+ (?:pairs|dozens?|groups) of\b",
    re.IGNORECASE,
)


def _without_comparisons(text: str, options: Sequence[str]) -> str:
    text = _OVER.sub(r"\1 \2", _RATHER.sub(r"\1", text))
    return _RANGE.sub(" ", text) if options and all(option.isdecimal() for option in options) else text


def lenient_choice(answer: str, options: Sequence[str]) -> int | None:
    """The one option that an answer names, also within a sentence; None if it names no option or several.

    Never raises, in time linear in the answer's length. Only the final answer is read, without markup; if the output is
    a JSON object, it is the value of a key such as "answer". These are tried in order:

    1. the whole answer is an option's letter or text;
    2. the last letter or text that is announced ("the answer is B", "Antwort: B") or concluded ("so B");
    3. a letter that opens the answer ("B) Closed");
    4. a letter that is named ("option B", "I choose B", "B is correct");
    5. a yes or a no, a count in digits or words, or an option's text, if it is neither negated nor only supposed;
    6. any other letter that stands alone;
    7. the option that is left when all others are negated.

    What follows "no wait", "actually" and their like is read first. Two options at one step are a conflict.
    """
    final = final_answer(answer)
    if not final.is_finished:
        return None
    options = options[: len(string.ascii_lowercase)]
    lowered = [plain(option).lower() for option in options]
    text = plain(json_answer(final.text) or final.text)
    for around in ("", " .,:;()\n", " .,:;!()\n"):
        if (whole := text.lower().strip(around) if around else text.lower()) in lowered:
            return lowered.index(whole)
    if verdicts := _verdicts(text, lowered):
        return verdicts.index(True) if sum(verdicts) == 1 else None
    text = _without_list(_without_comparisons(text, lowered), lowered)
    parts = revisions(text, says_no=_are_yes_no(lowered))
    return _combined([_read(part, lowered) for part in reversed(parts)], len(options))


def _verdicts(text: str, options: Sequence[str]) -> list[bool]:
    """Whether each option is correct, if the text says so of all of them: "A: false, B: true". Otherwise empty.

    It is also empty for options that are such words themselves.
    """
    found = {match[1].lower(): match[2].lower() for match in _VERDICT.finditer(text)}
    wanted = string.ascii_lowercase[: len(options)]
    is_clear = len(options) > 1 and all(letter in found for letter in wanted) and not set(found.values()) & {*options}
    return [found[letter] in _POSITIVE for letter in wanted] if is_clear else []


def _combined(readings: Sequence[_Reading], count: int) -> int | None:
    """The option of an answer whose parts, the last one first, take back what earlier ones say."""
    excluded: frozenset[int] = frozenset()
    supposed: int | None = None
    for reading in readings:
        if reading.is_conflicting:
            return None
        if reading.option is not None and reading.option not in excluded:
            if supposed not in (None, reading.option):
                return None
            if not reading.is_supposed:
                return reading.option
            supposed = reading.option
        excluded |= reading.excluded
    if supposed is not None:
        return supposed
    left = set(range(count)) - excluded
    return left.pop() if len(left) == 1 and excluded else None


def _read(text: str, options: Sequence[str]) -> _Reading:
    """Read a plain text without revisions."""
    by_letter = letters(text, len(options))
    excluded = frozenset(said.option for said in by_letter if said.polarity is Polarity.NO)
    is_special = _are_yes_no(options) or _are_numbers(options)
    by_text = [] if is_special else texts(text, options)
    answers = [said for said in (*by_letter, *by_text) if said.role is Role.ANSWER]
    if answers := [said for said in answers if said.polarity in (Polarity.YES, Polarity.UNCLEAR)]:
        return _declared(max(answers, key=lambda said: said.start), text, options, by_text)
    opening = [said for said in by_letter if said.role is Role.OPENING]
    named = [said for said in by_letter if said.role is Role.NAMED]
    if any(said.polarity is Polarity.UNCLEAR for said in (*opening, *named)):
        return _CONFLICT
    chosen = [said for said in (*opening, *named) if said.polarity is Polarity.YES]
    if len({said.option for said in chosen}) > 1 or any(said.option in excluded for said in chosen):
        return _CONFLICT
    if chosen:
        return _declared(chosen[0], text, options, by_text)
    reading = _special(text.lower(), options) if is_special else _of_texts(by_text, len(options))
    if reading.option is not None or reading.is_conflicting:
        return reading
    excluded |= reading.excluded
    alone = {said.option for said in by_letter if said.polarity is Polarity.YES}
    supposed = {said.option for said in by_letter if said.polarity is Polarity.MAYBE} - excluded
    if any(said.polarity is Polarity.UNCLEAR for said in by_letter) or len(alone or supposed) > 1:
        return _CONFLICT
    if alone or supposed:
        (option,) = alone or supposed
        return _Reading(option, is_supposed=not alone)
    left = set(range(len(options))) - excluded
    return _Reading(left.pop(), excluded=excluded) if excluded and len(left) == 1 else _Reading(excluded=excluded)


def _declared(said: Statement, text: str, options: Sequence[str], by_text: Sequence[Statement]) -> _Reading:
    """The option of a statement, unless several are meant or another's text is beside it: "A. Closed", "Closed (A)"."""
    before = [other for other in by_text if other.polarity is Polarity.YES and 0 < said.start - other.stop < 3]
    if said.polarity is Polarity.UNCLEAR or any(other.option != said.option for other in before):
        return _CONFLICT
    after = _AFTER_LETTER.match(text, said.stop)
    rest = text[after.end() if after else said.stop :][:300].lower()
    for option in sorted(options, key=len, reverse=True):
        if option and rest.startswith(option) and _AT_END.match(rest, len(option)):
            return _Reading(said.option) if options[said.option] == option else _CONFLICT
    return _Reading(said.option)


def _of_texts(statements: Sequence[Statement], count: int) -> _Reading:
    by_polarity = {polarity: {said.option for said in statements if said.polarity is polarity} for polarity in Polarity}
    yes, excluded = by_polarity[Polarity.YES], frozenset(by_polarity[Polarity.NO])
    if len(yes) > 1 or yes & excluded:
        return _CONFLICT
    if yes:
        return _Reading(yes.pop())
    if by_polarity[Polarity.UNCLEAR]:
        return _CONFLICT
    left = set(range(count)) - excluded
    if excluded and len(left) == 1:
        return _Reading(left.pop(), excluded=excluded)
    supposed = by_polarity[Polarity.MAYBE] - excluded
    if len(supposed) > 1:
        return _CONFLICT
    return _Reading(min(supposed, default=None), is_supposed=bool(supposed), excluded=excluded)


def _special(text: str, options: Sequence[str]) -> _Reading:
    """Read a text in lower case for the options yes and no, or for options that are numbers."""
    if _are_yes_no(options):
        verdict, is_conflicting = read_yes_no(text)
        if verdict is None and not is_conflicting and "yes" not in text and _DENIES.search(text):
            verdict = False
        option = None if verdict is None else options.index("yes" if verdict else "no")
        return _Reading(option, is_conflicting)
    count, is_conflicting = read_count(text)
    numbers = [number_of(option) for option in options]
    is_conflicting |= count is not None and count not in numbers
    return _CONFLICT if is_conflicting else _Reading(None if count is None else numbers.index(count))


def _are_yes_no(options: Sequence[str]) -> bool:
    return sorted(options) == ["no", "yes"]


def _are_numbers(options: Sequence[str]) -> bool:
    return all(number_of(option) is not None for option in options)


def _without_list(text: str, options: Sequence[str]) -> str:
    """The text without a repetition of all options, "(a) Open (b) Closed"."""
    if len(options) < 2:
        return text
    items = [rf"\(?{letter_of(index)}[).:] ?{re.escape(option)}" for index, option in enumerate(options)]
    return re.sub(r"[\s,;/.]{0,3}".join(items), " ", text, flags=re.IGNORECASE)
