"""The study's own files and rules for images that nothing was predicted for, derived by hand."""

from __future__ import annotations

import pytest
from models.test_replay import LEFT, NOTHING, SIZE, document, replay, write_lines, write_mask

from pixfound_tasks.response import from_text
from pixfound_tasks.tasks.referring import score_grounding

DOCUMENTS = [document(str(number), f"{number}.jpg") for number in (1, 2, 3, 4)]
PHRASES = "1.jpg - 0 - a cup| cup| 0.9\n2.jpg - 0 - a wall| wall| -0.2\n4.jpg - 0 - a door| door| 0.1\n"


@pytest.fixture
def folder(tmp_path):
    """Image 1: a similar phrase. 2: a negative similarity. 3: no phrase, a black picture. 4: a low similarity."""
    for name, mask in (("1_000_000", LEFT), ("2_000_000", LEFT), ("3", NOTHING), ("4_000_000", LEFT)):
        write_mask(tmp_path / f"{name}.png", mask)
    (tmp_path / "phrases.txt").write_text(PHRASES)
    return tmp_path


def ious(texts, target):
    """What the answers score if the ground truth is `target`."""
    doc = {"mask": target, "expression": "the cup", "benchmark": "pixmmvp", "height": SIZE[0], "width": SIZE[1]}
    return [score_grounding(doc | {"id": "1"}, [text])["miou"] for text in texts]


def test_by_similarity_an_image_without_an_answer_scores_nothing_if_the_study_says_so(folder):
    arguments = {"masks": str(folder), "phrases": str(folder / "phrases.txt")}
    ours = replay("pixmmvp_ground", DOCUMENTS, **arguments)
    theirs = replay("pixmmvp_ground", DOCUMENTS, no_candidate="wrong", **arguments)
    assert ious(ours, NOTHING) == [0.0, 1.0, 1.0, 1.0]
    # A similarity under the threshold still says "not there"; a negative one, or no phrase, says nothing.
    assert ious(theirs, NOTHING) == [0.0, 0.0, 0.0, 1.0]
    assert ious(ours, LEFT) == ious(theirs, LEFT) == [1.0, 0.0, 0.0, 0.0]
    assert from_text(theirs[0], SIZE).provenance["no_candidate"] == "wrong"


def test_by_a_judge_an_unjudged_image_scores_nothing_if_the_study_says_so(folder):
    judged = write_lines(
        folder / "judged.jsonl",
        {"question_id": 0, "selected file": "a/1_000_000.png"},
        {"question_id": 1, "selected file": "NONE"},
        {"question_id": 2, "selected file": "a/b/3.png"},  # no phrase: the study's judge names the black picture
    )
    arguments = {"masks": str(folder), "select": "judge", "judged": judged}
    ours = replay("pixmmvp_ground", DOCUMENTS, **arguments)
    theirs = replay("pixmmvp_ground", DOCUMENTS, no_candidate="wrong", **arguments)
    assert ious(ours, NOTHING) == [0.0, 1.0, 1.0, 1.0]
    assert ious(theirs, NOTHING) == [0.0, 1.0, 0.0, 0.0]


def test_an_unknown_rule_is_refused(folder):
    with pytest.raises(ValueError, match="expected no_candidate to be one of"):
        replay("pixmmvp_ground", DOCUMENTS, masks=str(folder), no_candidate="right")
