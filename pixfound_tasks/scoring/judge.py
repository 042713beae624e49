"""Grading open answers (protocol 1): by a judge, or offline by a rule.

Replies are kept (`judges.cache`), and so are a model's answers with lmms-eval's `--use_cache`: the same command, run
again, asks only for what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from loguru import logger

from pixfound_tasks.choices import check_choice
from pixfound_tasks.judges.base import FORMS, Judge, JudgeDown, check_judge_name, is_judge_form, make_judge
from pixfound_tasks.response import whole_characters
from pixfound_tasks.scoring.answers import lenient_choice, letter_of
from pixfound_tasks.settings import made_once, read_setting

VARIABLE = "PIXFOUND_JUDGE"
RULE = "rule"
# PixFoundation's wording, which is MMVP's, as it stands.
QUESTION = (
    "Given the following question {question}, the correct answer is {answer}. Does the following answer correctly "
    "answers the question, answer:{response}? Respond with a Yes/No"
)
_VERDICTS = {"yes": True, "yes.": True, "no": False, "no.": False}


def __getattr__(attribute: str) -> str:
    if attribute == "NAME":  # of the judge, for the metadata of the tasks, which lmms-eval writes beside their results
        return read_setting(VARIABLE)
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")


class Judgement(NamedTuple):
    """Who judged an answer, whether it is right, and what the judge said.

    `verdict` None is an answer that nobody could judge; it counts as wrong, and as unjudged too. `reply` is "" where
    nothing was asked or no reply came; of the rule it is the letter of the option it found.
    """

    by: str
    verdict: bool | None
    reply: str


def grade(question: str, options: Sequence[str], right: int, answer: str, judge: Judge | None) -> Judgement:
    """Judge an open answer; never raises for what a model or a judge says, nor where the judge is down.

    Args:
        question: as the model was asked, options included: the authors show the judge the whole prompt.
        options: the options' texts.
        right: index of the right one. The judge is told its letter and its text, `(a) Open`: the authors give what
            the benchmark writes, `(a)`, which leaves it to the judge to look up the text.
        answer: the model's. An empty one is wrong, and nobody is asked.
        judge: None is the offline rule: the one option that `answers.lenient_choice` finds.
    """
    by = RULE if judge is None else judge.name
    if not answer.strip():
        return Judgement(by, False, "")
    if judge is None:
        chosen = lenient_choice(answer, options)
        return Judgement(by, None, "") if chosen is None else Judgement(by, chosen == right, letter_of(chosen))
    truth = f"({letter_of(right)}) {options[right]}"
    try:
        reply = whole_characters(judge.ask(QUESTION.format(question=question, answer=truth, response=answer)))
    except JudgeDown:
        return Judgement(by, None, "")
    return Judgement(by, _VERDICTS.get(reply.strip().lower()), reply)


def judge_from_environment() -> Judge | None:
    """The judge that PIXFOUND_JUDGE names, None for `rule`, the default; made once per process and name.

    Raises ValueError for a name that is none, and what `make_judge` raises.
    """
    return _made(read_setting(VARIABLE))


@made_once
def _made(name: str) -> Judge | None:
    check_judge(name)
    logger.info(f"open answers are judged by {name} ({VARIABLE})")
    return None if name == RULE else make_judge(name)


def check_judge(name: str) -> None:
    """Raise ValueError unless this can be the value of PIXFOUND_JUDGE."""
    if is_judge_form(name):
        check_judge_name(name)
    elif name != RULE:
        check_choice(VARIABLE, name, [RULE, *FORMS])
