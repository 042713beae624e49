"""The study's `point_file`, and `mask=first`: which file and which mask is meant, derived by hand."""

from __future__ import annotations

import json

import pytest
from models.test_replay import LEFT, NOTHING, RIGHT, SIZE, document, predictions, replay, write_lines, write_mask

from pixfound_tasks.analysis.best_phrase import GroundedImage, record
from pixfound_tasks.models.replay_files import PointLine, read_points
from pixfound_tasks.response import Response, from_text, to_text

DOCUMENTS = [document("1", "1.jpg"), document("2", "2.jpg")]
PHRASES = "1.jpg - 0 - a cup| cup| 0.9\n1.jpg - 1 - the wall | red| wall| 0.2\n"
POINTS = "1.jpg | a cup | [1 2]\n1.jpg | the wall | red | [5  0]\n"


@pytest.fixture
def folder(tmp_path):
    """Image 1: the cup on the left, the wall on the right, one mask each. Image 2: no phrase."""
    for name, mask in (("1_000_000", LEFT), ("1_001_000", RIGHT), ("2", NOTHING)):
        write_mask(tmp_path / f"{name}.png", mask)
    (tmp_path / "points.txt").write_text(POINTS)
    (tmp_path / "phrases.txt").write_text(PHRASES.replace("the wall | red", "the wall"))
    return tmp_path


def test_points_are_read_as_numpy_writes_them(tmp_path):
    path = tmp_path / "points.txt"
    path.write_text(
        "7.jpg | orange wings | [123  45]\n\n7.jpg | a | b | [  3 120]\r\nADE_val_00000248.jpg|c|[1.0, 2.5]\n"
        "7.jpg | orange wings | [0 0]\n"
    )
    seven = [PointLine("orange wings", 123, 45), PointLine("a | b", 3, 120), PointLine("orange wings", 0, 0)]
    assert read_points(path) == {7: seven, "ADE_val_00000248": [PointLine("c", 1, 2.5)]}


@pytest.mark.parametrize(
    "line", ["7.jpg | wings", "7.jpg | wings | 123 45", "7.jpg | wings | [123]", "7.jpg | wings | [1 2 3]", "[1 2]"]
)
def test_lines_without_a_point_are_named(tmp_path, line):
    path = tmp_path / "points.txt"
    path.write_text(f"7.jpg | a | [1 2]\n{line}\n")
    with pytest.raises(ValueError, match=r"expected '7.jpg \| orange wings \| \[123  45\]' in line 2 of .*points.txt"):
        read_points(path)


def test_the_points_are_those_of_the_phrases_in_order(folder):
    (folder / "points.txt").write_text(POINTS.replace("the wall | red", "the wall"))
    arguments = {name: str(folder / f"{name}.txt") for name in ("phrases", "points")}
    first, second = replay("pixmmvp_ground", DOCUMENTS, masks=str(folder), **arguments)
    response = from_text(first, SIZE)
    # The centers of pixels (1, 2) and (5, 0) of 6 x 4.
    assert [phrase.point for phrase in response.phrases] == [(1.5 / 6, 2.5 / 4), (5.5 / 6, 0.5 / 4)]
    assert response.prediction(SIZE) == LEFT and from_text(second, SIZE).phrases == ()
    without = from_text(
        replay("pixmmvp_ground", DOCUMENTS[:1], masks=str(folder), phrases=arguments["phrases"])[0], SIZE
    )
    assert [phrase.point for phrase in without.phrases] == [None, None] and without.masks == response.masks
    # What reads them: the best phrase's point is in the object, and one of two points is.
    found = record(GroundedImage("1", response, LEFT, "the cup"))
    assert (found.point_hit, found.hit_share) == (True, 0.5)
    assert record(GroundedImage("1", without, LEFT, "the cup")).point_hit is None


def test_without_phrases_the_points_name_them(folder):
    (text, _) = replay(
        "pixmmvp_ground", DOCUMENTS, masks=str(folder), points=str(folder / "points.txt"), select="first"
    )
    assert [phrase.text for phrase in from_text(text, SIZE).phrases] == ["a cup", "the wall | red"]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (POINTS, r"expected a point for phrase 1 \('the wall'\) of image 1, but got 'the wall \| red'"),
        ("1.jpg | a cup | [1 2]\n", r"expected a point for phrase 1 \('the wall'\) of image 1, but got 1 points"),
        ("1.jpg | a cup | [6 2]\n", r"within the 6 x 4 pixels of image 1, but got \(6, 2\)"),
    ],
)
def test_points_of_another_run_are_an_error(folder, points, message):
    (folder / "points.txt").write_text(points)
    arguments = {name: str(folder / f"{name}.txt") for name in ("phrases", "points")}
    with pytest.raises(ValueError, match=message):
        replay("pixmmvp_ground", DOCUMENTS, masks=str(folder), **arguments)


# mask=first


SEVERAL = Response("A [SEG] and a [SEG].", masks=(LEFT, RIGHT), provenance={"model": "GLaMM"})


@pytest.mark.parametrize("task", ["pixmmvp_ground", "pixmini_vqa_open"])
def test_of_several_masks_only_the_first_counts_if_the_study_says_so(tmp_path, task):
    replies = (json.loads(to_text(SEVERAL)), {"text": "None.", "masks": []}, "Just text.")
    lines = [{"question_id": number, "answer": "", "response": reply} for number, reply in enumerate(replies, 1)]
    answers = write_lines(tmp_path / "answers.jsonl", *lines)
    documents = [*DOCUMENTS, document("3", "3.jpg")]
    united = replay(task, documents, answers=answers)
    first = replay(task, documents, answers=answers, mask="first")
    assert predictions(united)[0] == predictions([to_text(SEVERAL)])[0] and predictions(first) == [LEFT, NOTHING, None]
    response = from_text(first[0], SIZE)
    assert (response.text, response.masks) == (SEVERAL.text, (LEFT,))
    assert response.provenance == {"model": "GLaMM", "mask": "first"}
    assert from_text(united[0], SIZE) == SEVERAL and first[2] == "Just text."


def test_the_first_mask_is_one_of_a_reply(tmp_path):
    write_mask(tmp_path / "1.png", LEFT)
    with pytest.raises(ValueError, match="expected answers=FILE.jsonl with mask=first, but got none"):
        replay("pixmmvp_ground", DOCUMENTS, masks=str(tmp_path), mask="first")
    with pytest.raises(ValueError, match=r"expected mask to be one of \['first', 'union'\], but got 'third'"):
        replay("pixmmvp_ground", DOCUMENTS, masks=str(tmp_path), mask="third")
