"""Detects replies that say in words that the object is absent, in eleven languages."""

from __future__ import annotations

import re

from pixfound_tasks.grounding.coordinates.denial_phrases import DENIALS, EXCUSES

_LONGEST = 400  # characters of a sentence that are searched
_SEARCHED = 2000  # characters of a reply that are searched
_SENTENCE_END = re.compile(r"[.!?\n\u3002\uff01\uff1f\uff0e\u061f\u06d4\u0964]")
_FENCE = re.compile(r"^```\w*\s*")
_APOLOGY = re.compile(
    r"^(?:(?:i'm |i am )?sorry\W+(?:but )?|i apologize\W+(?:but )?|unfortunately\W+|es tut mir leid\W+(?:aber )?"
    r"|leider |lo siento\W+(?:pero )?|d\u00e9sol\u00e9e?\W+(?:mais )?|desculpe\W+(?:mas )?"
    r"|\u7533\u3057\u8a33\u3042\u308a\u307e\u305b\u3093(?:\u304c)?\W*)+"
)
_DENIAL = re.compile("|".join(DENIALS))
_EXCUSE = re.compile("|".join(EXCUSES))
# Something of the object is not seen, or something about it is denied.
_PARTIAL = re.compile(
    r"\b(?:not|n't|cannot) (?:\w+ ){0,3}"
    r"(?:fully|entirely|completely|in full|from the (?:front|side|back)|the whole|happy)\b"
    r"|\b(?:visible|shown|seen) (?:fully|entirely|completely|in full|from the (?:front|side|back))\b"
    r"|\bthe \w+'s \w+ but\b|\bvisible enti\u00e8rement|\u6ca1\u6709[^\u3002,\uff0c]{1,20}\u7684[^\u3002]{1,20}\u5728"
)
# What comes after a denial and says that something else is there.
_TURNS = re.compile(
    r"\b(?:but|however|though)\b(?! (?:there is|there are|it is|i)\b.{0,20}\b(?:no|not)\b)"
    r"|, (?:the|a|an) \w+ (?:is|lies|sits|stands)\b|\bonly (?:a|an|its|the)\b"
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_CLAUSE_END = re.compile(r"[,;:\u2014\uff0c]| but | however | while | although ")
_GENERIC = frozenset("object such target none nothing it thing null".split())
_STOP_WORDS = frozenset("the and with that this from its his her their for are left right of in on at to a an".split())


def is_denial(text: str, expression: str | None = None) -> bool:
    """Return whether a reply says that the object is absent.

    Without a referring expression, only the first sentence counts. With one, a later sentence that names the object
    counts too, and a denial does not if only another part of the reply names the object, as in "There is no cat, but
    the dog is on the left". Refusals ("I cannot draw boxes") and replies that name another object first do not count.
    """
    if _PARTIAL.search(text[:_SEARCHED].lower().replace("\u2019", "'")):
        return False
    sentences = _SENTENCE_END.split(_FENCE.sub("", text.strip()[:_SEARCHED]))
    if not expression:
        denial = _DENIAL.search(_plain(sentences[0]))
        return denial is not None and not _TURNS.search(_plain(sentences[0]), denial.end())
    named = {word.rstrip("s") for word in _WORD.findall(expression.lower())} - _STOP_WORDS
    denied = [clause for sentence in sentences if (clause := _denying_clause(_plain(sentence))) is not None]
    if any(_names(clause, named | _GENERIC) for clause in denied):
        return True
    is_first = _DENIAL.search(_plain(sentences[0])) is not None
    return is_first and not _names(text[:_SEARCHED].lower(), named)


def _plain(sentence: str) -> str:
    words = sentence[:_LONGEST].strip(" \"'`*").lower().replace("\u2019", "'")
    return _EXCUSE.sub(" ", _APOLOGY.sub("", words, count=1))


def _denying_clause(sentence: str) -> str | None:
    """The clause of a sentence that denies something, or None."""
    match = _DENIAL.search(sentence)
    if match is None:
        return None
    starts = [0, *(end.end() for end in _CLAUSE_END.finditer(sentence, 0, match.start()))]
    end = _CLAUSE_END.search(sentence, match.end())
    return sentence[starts[-1] : end.start() if end else None]


def _names(text: str, words: set[str]) -> bool:
    return any(word.rstrip("s") in words for word in _WORD.findall(text))
