"""The response contract: what goes out comes back, what others print is read, and nothing a model prints raises."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from rectangles import SIZE, rectangle
from untrusted import OBJECTS, OUTPUTS

from pixfound_tasks import masks
from pixfound_tasks.response import (
    Candidate,
    CoarseMap,
    Phrase,
    PromptedMasks,
    Response,
    Selection,
    from_text,
    to_text,
)

LEFT, RIGHT = rectangle(0, 0, 3, 4), rectangle(3, 0, 6, 4)
LOOK = CoarseMap((1, 3), bytes([0, 15, 7]))
FULL = Response(
    text="A dog \u2013 black.",
    masks=(LEFT,),
    boxes=((0.0, 0.0, 0.5, 1.0),),
    points=((0.25, 0.5),),
    scores=(0.9,),
    phrases=(
        Phrase((0.25, 0.5), (Candidate(LEFT, 0.9), Candidate(RIGHT, 0.1)), "A dog", "dog", (0, 5), (0, 2), 0.8, LOOK),
        Phrase(text="black", chars=(8, 13), tokens=(3, 4)),
    ),
    selected=Selection("similarity", 0, 0),
    control=(PromptedMasks((0.7, 0.1), (Candidate(RIGHT, 0.5),)),),
    tokens=5,
    provenance={"reducer": "mean_centered", "versions": {"a": "1"}},
)


def test_what_is_written_is_read():
    assert from_text(to_text(FULL), SIZE) == FULL


def test_not_there_is_not_the_same_as_no_mask():
    absent = from_text(to_text(Response("There is none.", masks=())), SIZE)
    assert absent.masks == () and absent.is_grounded
    assert masks.area(absent.prediction(SIZE)) == 0
    assert not from_text("There is none.", SIZE).is_grounded


def test_plain_text_is_a_response():
    for text in ("A", "", "{not json", '{"answer": "A"}', "[1, 2]", "null", '"masks"'):
        assert from_text(text, SIZE) == Response(text=text)


def test_what_sam3_prints_is_read():
    printed = json.dumps({
        "masks": [LEFT, RIGHT],
        "boxes": [{"x_min": 0.0, "y_min": 0.0, "x_max": 0.5, "y_max": 1.0}],
        "scores": [0.8, 0.7],
    })  # fmt: skip
    response = from_text(printed, SIZE)
    assert response.masks == (LEFT, RIGHT) and response.scores == (0.8, 0.7) and response.problems == ()
    assert masks.area(response.prediction(SIZE)) == 24
    nothing = from_text('{"masks": [], "boxes": [], "scores": []}', SIZE)
    assert nothing.masks == () and nothing.is_grounded


def test_a_bare_list_of_masks_is_read():
    assert from_text(json.dumps([LEFT]), SIZE).masks == (LEFT,)


def test_boxes_and_points_stand_in_for_masks():
    boxes = from_text('{"boxes": [{"x_min": 0, "y_min": 0, "x_max": 0.5, "y_max": 2}]}', SIZE)
    assert boxes.boxes == ((0.0, 0.0, 0.5, 1.0),)  # clamped
    assert boxes.problems == ("expected fractions in 0..1, but got [0.0, 0.0, 0.5, 2.0]; clamped",)
    assert boxes.prediction(SIZE) == LEFT
    assert masks.area(from_text('{"points": [[0.5, 0.5]]}', SIZE).prediction(SIZE)) == 1


def test_unreadable_masks_are_named_and_the_others_kept():
    wrong = {"size": [6, 4], "counts": LEFT["counts"]}
    response = from_text(json.dumps({"masks": [LEFT, wrong, "mask"]}), SIZE)
    assert response.masks == (LEFT,)
    assert response.problems == (
        "masks[1]: expected a mask of size [4, 6], but got [6, 4]",
        "masks[2]: expected a mask of size [4, 6], but got mask",
    )


def test_boxes_do_not_take_the_place_of_unreadable_masks():
    for unreadable in ([{"size": [6, 4], "counts": LEFT["counts"]}], "mask"):
        response = from_text(json.dumps({"masks": unreadable, "boxes": [[0, 0, 1, 1]]}), SIZE)
        assert len(response.problems) == 1 and response.boxes == ((0.0, 0.0, 1.0, 1.0),)
        assert masks.area(response.prediction(SIZE)) == 0


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"masks": {}}, "masks: expected a list, but got dict"),
        ({"masks": [], "boxes": [[0, 0, 1]]}, "boxes[0]: expected 4 numbers, but got '[0, 0, 1]'"),
        ({"masks": [], "points": [[0, None]]}, "points[0]: expected a finite number, but got 'None'"),
        ({"masks": [], "scores": [True]}, "scores[0]: expected a finite number, but got 'True'"),
        (
            {"masks": [], "phrases": [{"chars": [5, 2]}]},
            "phrases[0]: expected a range of two whole numbers, but got '[5, 2]'",
        ),
        ({"masks": [], "phrases": ["dog"]}, "phrases[0]: expected a point and its candidates, but got str"),
        ({"masks": [], "phrases": [{"candidates": [1]}]}, "candidates[0]: expected a mask and its score, but got int"),
    ],
)
def test_problems_are_named(fields, problem):
    assert from_text(json.dumps(fields), SIZE).problems == (problem,)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ("map", "expected a map of 1 to 24 rows and columns, but got 'map'"),
        ({"size": [25, 1], "levels": ""}, "expected a map of 1 to 24 rows and columns, but got '[25, 1]'"),
        ({"size": [True, 1], "levels": ""}, "expected a map of 1 to 24 rows and columns, but got '[True, 1]'"),
        ({"size": [1, 3]}, "expected a map's 3 levels in 4 characters, but got NoneType"),
        ({"size": [1, 3], "levels": "A" * 99}, "expected a map's 3 levels in 4 characters, but got 99"),
        ({"size": [1, 3], "levels": "\ud83d<>&"}, "expected a map's levels in base64, but "),
        ({"size": [1, 3], "levels": "AAAA"}, "expected a map's 3 levels in 2 bytes, but got 3"),
    ],
)
def test_a_map_that_is_none_is_a_problem_and_its_phrase_is_kept(found, problem):
    fields = {"masks": [], "phrases": [{"candidates": [{"mask": LEFT}], "map": found}]}
    response = from_text(json.dumps(fields), SIZE)
    assert response.phrases == (Phrase(candidates=(Candidate(LEFT),)),)
    (named,) = response.problems
    assert named.startswith(f"map: {problem}")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400])
def test_numbers_that_are_none_are_problems(number):
    response = from_text(f'{{"points": [[0.5, {number}]]}}', SIZE)
    assert response.points == () and len(response.problems) == 1


def test_too_deep_json_is_text():
    deep = '{"masks": ' + "[" * 100_000
    assert from_text(deep, SIZE).text == deep


@given(OBJECTS)
def test_any_json_is_read_without_raising_and_can_be_written_again(text):
    response = from_text(text, SIZE)
    assert masks.decode(response.prediction(SIZE)).shape == SIZE
    assert from_text(to_text(response), SIZE).masks == response.masks


@given(OUTPUTS)
def test_any_text_is_read_without_raising(text):
    assert isinstance(from_text(text, SIZE), Response)
