"""A judge of masks by the study's rules. Expectations are read off its script: `^(yes)\\.*$`, 499 images, `int`."""

from __future__ import annotations

import numpy as np
import pytest
from grounding.test_attention_grounder import SIDE, look
from grounding.test_mask_judge import CHOICE, PICTURE, PRESENCE, FakeJudge, phrase
from judges.chat_server import ChatServer, says
from PIL import Image

from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
from pixfound_tasks.grounding.pipeline import named_judge
from pixfound_tasks.grounding.segmenters.base import make_segmenter
from pixfound_tasks.grounding.selection import make_selector
from pixfound_tasks.judges.base import JudgeDown
from pixfound_tasks.response import Selection

ANSWER = "the red square is near a wall"


def chosen(phrases, *replies):
    judge = FakeJudge(*replies)
    selection, notes = make_selector("judge", judge, judging="study")(phrases, PICTURE, "the red square")
    return selection, notes["judge"], judge.asked


@pytest.mark.parametrize("reply", ["yes", "Yes.", "YES...", "<think>No? Yes.</think>yes"])
def test_a_bare_yes_passes(reply):
    selection, notes, asked = chosen([phrase(0, 1)], reply, "2")
    assert selection == Selection("judge", 0, 1) and notes["status"] == "chosen" and len(asked) == 2


@pytest.mark.parametrize(
    "reply", ["Yes, it does.", "**Yes**", "yes!", "Ja", "", "I am not sure", "There is a red square.", "no", "Yes. Yes"]
)
def test_whatever_else_is_absent(reply):
    selection, notes, asked = chosen([phrase(0, 1)], reply)
    assert selection == Selection("judge") and notes["status"] == "absent" and len(asked) == 1


def test_empty_and_equal_masks_are_shown_in_one_question():
    selection, notes, asked = chosen([phrase(None, 5, 5), phrase(5), phrase(None)], "yes", "5")
    assert [prompt for prompt, _ in asked] == [PRESENCE, CHOICE.format(5)]
    shown = [np.argwhere((np.array(each) != np.array(PICTURE)).any(-1)).tolist() for each in asked[1][1]]
    assert shown == [[], [[0, 5]], [[0, 5]], [[0, 5]], []]
    assert selection == Selection("judge", 2, 0)  # the fifth is the empty mask of the third phrase
    assert notes["name"] == "fake (study's rules)"


@pytest.mark.parametrize(
    ("reply", "candidate", "status"),
    [
        ("3", 2, "chosen"),
        (" 3\n", 2, "chosen"),
        ("+2", 1, "chosen"),
        ("Image 2 is worse than image 3", 1, "chosen"),  # the first number
        ("4, or else 2", 3, "chosen"),
        ("2.5", 1, "chosen"),  # no whole number, so the first digits count
        ("0", 3, "chosen"),  # index -1
        ("-1", 2, "chosen"),  # index -2
        ("No. -1", 0, "chosen"),  # the digits are "1"
        ("the third image", 0, "unread: first candidate"),
        ("", 0, "unread: first candidate"),
        ("9" * 5000, 0, "unread: first candidate"),  # `int` refuses it, so the script takes the first
        ("5", 0, "unread: first candidate"),  # where the script ends with an IndexError
        ("-4", 0, "unread: first candidate"),
    ],
)
def test_numbers_are_read_as_the_script_reads_them(reply, candidate, status):
    selection, notes, _ = chosen([phrase(0, 1, 2, 3)], "yes", reply)
    assert (selection, notes["status"]) == (Selection("judge", 0, candidate), status)


@pytest.mark.parametrize(
    ("count", "reply", "shown", "best"), [(60, "60", 60, 59), (499, "499", 499, 498), (501, "501", 499, 500)]
)
def test_one_question_shows_up_to_499_images(count, reply, shown, best):
    selection, _, asked = chosen([phrase(index % 48) for index in range(count)], "yes", reply)
    assert [len(images) for _, images in asked] == [1, shown] and asked[1][0] == CHOICE.format(shown)
    assert selection == Selection("judge", best, 0)  # the script's index is into all files, also those not shown


def test_one_candidate_is_selected_if_the_object_is_there():
    selection, notes, asked = chosen([phrase(), phrase(4)], "Yes")
    assert (selection, notes["status"], len(asked)) == (Selection("judge", 1, 0), "only candidate", 1)
    selection, notes, asked = chosen([phrase(4)], "It does")
    assert (selection, notes["status"]) == (Selection("judge"), "absent")
    selection, notes, asked = chosen([phrase()], "yes")
    assert (selection, notes["status"], asked) == (Selection("judge"), "no candidates", [])


def test_while_the_judge_is_down_the_most_similar_phrase_is_chosen_and_it_is_said():
    phrases = [phrase(0, similarity=0.2), phrase(1, 2, similarity=0.8)]
    selection, notes, _ = chosen(phrases, "yes", JudgeDown("no route"))
    assert selection == Selection("similarity", 1, 1)
    assert (notes["status"], notes["reason"]) == ("down: similarity", "no route")


def test_unknown_rules_are_named():
    with pytest.raises(ValueError, match="expected judging to be one of .* but got 'studdy'; did you mean 'study'"):
        make_selector("judge", FakeJudge("yes"), judging="studdy")


@pytest.mark.parametrize(
    ("text", "replies", "judging", "is_unanswered"),
    [
        # The similarities are all negative, so that a selection by similarity would be wrong whatever is there.
        (ANSWER, ["yes", "1"], "study", False),
        (ANSWER, ["no"], "study", False),
        (ANSWER, [JudgeDown("no route")], "study", True),
        (ANSWER, ["yes", "1"], "default", False),
        # Without a phrase the study has one empty mask, which its judge gets or not.
        ("", ["yes"], "study", False),
        ("", ["yes"], "default", True),
    ],
)
def test_what_a_judge_selects_is_no_missing_candidate(text, replies, judging, is_unanswered):
    picture = np.full((SIDE, SIDE, 3), 220, np.uint8)
    picture[:12, 28:] = (200, 30, 30)
    grounder = AttentionGrounder(
        make_segmenter("region"), similarity=lambda phrase, expression: -0.5, select="judge", control=False,
        judge=FakeJudge(*replies), judging=judging, no_candidate="wrong",
    )  # fmt: skip
    found = grounder.ground(
        look(text, {"red": 3, "square": 3, "wall": 12} if text else {}), Image.fromarray(picture), "the dog"
    )
    assert ("unanswered" in found.provenance) is is_unanswered


def test_the_studys_judge_has_its_system_prompt_and_temperature(monkeypatch, tmp_path):
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    with ChatServer(says("Yes")) as server:
        monkeypatch.setenv("OPENAI_API_URL", server.url)
        for judging in ("study", "default"):
            assert named_judge("openai:m", None, judging).ask("Is it?", [PICTURE]) == "Yes"
        study, default = (received.body for received in server.received)
    assert study["messages"][0] == {
        "role": "system",
        "content": "You are a helpful and precise assistant for checking the quality of the answer.",
    }
    assert [message["role"] for message in default["messages"]] == ["user"]
    assert (study["temperature"], default["temperature"]) == (0.2, 0.0)
