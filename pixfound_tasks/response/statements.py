"""What an answer says of its options, and the words that turn it round: announcements, negations, suppositions."""

from __future__ import annotations

import re
from enum import Enum, IntEnum
from typing import NamedTuple

AROUND = 80  # characters around a mention that decide how it is meant


class Polarity(Enum):
    """Whether an answer says that an option is correct: yes, no, perhaps, or one of several."""

    YES = "yes"
    NO = "no"
    MAYBE = "maybe"
    UNCLEAR = "unclear"


class Role(IntEnum):
    """How an option is named, from weak to strong."""

    LONE = 0  # "... B ..."
    NAMED = 1  # "option B", "B is correct"
    OPENING = 2  # "B) ..."
    ANSWER = 3  # "the answer is B", "so B"


class Statement(NamedTuple):
    """One mention of an option, counted from 0: its half-open range in the plain text, and how it is meant."""

    start: int
    stop: int
    option: int
    polarity: Polarity
    role: Role


def _any(words: str) -> str:
    """A pattern of words that are separated by ", "."""
    return "(?:" + "|".join(words.split(", ")) + ")"


# Chinese, Japanese, Korean, Arabic and Hindi words may touch others, so they are searched without word boundaries.
_ANSWER = _any(
    r"answers?, solution, conclusion, verdict, response, (?:choice|option) is, choice, antworte?, lösung, réponse, "
    r"respuesta, resposta, risposta, antwoord, svar, odpowiedź, cevap, ответ\w*"
)
_ANSWER_TOUCHING = _any(
    "答案, 答え, 正解, 回答, 解答, 应选, 故选, 选, 選, 정답, 답변, 답, "
    "الإجابة, الاجابة, الجواب, إجابة, جواب, उत्तर, जवाब"
)
_ANNOUNCES = re.compile(rf"(?:\b{_ANSWER}\b|{_ANSWER_TOUCHING})(?P<between>[^.!?\n;]{{0,40}})$", re.IGNORECASE)

_SO = _any(
    "so, therefore, thus, hence, consequently, finally, in conclusion, in summary, overall, "
    "i (?:would )?(?:choose|pick|select|go with), daher, deshalb, donc, por lo tanto, por tanto, entonces, portanto, "
    "logo, поэтому, значит"
)
_CONCLUDES = re.compile(
    rf"(?:\b{_SO}\b|{_any('所以, 因此, 故, よって, 따라서')})(?P<between>[^.!?\n;]{{0,24}})$", re.IGNORECASE
)
_CROSSING = re.compile(r"(?<![A-Za-z'])[B-HJ-Z](?![A-Za-z'])|\b(?:but|because|since|although)\b")

_NOT = _any(
    r"not, never, neither, nor, cannot, without, unlike, than, instead of, as opposed to, far from, anything but, "
    r"rather than, no longer, hardly, rul(?:e|es|ed|ing) out, exclud\w+, eliminat\w+, reject\w*, discard\w*, "
    r"nicht, kein\w*, pas, não, nao, не, no es"
)
_NOT_TOUCHING = _any("n't, 不是, 不选, 非, 排除, ليس, ليست, नहीं, no")
_BEFORE_MENTION = _any(
    "be, being, is, option, choice, answer, letter, the, a, an, really, la, el, le, die, der, das, correct, right, um"
)
_NEGATED = re.compile(rf"(?:\b{_NOT}|{_NOT_TOUCHING})(?: {_BEFORE_MENTION})* ?\(?$", re.IGNORECASE)
_NOT_ONLY = re.compile(r"\bnot only\b", re.IGNORECASE)

_BE = _any("is, was, are, would be, must be, can be, seems, looks, ist, est, es, é")
_CORRECT = _any(
    r"correct, right, true, answer, case, option, possible, it\b, one\b, richtig, $, [.,;!\n]"  # "A is not."
)
_WRONG = _any(
    "incorrect, wrong, false, ruled out, excluded, eliminated, impossible, falsch, incorrecte?, incorrecta, faux, "
    "fausse, errad[ao], incorret[ao]"
)
_EXCLUDED = re.compile(
    rf"\)? ?(?:(?:{_BE} (?:not|nicht|pas|no)|isn't|wasn't|aren't) ?(?:be )?(?:the )?{_CORRECT}"
    r"|(?:cannot|can't|can not|couldn't|could not) be"
    rf"|{_BE}? ?(?:clearly |obviously |definitely )?{_WRONG}\b"
    r"|(?:- )?(?:неверн|неправ)|不对|不正确|错|不是|は(?:違|誤|間違)|[는은] ?(?:틀|오답|아닙))",
    re.IGNORECASE,
)

_PERHAPS = _any(
    r"could, might, may, maybe, perhaps, possibly, would(?! (?:choose|say|pick|select|go|be)\b), if, whether, unless, "
    r"initially, at first, thought, seemed, either, considered, considering, between, quizás, vielleicht, peut-être, "
    r"talvez, может, возможно"
)
_SUPPOSES = re.compile(rf"\b{_PERHAPS}\b|{_any('可能, 也许, かもしれ')}", re.IGNORECASE)
_SUPPOSED_AFTER = re.compile(r"\W*(?:would|could|might|may)\b", re.IGNORECASE)

_CONJUNCTION = _any(
    "(?<!anything )but, however, although, though, while, whereas, so, therefore, thus, because, since, sondern, pero, "
    "mais, mas, но"
)
_CLAUSE_END = re.compile(rf"[.,;:!?\n()]|\b{_CONJUNCTION}\b|- ", re.IGNORECASE)

# Words that take back what was said before them.
_REVISION = _any(
    r"no[,.]? wait, wait[,.]? no, hold on, actually, on (?:second thoughts?|reflection), "
    r"(?:up)?on (?:closer|further) (?:look|inspection|examination|reflection|thought), "
    r"looking (?:again|closer|closely|more closely), correction, scratch that, "
    r"let me (?:correct|rephrase|reconsider|re-?check)\w*, "
    r"i (?:was wrong|made a mistake|mean|stand corrected|take that back|changed my mind), make that, or rather, "
    r"my mistake, oops, sorry, en realidad, perdón, corrijo, besser gesagt, doch nein, en fait, na verdade, вернее, "
    r"точнее"
)
_REVISES = re.compile(rf"\b{_REVISION}\b|(?:不对|いや|아니)[,.]|更正|等等|やっぱり", re.IGNORECASE)
_INTERRUPTS = re.compile(r"(?<=[.?!;,\n-]) ?(?:no|nein|non|não|нет|wait) ?[,.!:-]", re.IGNORECASE)


def clause_before(text: str, start: int) -> str:
    """Return the words of the clause before a position, at most `AROUND` characters, in lower case."""
    before = text[max(0, start - AROUND) : start].lower()
    ends = [end.end() for end in _CLAUSE_END.finditer(before)]
    return before[ends[-1] :] if ends else before


def is_announced(before: str) -> bool:
    """Whether the text before a mention announces an answer ("the answer is", "Antwort:") or concludes ("so")."""
    found = _ANNOUNCES.search(before[-AROUND:]), _CONCLUDES.search(before[-AROUND:])
    return any(announcement and not _CROSSING.search(announcement["between"]) for announcement in found)


def is_negated(before: str) -> bool:
    """Whether the text before a mention negates it directly: "not", "rather than", "it can't be"."""
    before = before[-AROUND:]
    return bool(_NEGATED.search(before)) and not _NOT_ONLY.search(before)


def is_excluded_after(after: str) -> bool:
    """Whether the text after a mention excludes it: "is not correct", "cannot be", "is wrong"."""
    return bool(_EXCLUDED.match(after))


def is_supposed(before: str, after: str = "") -> bool:
    """Whether the clause around a mention only supposes it: "it could be", "at first", "if"."""
    return bool(_SUPPOSES.search(clause_before(before, len(before)))) or bool(_SUPPOSED_AFTER.match(after))


def revisions(text: str, says_no: bool) -> list[str]:
    """Split a text where it takes back what it said before.

    Args:
        text: a plain text.
        says_no: whether a "no," within the text is an answer, and not a word that takes back.
    """
    cuts = {revision.span() for revision in _REVISES.finditer(text)}
    if not says_no:
        cuts |= {revision.span() for revision in _INTERRUPTS.finditer(text)}
    parts, start = [], 0
    for begin, end in sorted(cuts):
        parts.append(text[start : max(start, begin)])
        start = max(start, end)
    return [*parts, text[start:]]
