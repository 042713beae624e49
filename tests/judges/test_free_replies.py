"""Judges' replies in free form: what is a verdict or a choice, and what is quoted, compared, taken back or unclear."""

from __future__ import annotations

import pytest

from pixfound_tasks.grounding.judge_replies import chosen_number, read_presence
from pixfound_tasks.response.yes_no import read_verdict

VERDICTS = [
    ("Yes, incorrect.", None),
    ("Yes, wrong.", None),
    ("Yes, they differ", None),
    ("Yes, but the letter is wrong", None),
    ("Yes: the response picks (B) although (A) is correct, so it is incorrect.", None),
    ("No, correct.", None),
    ("No - the answer is correct", None),
    ("No, they are the same", None),
    ('The response is "Yes".', None),
    ("The student answered yes", None),
    ("The model says yes", None),
    ("The correct answer is Yes", None),
    ('The response is "No" and the correct answer is (b) No, so they match.', None),
    ("Maybe yes", None),
    ("Almost yes", None),
    ("Yes if you count both", None),
    ("I can't say yes.", None),
    ("If it matched I would say yes.", None),
    ("To answer yes, the response must match. It does not.", None),
    ('The predicted answer is "No" and the correct answer is "Yes". So, No.', False),
    ("No, the model answered 'yes'.", False),
    ("No, because the response says yes", False),
    ("Yes, the student said no.", True),
    ("Yes, both say no", True),
    ('Yes. The correct answer is "No" and the response is "No".', True),
    ("Correct", True),
    ("Incorrect", False),
    ("The answer is correct.", True),
    ("Y", True),
    ("N", False),
    ("Yes", True),
    ("The answer is yes", True),
    ("No, it is wrong.", False),
    ("Yes, it is not wrong.", True),
    ("Yes, it is correct.", True),
    ("No, it is not correct.", False),
]
NUMBERS = [
    ("Best: 2. Second best: 3.", 2),
    ("Best image: 2, runner-up: 3", 2),
    ("Best: image 2\nWorst: image 1", 2),
    ("1... wait, 2", 2),
    ("Answer: 1. Actually, 2.", 2),
    ("Image 3 highlights the dog best because in image 1 the mask covers 2 dogs", 3),
    ("My choice is 2 because 1 is best at showing the sky", 2),
    ("Image 2 is most accurate since image 1 has the most background", 2),
    ("Image 2 best highlights the dog, though image 4 is also right.", 2),
    ("2 (score: 4)", 2),
    ("1: bad\n2: good\n3: bad\n4: bad", None),
    ("3", 3),
    ("**3**", 3),
    ("image 3 is best", 3),
    ("The third image", 3),
    ("1 or 3", None),
    ("Image 1 shows the sky, image 3 the dog.\n3", 3),
    ("Because it is clear, 2", 2),
    ("While image 1 is fine, I choose 3", 3),
]  # of four images


@pytest.mark.parametrize(("reply", "verdict"), VERDICTS)
def test_a_verdict_is_what_the_judge_says_itself(reply, verdict):
    assert read_verdict(reply).verdict is verdict


@pytest.mark.parametrize(("reply", "number"), NUMBERS)
def test_a_choice_is_the_image_that_is_declared_best(reply, number):
    assert chosen_number(reply, 4) == number


PRESENCE = [
    ("The picture shows a dog with no collar", True),
    ("A dog with no leash", True),
    ("There is a dog but no cat", True),
    ("There's a dog. It does not have a collar.", True),
    ("The dog is missing a leg", True),
    ("It's not missing; I see it.", True),
    ("A dog is present, although not visible fully", True),
    ("There isn't any dog.", False),
    ("It does not have one", False),
    ("There is no dog.", False),
    ("No", False),
    ("Yes", True),
    ("I don't see a dog.", False),
    ("The image has no dog.", False),
    ("There are no dogs.", False),
]


@pytest.mark.parametrize(("reply", "is_there"), PRESENCE)
def test_what_lacks_something_is_there(reply, is_there):
    assert read_presence(reply).is_there is is_there
