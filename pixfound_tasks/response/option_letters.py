"""Finds the option letters in an answer, and how each is meant.

A letter is found first, and what it means is read from the words around it, so that all languages whose words are
listed here and in `statements` are read in the same way.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from pixfound_tasks.response.statements import (
    AROUND,
    Polarity,
    Role,
    Statement,
    is_announced,
    is_excluded_after,
    is_negated,
    is_supposed,
)

# Cyrillic and Greek capital letters that look like Latin ones.
_ALIKE = dict(zip("\u0410\u0412\u0421\u0415\u0391\u0392\u0395", "ABCEABE"))
_LONE_ALIKE = re.compile(rf"(?<!\w)[{''.join(_ALIKE)}](?= ?(?:[).,;:!\n]|$))")
# Chinese, Japanese and Korean are written without spaces around a letter.
_WORD = r"A-Za-z0-9\u00c0-\u024f\u0370-\u05ff\u0900-\u097f'&"
_OTHER_SCRIPT = r"[^\x00-\u024f]"
_LETTER = re.compile(rf"(?<![{_WORD}])(?<![A-Za-z]\.)(?<![A-Za-z]-)([A-Za-z])(?!-?[{_WORD}])")
# Capital letters that are words of their own, in English or another language, if a word follows.
_WORDS = "AEIOY"
_SET_APART = re.compile(r" ?(?:[).,;:!?\n/&+-]|$)")
_CONNECTIVE = (
    "is|isn't|was|because|since|as|for|but|not|or|nor|and|rather|instead|based|due|given|which|seems|matches|porque|weil"
    "|denn|car|parce|потому|так|pois|ist|est|es|é|que"
)
_GOES_ON = re.compile(rf" (?:{_CONNECTIVE})\b|{_OTHER_SCRIPT}")
_BRACKET = re.compile(r" ?\)")
_ASKED = re.compile(r"\)? ?\?")
_OPENS = re.compile(rf" ?(?:[).,;:!\n-]|$|{_OTHER_SCRIPT})|\)? (?:is|because|since|as|for)\b")
_LINE_START, _LINE_END = re.compile(r"\n ?\(?$"), re.compile(r" ?\)?\.? ?(?:\n|$)")
_CORRECT = re.compile(
    r"\)?(?: ?[:=-])? (?:is|was|seems|would be|ist|est|es|é)(?: the| la| die)? "
    r"(?:best|correct|right|true|answer|one\b|richtig|correcta?|corret[ao]|bonne|exacte?)"
    r"|\)? ?(?:है|입니다|이다|です|を選|が正|верн|правил|是正确|正确|对)"
)
_OPTION = (
    "option|choice|letter|choose|chose|pick|select|go with|going with|say|it's|it is|that's|is|opción|opção|opcao"
    "|alternativa|letra|lettre|buchstabe|opzione|choix|elijo|escolho|choisis|wähle|вариант|буква|выбираю|أختار|الخيار|विकल्प"
)
_NAMES = re.compile(
    rf"(?:\b(?:{_OPTION})|选项?|選項?|选择|選擇|選択肢|선택지?)"
    r"(?: option| answer| choice| letter| la| le| die| den| a| o)* ?[:=]? ?\(?$",
    re.IGNORECASE,
)
_CONJUNCTION = "or|nor|and|und|oder|noch|ou|et|ni|o|y|e|и|или|ни"
_LISTED = re.compile(rf"[^\S\n]*\)?(?:[ ,/&+]|\b(?:{_CONJUNCTION})\b|[和或と])*(?:\boption )?\(?", re.IGNORECASE)
_AND_OR = re.compile(rf"\b(?:{_CONJUNCTION})\b|[和或と/&]", re.IGNORECASE)


def letters(text: str, count: int) -> list[Statement]:
    """Return the statements about the first `count` options that a plain text makes by their letters, in order."""
    text = _LONE_ALIKE.sub(lambda lone: _ALIKE[lone[0]], text)
    known = string.ascii_uppercase[:count]
    groups: list[list[Statement]] = []
    for match in _LETTER.finditer(text):
        if match[1].upper() not in known or not _is_letter(text, match):
            continue
        said = _statement(text, match, known.index(match[1].upper()))
        if groups and _is_listed(text, groups[-1][-1].stop, said.start):
            groups[-1].append(said)
        else:
            groups.append([said])
    return [said for group in groups for said in _of_list(text, group)]


def _is_listed(text: str, start: int, stop: int) -> bool:
    """Whether only "or", a comma and their like stand between two letters."""
    return stop - start < AROUND and bool(_LISTED.fullmatch(text, start, stop))


def _of_list(text: str, group: Sequence[Statement]) -> Sequence[Statement]:
    """The statements of a list of letters: "A or B" names none of them, and "not A or B" negates both."""
    if len(group) == 1:
        return group
    role = max(said.role for said in group)
    if _ASKED.match(text, group[-1].stop):
        return [said._replace(polarity=Polarity.MAYBE) for said in group]
    if group[0].polarity is not Polarity.NO:
        return [said._replace(polarity=Polarity.UNCLEAR, role=role) for said in group]
    if not _AND_OR.search(text, group[0].stop, group[-1].start):  # "not A, B"
        return group
    return [said._replace(polarity=Polarity.NO, role=role) for said in group]


def _is_letter(text: str, match: re.Match[str]) -> bool:
    """Whether a single letter is meant as an option's, and is no word such as the article.

    A lower-case letter is one if it is in brackets, opens the text before punctuation, or is announced.
    """
    before = text[max(0, match.start() - AROUND) : match.start()]
    is_apart = bool(_SET_APART.match(text, match.end()))
    goes_on = bool(_GOES_ON.match(text, match.end()))
    if match[1].isupper():
        return match[1] not in _WORDS or is_apart or goes_on
    if before.endswith("(") and _BRACKET.match(text, match.end()):
        return True
    if is_apart and match.start() < AROUND and not before.strip(" (\n"):
        return True
    return (is_apart or goes_on) and (bool(_NAMES.search(before)) or is_announced(before))


def _statement(text: str, match: re.Match[str], option: int) -> Statement:
    before = text[max(0, match.start() - AROUND) : match.start()]
    after = text[match.end() : match.end() + AROUND]
    polarity = Polarity.YES
    if is_negated(before) or is_excluded_after(after):
        polarity = Polarity.NO
    elif is_supposed(before) or _ASKED.match(after):
        polarity = Polarity.MAYBE
    return Statement(match.start(), match.end(), option, polarity, _role(before, after, match.start()))


def _role(before: str, after: str, start: int) -> Role:
    if is_announced(before):
        return Role.ANSWER
    if start < AROUND and not before.strip(" (\n-"):
        return Role.OPENING if _OPENS.match(after) else Role.LONE
    is_alone = _LINE_START.search(before) and _LINE_END.match(after)
    in_brackets = before.endswith("(") and _BRACKET.match(after)
    return Role.NAMED if is_alone or in_brackets or _NAMES.search(before) or _CORRECT.match(after) else Role.LONE
