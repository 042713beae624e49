"""Grading open answers (protocol 1): with a judge, or offline with a rule.

Replies are cached (`judges.cache`), and so are the model's answers if lmms-eval runs with `--use_cache`. Running the
same command again requests only what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from loguru import logger

from pixfound_tasks.choices import check_choice
from pixfound_tasks.judges.base import FORMS, Judge, JudgeDown, check_judge_name, is_judge_form, make_judge
from pixfound_tasks.prompts.judge import QUESTION, SYSTEM, TEMPERATURE
from pixfound_tasks.response import whole_characters
from pixfound_tasks.response.final_answer import final_answer
from pixfound_tasks.response.option import lenient_choice, letter_of
from pixfound_tasks.response.yes_no import read_verdict
from pixfound_tasks.settings import made_once, read_setting

VARIABLE = "PIXFOUND_JUDGE"
RULE = "rule"
WORDINGS = ("default", "study")


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
    """Judge an open answer. Never raises for a model's or a judge's output, nor if the judge is unavailable.

    Only the final answer is judged, never the model's thinking. A judge's reply is read by `response.yes_no`.

    Args:
        question: the prompt the model got, options included; the authors show the judge the whole prompt.
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
    is_study, target = read_setting("PIXFOUND_JUDGING") == "study", f"({letter_of(correct)})"
    if not is_study:
        target += f" {options[correct]}"
    elif target.upper() in question:  # the benchmark letters its options with capitals
        target = target.upper()
    by += " (study's prompt)" * is_study
    try:
        reply = whole_characters(judge.ask(QUESTION.format(question=question, answer=target, response=final.text)))
    except JudgeDown:
        return Judgement(by, None, "")
    return Judgement(by, read_verdict(reply).verdict, reply)


def judge_from_environment() -> Judge | None:
    """The judge that PIXFOUND_JUDGE names, None for `rule`, the default; made once per process and name.

    Raises ValueError for an unknown name, and whatever `make_judge` raises.
    """
    return _made(f"{read_setting('PIXFOUND_JUDGING')} {read_setting(VARIABLE)}")


@made_once
def _made(wording_and_name: str) -> Judge | None:
    wording, _, name = wording_and_name.partition(" ")
    check_wording(wording)
    check_judge(name)
    logger.info(f"open answers are judged by {name} ({VARIABLE})")
    if name == RULE:
        return None
    return make_judge(name, system=SYSTEM, temperature=TEMPERATURE) if wording == "study" else make_judge(name)


def check_wording(wording: str) -> None:
    """Raise ValueError unless `wording` is a valid value of PIXFOUND_JUDGING."""
    check_choice("PIXFOUND_JUDGING", wording, WORDINGS)


def check_judge(name: str) -> None:
    """Raise ValueError unless `name` is a valid value of PIXFOUND_JUDGE."""
    if is_judge_form(name):
        check_judge_name(name)
    elif name != RULE:
        check_choice(VARIABLE, name, [RULE, *FORMS])
