"""Task functions of protocol 2: choice questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pixfound_tasks.prompts import text as prompts
from pixfound_tasks.response import from_text
from pixfound_tasks.response.option import is_correct_answer, lenient_choice, option_of
from pixfound_tasks.tasks.document import Document, answer_part, size_of


def choice_prompt(doc: Document) -> str:
    """The question with its options and the instruction how to choose."""
    if doc["prompt"]:
        return f"{doc['prompt']}\n{prompts.CHOICE_INSTRUCTION}"
    return prompts.choice_question(doc["question"], doc["options"])


def score_choice(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """`accuracy` by the `paper` rule, and `lenient_accuracy`. `unparsed` is 1 if neither rule finds an option."""
    answer = from_text(results[0], size_of(doc)).text
    correct = option_of(doc["answer"])
    is_correct = is_correct_answer(answer, doc["options"], correct)
    chosen = lenient_choice(answer, doc["options"])
    part = answer_part(doc, is_correct)
    return {
        "score": part,
        "pair_accuracy": None if doc["pair"] is None else part,
        "accuracy": float(is_correct),
        "lenient_accuracy": float(is_correct or chosen == correct),
        "unparsed": float(chosen is None),
        "pixfound": doc,
    }
