"""Text without markup, as the readers of options, verdicts and numbers need it."""

from __future__ import annotations

import re
from typing import Any

from pixfound_tasks.response.parse import parse_json

# Full-width characters, quotes and brackets as their ASCII relatives. Others, such as "²", stay as they are.
_ASCII = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    **dict.fromkeys(map(ord, "\u2018\u2019\u02bc\u00b4"), "'"),
    **dict.fromkeys(map(ord, '\u201c\u201d\u201e\u00ab\u00bb"*`#$\\\u200b\u200e\u200f\ufeff\u2061'), None),
    **dict.fromkeys(map(ord, "_{}|>\u3000\u00a0\u202f"), " "),
    **dict.fromkeys(map(ord, "[\u3010\u300c\u300e\u300a\u3014"), "("),
    **dict.fromkeys(map(ord, "]\u3011\u300d\u300f\u300b\u3015"), ")"),
    **dict.fromkeys(map(ord, "\u3002\uff61\u0964\u06d4"), "."),
    **dict.fromkeys(map(ord, "\u3001\u060c\uff64"), ","),
    **dict.fromkeys(map(ord, "\u061b"), ";"),
    **dict.fromkeys(map(ord, "\u061f"), "?"),
    **dict.fromkeys(map(ord, "\u2013\u2014\u2015"), " - "),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2212"), "-"),
}
_LONGEST = 5_000  # characters at either end of a text that are read
_STRUCK = re.compile(r"~~[^~\n]{1,80}~~")
_TAG = re.compile(r"</?[a-z][a-z_0-9-]{0,30}\s?/?>", re.IGNORECASE)
_SYMBOLS = re.compile("[\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]")
_QUOTE = re.compile(r"(?<!\w)'|'(?!\w)")
_SPACES = re.compile(r"[^\S\n]+")
_CODE_BLOCK = re.compile(r"```\w{0,10}\s(.*?)```", re.DOTALL)

# The keys that hold the answer in a model's own JSON, in order of preference; case, spaces and underscores are ignored.
_ANSWER_KEYS = (
    "finalanswer verdict answer correctanswer choice option letter selection selected judgment judgement label result "
    "prediction correct iscorrect match present image number response antwort respuesta respuestacorrecta réponse "
    "reponse resposta ответ 答案 答え 选项 정답 الإجابة उत्तर"
).split()


def plain(text: str) -> str:
    """Return a text without Markdown, LaTeX, tags, quotes and emoji, with ASCII punctuation; lines are kept.

    Brackets become round ones. Text that is struck through is left out. Of longer texts, the first and the last 5,000
    characters are read, because answers are announced at the beginning or at the end.
    """
    if len(text) > 2 * _LONGEST:
        text = f"{text[:_LONGEST]}\n{text[-_LONGEST:]}"
    text = _TAG.sub("\n", _STRUCK.sub(" ", text)).translate(_ASCII)
    text = _QUOTE.sub("", _SYMBOLS.sub("", text))
    return _SPACES.sub(" ", text).strip()


def json_answer(text: str) -> str | None:
    """Return the answer in a model's own JSON, such as `{"answer": "B"}` or `["B"]`; None if there is none.

    The JSON may stand in a code block. True and false are "yes" and "no".
    """
    block = _CODE_BLOCK.search(text)
    value = parse_json(block[1] if block else text)
    for _ in range(3):
        if isinstance(value, dict):
            value = _answer_of(value)
        elif isinstance(value, list) and len(value) == 1:
            value = value[0]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (str, int)):
        return str(value) if isinstance(value, str) or abs(value) < 10**9 else None
    return None


def _answer_of(fields: dict[Any, Any]) -> Any:
    by_key = {re.sub(r"[\s_-]", "", str(key)).lower(): value for key, value in fields.items()}
    return next((by_key[key] for key in _ANSWER_KEYS if key in by_key), None)
