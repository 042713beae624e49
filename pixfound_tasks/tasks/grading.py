"""Grading answers to questions: open ones (protocol 1) with a judge, or offline with a rule; choices with a judge.

Replies are cached (`judges.cache`), and so are the model's answers if lmms-eval runs with `--use_cache`. Running the
same command again requests only what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from loguru import logger

from pixfound_tasks.choices import check_choice
from pixfound_tasks.judges.base import FORMS, Judge, JudgeDown, check_judge_name, is_judge_form, make_judge
from pixfound_tasks.prompts.judge import QUESTION, STUDY, SYSTEM, TEMPERATURE, check_judging
from pixfound_tasks.response import whole_characters
from pixfound_tasks.response.final_answer import final_answer, without_draft
from pixfound_tasks.response.option import lenient_choice, letter_of
from pixfound_tasks.response.yes_no import read_verdict
from pixfound_tasks.settings import made_once, read_setting

VARIABLE = "PIXFOUND_JUDGE"
CHOICE_VARIABLE = "PIXFOUND_CHOICEJUDGE"
RULE = "rule"


def __getattr__(attribute: str) -> str:
    if attribute == "NAME":  # the judge's, for the task metadata that lmms-eval writes beside the results
        return read_setting(VARIABLE)
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")


class Judgement(NamedTuple):
    """Who judged an answer, whether it is correct, and the judge's reply.

    `verdict` is None if no judge could tell, or if the answer ends while the model is thinking; the answer then counts
    as incorrect and as unjudged. `reply` is "" if no judge was called or no reply came; for the rule it is the letter
    of the option it found.
    """

    by: str
    verdict: bool | None
    reply: str


def grade(question: str, options: Sequence[str], correct: int, answer: str, judge: Judge | None) -> Judgement:
    """Judge an answer. Never raises for a model's or a judge's output, nor if the judge is unavailable.

    Only the final answer is judged, never the model's thinking. A judge's reply is read by `response.yes_no`; with
    PIXFOUND_JUDGING=study, "yes" and "no" count, with or without periods, and nothing else does.

    Args:
        question: the question with its options, for an open answer the whole prompt, as in the study.
        options: the options' texts.
        correct: index of the correct option. The judge gets its letter and its text, `(a) Open`; with
            PIXFOUND_JUDGING=study the letter alone, which leaves it to the judge to look up the text.
        answer: the model's answer. An empty one is incorrect, an unfinished one is unjudged, and no judge is called.
        judge: None for the offline rule: the one option that `response.option.lenient_choice` finds.
    """
    by = RULE if judge is None else judge.name
    final = final_answer(answer, keep_boxes=True)
    if not final.text:
        return Judgement(by, False if final.is_finished else None, "")
    if judge is None:
        chosen = lenient_choice(answer, options)
        return Judgement(by, None, "") if chosen is None else Judgement(by, chosen == correct, letter_of(chosen))
    is_study, target = read_setting("PIXFOUND_JUDGING") == STUDY, f"({letter_of(correct)})"
    if not is_study:
        target += f" {options[correct]}"
    elif target.upper() in question:  # the benchmark letters its options with capitals
        target = target.upper()
    by += " (study's prompt)" * is_study
    try:
        reply = whole_characters(judge.ask(QUESTION.format(question=question, answer=target, response=final.text)))
    except JudgeDown:
        return Judgement(by, None, "")
    return Judgement(by, study_verdict(reply) if is_study else read_verdict(reply).verdict, reply)


def study_verdict(reply: str) -> bool | None:
    """Return the verdict in a reply by the study's rule: True for "yes" and "yes.", in any case; else not correct.

    None if the reply is no "no" either, so that the answer counts as unjudged, too.
    """
    text = without_draft(reply).lower()
    if text in ("yes", "yes."):
        return True
    return False if re.fullmatch(r"no\.*", text) else None


def judge_from_environment(variable: str = VARIABLE) -> Judge | None:
    """The judge that a variable names, None for `rule`, the default; made once per process and name.

    The variable is PIXFOUND_JUDGE for open answers, or PIXFOUND_CHOICEJUDGE for choices.
    Raises ValueError for an unknown name, and whatever `make_judge` raises.
    """
    name = read_setting(variable)
    check_judge(name, variable)
    return _made(f"{read_setting('PIXFOUND_JUDGING')} {name}")


@made_once
def _made(judging_and_name: str) -> Judge | None:
    judging, _, name = judging_and_name.partition(" ")
    check_judging(judging)
    if name == RULE:
        return None
    logger.info(f"answers are judged by {name} ({VARIABLE} or {CHOICE_VARIABLE})")
    return make_judge(name, system=SYSTEM, temperature=TEMPERATURE) if judging == STUDY else make_judge(name)


def check_judge(name: str, variable: str = VARIABLE) -> None:
    """Raise ValueError unless `name` is a valid value of PIXFOUND_JUDGE or PIXFOUND_CHOICEJUDGE."""
    if is_judge_form(name):
        check_judge_name(name)
    elif name != RULE:
        check_choice(variable, name, [RULE, *FORMS])


def check_choice_judge(name: str) -> None:
    """Raise ValueError unless `name` is a valid value of PIXFOUND_CHOICEJUDGE."""
    check_judge(name, CHOICE_VARIABLE)
