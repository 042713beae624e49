"""Paraphrases of a question. A judge writes them, and they are checked before they are used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pixfound_tasks.judges.base import Judge, JudgeDown

ATTEMPTS = 5
_REQUEST = """Write {count} paraphrases of the question below, which is about an image.
Each must ask exactly the same, so that the right answer stays the same.
Keep names, numbers and whatever stands in quotes or brackets. Do not answer the question.
Reply with a numbered list, one paraphrase a line, and nothing else.

Question: {question}"""
_OTHERS = "\n\nThese are known already, write others:\n{known}"
# Judges' replies are cached by question. Without a number, the same reply would be returned again.
_AGAIN = "\n\nAttempt {attempt}."
_ITEM = re.compile(r"\s*(?:\d{1,3}[.):]|[-*\u2022])\s+(.+)")
_QUOTED = re.compile(r'["\u201c]([^"\u201c\u201d]+)["\u201d]')
_ENDS = (".", "?", "!")


class Paraphrased(NamedTuple):
    """Paraphrases in the order of the replies, and why there are fewer than requested ("" if there are enough)."""

    texts: tuple[str, ...]
    reason: str


def paraphrase(judge: Judge, question: str, count: int, known: Sequence[str] = ()) -> Paraphrased:
    """Return new paraphrases of a question, so that there are `count` together with the known ones.

    It asks up to `ATTEMPTS` times for the missing ones. It never raises because of a judge's reply, or because the
    judge is down.
    """
    texts: list[str] = []
    for attempt in range(1, ATTEMPTS + 1):
        missing = count - len(known) - len(texts)
        if missing <= 0:
            break
        try:
            reply = judge.ask(_request(question, missing, [*known, *texts], attempt))
        except JudgeDown as error:
            return Paraphrased(tuple(texts), str(error))
        texts += usable(reply, question, [*known, *texts])[:missing]
    is_short = len(known) + len(texts) < count
    return Paraphrased(tuple(texts), f"{ATTEMPTS} replies of {judge.name} held no more usable ones" if is_short else "")


def usable(reply: str, question: str, known: Sequence[str] = ()) -> list[str]:
    """Return the paraphrases in a judge's reply: the items of its list, without marks, quotes and repeated whitespace.

    An item is left out if

    - it equals the question, a known paraphrase or an earlier item, ignoring case and punctuation;
    - it ends in the middle of a sentence although the question does not, like the last item of a truncated reply;
    - it is longer than twice the length of the question plus 100 characters;
    - it contains unprintable characters.
    """
    found: list[str] = []
    taken = {"", *map(_bare, (question, *known))}
    for item in filter(None, map(_ITEM.match, reply.splitlines())):
        text = " ".join(item[1].replace("**", "").split())
        quoted = _QUOTED.fullmatch(text)
        text = quoted[1] if quoted else text
        is_whole = text.endswith(_ENDS) or not question.rstrip().endswith(_ENDS)
        if is_whole and len(text) <= 2 * len(question) + 100 and text.isprintable() and _bare(text) not in taken:
            taken.add(_bare(text))
            found.append(text)
    return found


def _request(question: str, count: int, known: Sequence[str], attempt: int) -> str:
    others = _OTHERS.format(known="\n".join(known)) if known else ""
    again = _AGAIN.format(attempt=attempt) if attempt > 1 else ""
    return _REQUEST.format(count=count, question=question) + others + again


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
