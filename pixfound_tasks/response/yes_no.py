"""Reading a yes or a no from a reply in free form."""

from __future__ import annotations

import re
from typing import NamedTuple

from pixfound_tasks.response.final_answer import final_answer
from pixfound_tasks.response.plain import json_answer, plain

_YES = "yes|ja|oui|sí|si|sim|да|是的|是|对|はい|네|예|نعم|हाँ|हां"
_NO = "no|nein|non|não|nao|нет|不是|不对|否|いいえ|아니요|아니오|لا|नहीं"
_WORD = re.compile(rf"(?<!\w)(?:(?P<yes>{_YES})|(?P<no>{_NO}))(?![\w'])")
_PAIR = re.compile(r"\b(?:yes ?(?:/|or) ?no|no ?(?:/|or) ?yes)\b")
_ENDED = re.compile(r" ?(?:[,;:!)(\n-]|\.(?!\.)|$)")
_OPENS = re.compile(r"(?:^|[\n.!?;:(]|\bbut|\bso|- ?|\d[.)]) ?\(*$")
_DECLARED = re.compile(
    r"(?:[:=é是は은는है]|\b(?:is|says?|be|answer|verdict|judge?ment|result|therefore|thus|hence|ist|es|est)) ?\(*$"
)
_NEGATED = re.compile(r"\b(?:not|never|neither|nor|than|instead of|over|n't)(?: an?| a clear)? ?\(*$")
_ANY_WORD = re.compile(r" \w")
# "No it does not", but not "No dog".
_ANSWERS = re.compile(r" (?:it|the|this|that|there|they|he|she|i|we|you|because|since|its|as|not)\b")
_ASSURES = re.compile(r",? i(?:'m| am) (?:very |quite |absolutely )?(?:sure|certain|positive|confident)\b")
_SUBJECT = r"[,.:]? (?:it|this|that|the (?:\w+ ){0,2}(?:answer|response|reply|statement))"
_DENIES = re.compile(
    rf"{_SUBJECT} (?:(?:is|does|was)(?: not|n't)\b(?! (?:wrong|incorrect|false))|(?:is|was) (?:wrong|incorrect)\b)"
)
_AFFIRMS = re.compile(rf"{_SUBJECT} (?:is (?:correct|right)\b|does\b(?! not)|matches\b|correctly\b)")
# A yes or a no that the judge quotes, one that it makes depend on something, and explanations of the contrary.
_QUOTED = re.compile(
    r"\b(?:response|student|model|assistant|(?:predicted|given|correct|expected|reference) answer|ground truth|both)\b"
    r"[^.\n;]{0,20}?\b(?:is|was|says?|said|answered|answers|be)\b\W{0,3}(?:\([a-z]\) ?)?(?:yes|no)\b"
    r"|\bcorrect answer: (?:\([a-z]\) ?)?(?:yes|no)\b"
)
_HEDGED = re.compile(
    r"\b(?:maybe|almost|perhaps|possibly|partially|to answer|would say|(?:can't|cannot|can not) say)[, ] ?(?:yes|no)\b"
    r"|\b(?:yes|no),? if\b"
)
_YES_BUT = re.compile(
    r"[,.:]? [^.\n]{0,120}(?<!not )(?<!n't )\b(?:incorrect|wrong|differs?|different|mismatch|contradicts?)\b"
)
_NO_BUT = re.compile(
    r"[,.: -]+(?:(?:it|they|this|that|the (?:answer|response)) (?:is|are) |it's )?"
    r"(?:correct|the same|right|identical)\b"
)
_WHOLE = re.compile(
    r"(?:the (?:answer|response) is |it is |it's )?(?:(?P<yes>correct|y)|(?P<no>incorrect|wrong|n))[.!]?"
)
_AROUND = 60  # characters before a word that are searched


class YesNo(NamedTuple):
    """A verdict, None if there is none; and whether that is because a reply says both yes and no."""

    verdict: bool | None
    is_conflicting: bool = False


def read_verdict(reply: str) -> YesNo:
    """Read a judge's reply to a yes/no question: its final answer, or the answer in its JSON. Never raises.

    "Yes, it does.", "**Answer:** no", `{"verdict": "yes"}` and their like in ten languages are verdicts. If a reply
    says both, or explains the contrary ("Yes, it does not match"), it has no verdict. What it quotes ("the response is
    no") and what it makes depend on something ("yes if ...") are no verdicts.
    """
    final = final_answer(reply)
    if not final.is_finished:
        return YesNo(None)
    text = plain(json_answer(final.text) or final.text).lower()
    if whole := _WHOLE.fullmatch(text.strip()):
        return YesNo(whole["yes"] is not None)
    text = _HEDGED.sub(" ", _QUOTED.sub(" ", text))
    read = read_yes_no(text)
    text = text.lstrip("( ")
    opening = _WORD.match(text)
    contrary = (_DENIES, _YES_BUT) if read.verdict else (_AFFIRMS, _NO_BUT)
    if opening and read.verdict is not None and any(each.match(text, opening.end()) for each in contrary):
        return YesNo(None, True)
    return read


def read_yes_no(text: str) -> YesNo:
    """Read the yes or no that a plain text in lower case gives as its answer.

    It opens the text or a sentence, is announced ("the answer is yes"), or stands alone between punctuation. The "no"
    of "there is no hat" and the choice "yes/no" do not count.
    """
    text = _PAIR.sub(" ", text)
    said: set[bool] = set()
    assured: set[bool] = set()
    for word in _WORD.finditer(text):
        if _counts(text, word):
            (assured if _ASSURES.match(text, word.end()) else said).add(word["yes"] is not None)
    said = said or assured
    return YesNo(said.pop()) if len(said) == 1 else YesNo(None, len(said) == 2)


def _counts(text: str, word: re.Match[str]) -> bool:
    before = text[max(0, word.start() - _AROUND) : word.start()]
    if _NEGATED.search(before):
        return False
    opens = (word.start() < _AROUND and not before.strip(" (")) or bool(_OPENS.search(before))
    if _ENDED.match(text, word.end()):
        return word[0] in ("yes", "no") or opens or bool(_DECLARED.search(before))
    if word[0] == "yes" and _DECLARED.search(before):
        return True
    goes_on = {"yes": _ANY_WORD, "no": _ANSWERS}.get(word[0])
    return opens and goes_on is not None and bool(goes_on.match(text, word.end()))
