from __future__ import annotations

import pytest

from pixfound_tasks.response.option import is_correct_answer, lenient_choice

OPTIONS = ["Open", "Closed"]


@pytest.mark.parametrize(
    "answer",
    [
        "b",
        "B.",
        "(b)",
        "(B).",
        "b:",
        " Closed ",
        "closed.",
        "The answer is B",
        "Answer: closed",
        "So the answer is (b).",
    ],
)
def test_paper_rule_accepts(answer):
    assert is_correct_answer(answer, OPTIONS, 1) and not is_correct_answer(answer, OPTIONS, 0)


@pytest.mark.parametrize(
    "answer",
    # A colon that stays after "answer is" makes the authors' rule miss the answer; so it does here.
    ["B. Closed", "B) Closed", "the answer is: b", "It is closed", "The correct option is B", "", "A or B"],
)
def test_paper_rule_refuses(answer):
    assert not is_correct_answer(answer, OPTIONS, 0) and not is_correct_answer(answer, OPTIONS, 1)


def test_paper_rule_follows_the_last_announcement():
    assert is_correct_answer("The answer is a. No, the answer is b", OPTIONS, 1)
    assert is_correct_answer("the answer is answer: b", OPTIONS, 1)


@pytest.mark.parametrize(
    ("answer", "choice"),
    [
        ("B. Closed", 1),
        ("(a) open", 0),
        ("the answer is: b", 1),
        ("The correct option is B", 1),
        ("I think it is closed, really", 1),
        ("A or B", None),
        ("open or closed", None),
        ("", None),
        ("A butterfly", None),
        ("disclosed", None),
        ("c", None),
    ],
)
def test_lenient_rule(answer, choice):
    assert lenient_choice(answer, OPTIONS) == choice


def test_lenient_rule_counts_an_option_within_another_once():
    assert lenient_choice("it lies to the left of the cup", ["left", "to the left of"]) == 1
