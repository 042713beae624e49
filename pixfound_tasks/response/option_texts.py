"""Finds the texts of options in an answer, and how each is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pixfound_tasks.response.statements import (
    AROUND,
    Polarity,
    Role,
    Statement,
    clause_before,
    is_announced,
    is_excluded_after,
    is_supposed,
)

# What says nothing about the options although it has a negation.
_IDIOMS = re.compile(r"\b(?:no doubt|without (?:a |any )?doubt|no question|not to mention|no wonder|not only)\b", re.I)
_OR = re.compile(r"[ ,]*(?:/|or|and|nor)[ ,]*(?:the |on |it's |it is |is )?")
_WORD = re.compile(r"[\w'\u0900-\u097f]+")
_NEGATIONS = frozenset(
    "not cannot never neither nor without unlike than hardly nicht kein keine keinen pas não nao не ليس नहीं".split()
)
_PAIRS = ("instead of", "opposed to", "far from", "anything but")
# Words between a negation and an option that leave the negation as it is.
_LIGHT = frozenset(
    "a an the in on at to of for from by being be been really actually currently visibly even any its their his her "
    "with it is are was were as like that there longer more less one of ist sind im der die das ein eine est la le un "
    "une el los es está o os é described considered called regarded classified".split()
)
_FINITE = frozenset("is are was were has have looks seems appears stands ist sind est es está é".split())
_RAISED = re.compile(
    r"(?:\b(?:do|does|did|would) ?(?:n't|not)|\bcannot|\bcan't) (?:think|believe|look|seem|appear|feel|say|see)\b"
    r"|\b(?:in )?no (?:evidence|sign|indication|way|chance|case|circumstances)\b|\bby no means\b|\bnot at all\b"
    r"|\b(?:not|n't) (?:true|correct|the case) that\b|\bdoubt\b"
    r"|^ ?(?:neither|none|nothing|nobody|no one)\b"
)
_UNSURE = re.compile(
    r"(?:\bnot|n't) (?:\w+ )?(?:sure|clear|certain|obvious|know|possible)\b"
    r"|\b(?:can't|cannot|can not|couldn't) (?:\w+ )?(?:tell|say|determine)\b"
    r"|\b(?:hard|difficult|impossible) to (?:tell|say|see|determine)\b|\b(?:unclear|unsure|whether|if)\b|\bless ?$"
)
_QUESTION = re.compile(r"[^.!?\n,;]{0,60}\?")


def texts(text: str, options: Sequence[str]) -> list[Statement]:
    """Return the statements about options that a plain text makes by their texts, in order.

    An option's text inside a longer option that is also found does not count.
    """
    lowered = _IDIOMS.sub(lambda idiom: " " * len(idiom[0]), text.lower())
    index_of = {option: index for index, option in reversed(list(enumerate(options))) if option}
    if not index_of:
        return []
    either = "|".join(map(re.escape, sorted(index_of, key=len, reverse=True)))
    found: list[Statement] = []
    for match in re.finditer(rf"(?<![\w-])(?:{either})(?![\w-])", lowered):
        statement = _statement(text, lowered, match, index_of[match[0]])
        if found and found[-1].polarity is Polarity.YES and _OR.fullmatch(lowered, found[-1].stop, match.start()):
            found[-1] = found[-1]._replace(polarity=Polarity.UNCLEAR)
            statement = statement._replace(polarity=Polarity.UNCLEAR, role=max(found[-1].role, statement.role))
        found.append(statement)
    return found


def _statement(text: str, lowered: str, match: re.Match[str], option: int) -> Statement:
    before = text[max(0, match.start() - AROUND) : match.start()]
    after = lowered[match.end() : match.end() + AROUND]
    clause = clause_before(lowered, match.start())
    polarity = Polarity.NO if is_excluded_after(after) else _polarity(clause)
    if _QUESTION.match(after):
        polarity = Polarity.UNCLEAR
    if polarity is Polarity.YES and is_supposed(before, after):
        polarity = Polarity.MAYBE
    is_answer = is_announced(before)
    return Statement(match.start(), match.end(), option, polarity, Role.ANSWER if is_answer else Role.LONE)


def _polarity(clause: str) -> Polarity:
    """How a mention is meant by the words of its clause before it."""
    if _UNSURE.search(clause):
        return Polarity.UNCLEAR
    if _RAISED.search(clause):
        return Polarity.NO
    words = _WORD.findall(clause)[-6:]
    is_light = True
    for index in range(len(words) - 1, -1, -1):
        word = words[index]
        if _negates(words, index):
            return Polarity.NO if is_light else Polarity.UNCLEAR
        if word in _FINITE and words[max(0, index - 1)] not in ("that", "it", "there"):
            return Polarity.YES
        is_light = is_light and word in _LIGHT
    return Polarity.YES


def _negates(words: Sequence[str], index: int) -> bool:
    word = words[index]
    if word in ("no", "without"):  # "no open window", but not "the man with no hat on the left"
        return (
            index == len(words) - 1
            or words[index + 1] in ("longer", "more")
            or (word == "no" and words[max(0, index - 1)] in _FINITE)
        )
    pair = " ".join(words[max(0, index - 1) : index + 1])
    return pair in _PAIRS or word in _NEGATIONS or word.endswith("n't")
