"""Detects replies that say in words that the object is absent."""

from __future__ import annotations

import re

_LONGEST = 400  # characters of the first sentence that are searched
_NO_THING = r"no (?!doubt|question|way|need|problem|idea)"
_IN_IMAGE = r"in (?:the|this) (?:\w+ )?(?:image|picture|photo|scene)"
_SEEN = r"(?:present|visible|shown|depicted|found|detected|there\b|" + _IN_IMAGE + ")"
_DENIALS = [
    r"^(?:none|no|null|nothing|nil|n/a|absent)(?: of them| found| detected)?\W*$",
    rf"\bthere (?:is|are|was|were) (?:{_NO_THING}|none\b|not an?\b|not any\b)",
    r"\bthere (?:isn't|aren't|wasn't|weren't) (?:an?|any)\b",
    r"\b(?:does|do|did)(?: not|n't) (?:exist|appear)\b",
    rf"\b(?:is|are|was|were)(?: not|n't) {_SEEN}",
    r"\b(?:do not|don't|cannot|can't|could not|couldn't|unable to) (?:see|find|locate|detect) (?:an?|any|the)\b",
    r"\bno such\b",
    rf"^{_NO_THING}.{{1,80}}? (?:exists?\b|{_SEEN})",
    rf"^not {_SEEN}",
    r"^no (?:bounding )?box(?:es)?\b",
    r"^(?:the|this) (?:image|picture|photo|scene) (?:does not|doesn't) (?:contain|show|have|include|depict)\b",
]
_DENIAL = re.compile("|".join(_DENIALS))


def is_denial(text: str) -> bool:
    """Return whether the first sentence of a reply says that the object is absent.

    Refusals ("I cannot draw boxes") and replies that name another object first do not count.
    """
    first = re.split(r"[.!?\n]", text.strip()[:_LONGEST], maxsplit=1)[0]
    words = first.strip(" \"'`*").lower().replace("\u2019", "'")
    return bool(_DENIAL.search(re.sub(r"^(?:i'm |i am )?sorry\W+(?:but )?", "", words)))
