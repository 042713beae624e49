"""The faults of answers: their shares, and what is said about them."""

from __future__ import annotations

import json
import math
import pickle

import pytest
from rectangles import rectangle

from pixfound_tasks import masks
from pixfound_tasks.analysis.faults import FAULTS, UNREADABLE, Flag, shares, warnings
from pixfound_tasks.grounding.coordinates.reading import UNDECLARED
from pixfound_tasks.hosts.failed_requests import is_failed
from pixfound_tasks.response import Response
from pixfound_tasks.response.final_answer import UNFINISHED
from pixfound_tasks.tasks.aggregations import flag_rate
from pixfound_tasks.tasks.find_faults import choice_faults, grounding_faults, open_faults

SIZE = (10, 10)
THERE, ABSENT = rectangle(0, 0, 5, 5, SIZE), masks.empty(SIZE)
FULL = rectangle(0, 0, 10, 10, SIZE)


@pytest.mark.parametrize(
    ("response", "target", "found"),
    [
        (Response("x", (THERE,)), THERE, []),
        (Response("x", ()), THERE, ["empty"]),
        (Response("x", ()), ABSENT, []),
        (Response("x", ()), None, []),
        (Response("x", (FULL,)), THERE, ["full"]),
        (Response("I see it."), THERE, ["unparsed"]),
        (Response("x", (THERE,), problems=("masks[1]: ...",)), THERE, ["unparsed"]),
        (Response("[1, 2]", problems=(f"expected ...; {UNDECLARED}",)), THERE, ["undeclared"]),
        (Response("<think>I see"), THERE, ["unfinished"]),
        (Response("", problems=(UNFINISHED,)), THERE, ["unfinished"]),
    ],
)
def test_faults_of_a_grounding(response, target, found):
    assert grounding_faults(response, target) == found


def test_faults_of_answers_in_words():
    assert choice_faults("B", True) == [] and choice_faults("It is odd.", False) == ["unparsed"]
    assert choice_faults("<think>B", False) == ["unfinished"]
    assert open_faults(Response("Closed."), True) == [] and open_faults(Response("Closed."), None) == ["unjudged"]
    assert open_faults(Response("<think>Closed."), None) == ["unfinished"]


def test_every_fault_above_two_percent_is_said_with_what_to_do():
    found = shares([["full", "unparsed"], ["unparsed"], [], *[["empty"]] * 2, *[[]] * 95])
    assert found == {"unparsed": 0.02, "full": 0.01, "empty": 0.02} and not warnings(found)
    (said,) = warnings({"unfinished": 0.5})
    assert said.startswith("50% of the answers end while the model is thinking") and "max_new_tokens=" in said
    assert set(UNREADABLE) < set(FAULTS)


def test_a_flag_is_a_number_that_keeps_its_faults_between_processes(warnings):
    flag = pickle.loads(pickle.dumps(Flag(1, ["undeclared"])))
    assert flag == 1 and flag.faults == ("undeclared",) and json.dumps([flag]) == "[1.0]"
    assert flag_rate([flag, 0.0]) == 0.5
    assert any("50% of the answers" in line and "PIXFOUND_COORDINATES" in line for line in warnings)
    assert math.isnan(flag_rate([Flag(math.nan, ["failed"]), 0.0]))


@pytest.mark.parametrize(
    ("output", "is_api", "failed"),
    [
        ("[LMMS_EVAL_REQUEST_FAILED after 5 retries] 500", False, True),
        (" [LMMS_EVAL_BUDGET_EXCEEDED]", False, True),
        (None, False, True),
        ("", False, False),
        ("", True, True),
        (" \n", True, True),
        ("B", True, False),
    ],
)
def test_failed_requests(output, is_api, failed):
    assert is_failed(output, is_api) is failed
