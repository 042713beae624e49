"""Task functions of protocol 2: choice questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pixfound_tasks.analysis.faults import Flag
from pixfound_tasks.prompts import text as prompts
from pixfound_tasks.response import from_text
from pixfound_tasks.response.final_answer import without_draft
from pixfound_tasks.response.option import is_correct_answer, lenient_choice, option_of
from pixfound_tasks.tasks.document import Document, answer_part, of_source, paper_rule, size_of
from pixfound_tasks.tasks.find_faults import choice_faults, open_faults
from pixfound_tasks.tasks.grading import CHOICE_VARIABLE, Judgement, grade, judge_from_environment
from pixfound_tasks.tasks.model_profiles import is_missing, note_backend


def choice_prompt(doc: Document, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> str:
    """The question with its options and the instruction how to choose."""
    note_backend(doc, lmms_eval_specific_kwargs)
    judge_from_environment(CHOICE_VARIABLE)  # fails on a bad setting before a model has answered anything
    if doc["prompt"]:
        return f"{doc['prompt']}\n{prompts.CHOICE_INSTRUCTION}"
    return prompts.choice_question(doc["question"], doc["options"])


def score_choice(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """`accuracy` by the `paper` rule, and `lenient_accuracy`. `unparsed` is 1 if neither rule finds an option.

    Thinking never counts. The `paper` rule reads the rest as it is, with its markup. If the request failed, all values
    are NaN, which makes every mean NaN. `faults` are names in `analysis.faults`.

    If PIXFOUND_CHOICEJUDGE names a judge, its verdict replaces the `paper` rule in `accuracy`, and `unparsed` is 1 if
    there is none; `judgement` says so. `lenient_accuracy` is by the rules alone.
    """
    if is_missing(doc, results[0]):
        return _scores(doc, math.nan, math.nan, Flag(math.nan, ["failed"]))
    response = from_text(results[0], size_of(doc))
    output, options = response.text, doc["options"]
    answer, correct = without_draft(output), option_of(doc["answer"])
    rule = paper_rule(doc)
    is_correct = is_correct_answer(answer, options, correct, rule)
    chosen = lenient_choice(output, options)
    is_parsed = chosen is not None or any(
        is_correct_answer(answer, options, index, rule) for index in range(len(options))
    )
    lenient = float(is_correct or chosen == correct)
    judgement = _judged(doc, output)
    if judgement is None:
        return _scores(doc, is_correct, lenient, Flag(not is_parsed, choice_faults(output, is_parsed)))
    unjudged = Flag(judgement.verdict is None, open_faults(response, judgement.verdict))
    return _scores(doc, judgement.verdict is True, lenient, unjudged) | {"judgement": judgement._asdict()}


def _judged(doc: Document, output: str) -> Judgement | None:
    """The judgement of an output, None without a judge of choices.

    The judge is shown the benchmark's own question and options, as in the study's script, also if the prompt is varied.
    """
    judge = judge_from_environment(CHOICE_VARIABLE)
    if judge is None:
        return None
    question = doc["prompt"] or f"{doc['question']} Options: {doc['options_text']}"
    return grade(question, doc["options"], option_of(doc["answer"]), output, judge)


def _scores(doc: Document, is_correct: float, lenient: float, unparsed: Flag) -> dict[str, Any]:
    part = answer_part(doc, is_correct)
    return {
        "score": part,
        "pair_accuracy": None if doc["pair"] is None else part,
        "accuracy": float(is_correct),
        "source_mean": of_source(doc, float(is_correct)),
        "lenient_accuracy": lenient,
        "unparsed": unparsed,
        "faults": list(unparsed.faults),
        "pixfound": doc,
    }
