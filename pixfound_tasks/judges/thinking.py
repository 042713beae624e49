"""Judges that think before they reply: how they are recognized, and how many tokens they get."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pixfound_tasks.judges.base import NoReply
from pixfound_tasks.response.final_answer import final_answer

MAX_TOKENS_THINKING = 4096
_THINKS = re.compile(
    r"</?think|</?thought|</?reasoning>|\[/?THINK\]|\u25c1/?think|<\|channel\|?>|<\|(?:START_THINKING|begin_of_thought)\|>"
    r"|enable_thinking|reasoning_(?:content|effort)|seed:think|<unused94>"
)


def thinks(processor: Any) -> bool:
    """Return whether a processor's or tokenizer's chat template has marks of thinking, so that its model may think."""
    return bool(_THINKS.search(str(getattr(processor, "chat_template", None) or "")))


def whole_reply(name: str, processor: Any, limit: int, generate: Callable[[int], tuple[str, int]]) -> str:
    """Return a model's reply, generated again with `MAX_TOKENS_THINKING` tokens if it ends while the model is thinking.

    Args:
        name: the judge's name, for messages.
        processor: the model's processor or tokenizer.
        limit: the number of tokens that a reply needs without thinking.
        generate: returns the text of at most so many tokens, and their number.

    Raises:
        NoReply: if the model is still thinking in the end. A cut reply of a model that may think counts as thinking,
            because its template may have opened the thinking.
    """
    for tokens in (limit, max(limit, MAX_TOKENS_THINKING)):
        text, count = generate(tokens)
        is_cut = count >= tokens
        if final_answer(text).is_finished and not (is_cut and thinks(processor)):
            return text
        if not is_cut:
            break
    raise NoReply(f"{name} is still thinking after {count} tokens")
