"""The `paper` rule of each benchmark: which answers are correct, by the rules of the authors' scripts."""

from __future__ import annotations

import math

import pytest

from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.response.option import is_correct_answer
from pixfound_tasks.tasks.aggregations import source_mean

OPTIONS = ("above", "below")  # the first one is correct

# Answer; correct by PixMMVP's rule (the letter or the whole text); by PixCV-Bench's (the first character).
ANSWERS = [
    ("a", True, True),
    ("A", True, True),
    ("(A)", True, True),
    ("A.", True, True),
    ("(a).", True, True),
    (" A \n", True, True),
    ("Answer: A", True, True),
    ("The answer is A", True, True),
    ("The answer is (A).", True, True),
    ("The answer is b. No, the answer is a", True, True),
    # The whole text counts in the one rule, its first letter in the other.
    ("above", True, True),
    ("Above.", True, True),
    ("about", False, True),
    ("All of them", False, True),
    ("A above", False, True),
    ("(A) above", False, True),
    ("A. above", False, True),
    ("A: above", False, True),
    ("a)", True, True),
    ("a) above", False, True),
    ("A, I think", False, True),
    ("A,", True, True),
    ("A:", True, True),
    # What is announced with "the answer is:" keeps its colon.
    ("The answer is: A", False, False),
    ("The answer is: (A)", False, False),
    ("answer:A", True, True),
    ("", False, False),
    (" ", False, False),
    ("b", False, False),
    ("(B) below", False, False),
    ("below", False, False),
    ("It is above", False, False),
    ("option A", False, False),
    ("**A**", False, False),
    ("'A'", False, False),
    ("[A]", False, False),
    ("((A))", True, True),
    ("1", False, False),
    ("The letter A", False, False),
    ("\\boxed{A}", False, False),
]


@pytest.mark.parametrize(("answer", "by_text", "by_letter"), ANSWERS)
def test_both_rules(answer, by_text, by_letter):
    found = [is_correct_answer(answer, OPTIONS, 0, rule) for rule in ("letter or text", "first letter")]
    assert found == [by_text, by_letter]


def test_every_benchmark_has_its_rule():
    rules = {name: get_benchmark(name).paper_rule for name in ("pixmmvp", "pixcvbench", "pixmini")}
    assert rules == {"pixmmvp": "letter or text", "pixcvbench": "first letter", "pixmini": "letter or text"}


def test_sources_count_the_same_whatever_their_size():
    assert source_mean([("ADE20K", 1.0), ("COCO", 0.0), ("COCO", 0.5), ("COCO", None)]) == 0.625
    assert source_mean([("ADE20K", 1.0), ("COCO", None)]) == 1.0
    assert math.isnan(source_mean([("ADE20K", 1.0), ("COCO", math.nan)]))
