"""A judge that looks at the candidates: what it is asked and shown, and what becomes of its replies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from grounding.test_attention_grounder import SIDE, look
from PIL import Image

from pixfound_tasks import masks, response
from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
from pixfound_tasks.grounding.mask_judge import LensJudge, contact_sheet, highlight
from pixfound_tasks.grounding.segmenters.base import make_segmenter
from pixfound_tasks.grounding.selection import make_selector
from pixfound_tasks.judges.base import JudgeDown, OneImageOnly
from pixfound_tasks.response import Candidate, Phrase, Selection

PRESENCE = "Does this image have the red square? Answer yes/no only."
CHOICE = (
    "Select the image that has the red square best highlighted in red color than the others? "
    "Answer with a number from 1 to {}. Mention the number only."
)
PICTURE = Image.fromarray(np.random.RandomState(0).randint(0, 256, (6, 8, 3)).astype(np.uint8))


class FakeJudge:
    """Gives the replies in turn, the last one for ever; raises those that are errors."""

    name = "fake"

    def __init__(self, *replies: str | Exception) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[str, Sequence[Image.Image]]] = []

    def ask(self, prompt: str, images: Sequence[Image.Image] = ()) -> str:
        self.asked.append((prompt, list(images)))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply


def pixel(index: int) -> masks.Rle:
    """The mask of one pixel of the picture, counted row by row."""
    return masks.encode(np.arange(48).reshape(6, 8) == index)


def phrase(*pixels: int | None, similarity: float = 0.0) -> Phrase:
    found = [masks.empty((6, 8)) if index is None else pixel(index) for index in pixels]
    return Phrase(candidates=tuple(Candidate(mask) for mask in found), similarity=similarity)


def chosen(phrases: list[Phrase], *replies: str | Exception):
    judge = FakeJudge(*replies)
    selection, notes = make_selector("judge", judge)(phrases, PICTURE, "the red square")
    return selection, notes["judge"], judge.asked


def test_the_judge_is_asked_in_the_studys_words_and_shown_every_candidate():
    phrases = [phrase(0, 1, 2), phrase(), phrase(3, 4)]
    selection, notes, asked = chosen(phrases, "Yes.", "4")
    # The fourth picture is the first candidate of the third phrase.
    assert selection == Selection("judge", 2, 0)
    assert [prompt for prompt, _ in asked] == [PRESENCE, CHOICE.format(5)]
    assert asked[0][1] == [PICTURE]
    for index, shown in enumerate(asked[1][1]):
        changed = np.argwhere((np.array(shown) != np.array(PICTURE)).any(-1))
        assert changed.tolist() == [[0, index]]
    assert notes == {
        "name": "fake",
        "status": "chosen",
        "exchanges": [
            {"prompt": PRESENCE, "images": 1, "reply": "Yes."},
            {"prompt": CHOICE.format(5), "images": 5, "reply": "4"},
        ],
    }


def test_a_mask_is_blended_in_red_at_one_half():
    image = Image.fromarray(np.array([[[10, 20, 30], [10, 20, 30]]], np.uint8))
    shown = np.array(highlight(image, masks.encode(np.array([[True, False]]))))
    # (10 + 255) / 2, (20 + 0) / 2, (30 + 0) / 2, without the half
    assert shown.tolist() == [[[132, 10, 15], [10, 20, 30]]]
    assert np.array(image).tolist() == [[[10, 20, 30]] * 2]


@pytest.mark.parametrize(
    "reply",
    [
        "no",
        "No.",
        " NO, there is none. Yes, I am sure.",
        "There is no such square",
        "There isn't any square.",
        "It does not have one",
        "I can't see a red square.",
        "**No**",
        "Nein.",
        "There is no square, but there is a circle.",
        "<think>Yes? It is a circle.</think>No",
    ],
)
def test_no_is_not_there_and_ends_the_questions(reply):
    selection, notes, asked = chosen([phrase(0, 1)], reply)
    assert selection == Selection("judge") and len(asked) == 1 and notes["status"] == "absent"


@pytest.mark.parametrize(
    ("reply", "candidate", "status"),
    [
        ("3", 2, "chosen"),
        ("Image 2 is better than image 3", 1, "chosen"),
        ("-2", 1, "chosen"),
        ("0", 0, "unread: first candidate"),
        ("4, or else 2", 0, "unread: first candidate"),
        ("9" * 5000, 0, "unread: first candidate"),
        ("²", 0, "unread: first candidate"),
        ("the middle one", 0, "unread: first candidate"),
        ("**3**", 2, "chosen"),
        ("3.", 2, "chosen"),
        ("Image 3 is best.", 2, "chosen"),
        ("The third image", 2, "chosen"),
        ("the 3rd one", 2, "chosen"),
        ("Three", 2, "chosen"),
        (r"\boxed{3}", 2, "chosen"),
        ('{"answer": 3}', 2, "chosen"),
        ("\u7b2c3\u5f20", 2, "chosen"),
        ("Among the 3 images, the second is the best.", 1, "chosen"),
        ("2 out of 3", 1, "chosen"),
        ("Image 1 shows the sky, image 3 the dog.\n3", 2, "chosen"),
        ("Image 1 is best. Actually, image 3 is best.", 2, "chosen"),
        ("Not image 1 but image 3", 2, "chosen"),
        ("2, because 1 and 3 are blurry", 1, "chosen"),
        ("1: no\n2: yes", 1, "chosen"),
        ("Image 1 shows the sky, image 3 the dog.", 0, "unread: first candidate"),
        ("1 or 3", 0, "unread: first candidate"),
        ("I would choose image 2 or 3.", 0, "unread: first candidate"),
        ("1-3", 0, "unread: first candidate"),
        ("two images show it", 0, "unread: first candidate"),
        ("None of them", 0, "unread: first candidate"),
        ("<think>3", 0, "unread: first candidate"),
        ("", 0, "unread: first candidate"),
    ],
)
def test_the_number_that_a_reply_chooses_counts(reply, candidate, status):
    selection, notes, _ = chosen([phrase(0, 1, 2)], "I know nothing", reply)
    assert selection == Selection("judge", 0, candidate) and notes["status"] == status
    assert notes["presence"] == "unread: counts as yes"
    assert notes["exchanges"][-1]["reply"] == reply[:200]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("Yes", None),
        ("There is a red square.", None),
        ("<think>There is no obvious one at first, but yes.</think>Yes", None),
        ("There is no obvious one at first, but yes, I see it.", None),
        ("Yes, there is no doubt.", None),
        ("I know nothing", "unread"),
        ("I'm not sure.", "unread"),
        ("<think>There is no", "unread"),
        ("Yes and no", "conflicting"),
        ("There is no obvious square, but I see one.", "conflicting"),
    ],
)
def test_what_does_not_deny_counts_as_yes_and_is_said(reply, problem):
    selection, notes, _ = chosen([phrase(0, 1, 2)], reply, "<think>1 or 2?</think>3")
    assert selection == Selection("judge", 0, 2) and notes["status"] == "chosen"
    assert notes.get("presence") == (problem and f"{problem}: counts as yes")
    assert notes["exchanges"][1]["reply"] == "3"


def test_empty_masks_are_not_shown_and_equal_ones_once():
    selection, _, asked = chosen([phrase(None, 5), phrase(5, 6)], "yes", "2")
    assert selection == Selection("judge", 1, 1) and len(asked[1][1]) == 2
    selection, notes, asked = chosen([phrase(5, 5), phrase(5)], "yes")
    assert selection == Selection("judge", 0, 0) and len(asked) == 1 and notes["status"] == "only candidate"
    selection, notes, asked = chosen([phrase(None)], "yes")
    assert selection == Selection("judge") and asked == [] and notes["status"] == "no candidates"


@pytest.mark.parametrize(("count", "sizes"), [(24, [24]), (25, [13, 12, 2]), (48, [24, 24, 2])])
def test_many_candidates_meet_in_rounds(count, sizes):
    # In every group the last wins: the last of all.
    judge = FakeJudge("")
    judge.ask = lambda prompt, images=(): judge.asked.append(len(images)) or str(len(images))
    phrases = [phrase(index) for index in range(count)]
    selection, notes = make_selector("judge", judge)(phrases, PICTURE, "it")
    assert selection == Selection("judge", count - 1, 0)
    assert judge.asked == [1, *sizes] and [e["images"] for e in notes["judge"]["exchanges"]] == [1, *sizes]


@pytest.mark.parametrize("replies", [(JudgeDown("no route"),), ("yes", JudgeDown("no route"))])
def test_while_the_judge_is_down_the_most_similar_phrase_is_chosen_and_it_is_said(replies):
    phrases = [phrase(0, similarity=0.2), phrase(1, 2, similarity=0.8)]
    selection, notes, asked = chosen(phrases, *replies)
    assert selection == Selection("similarity", 1, 1)
    assert notes["status"] == "down: similarity" and notes["reason"] == "no route"
    assert len(notes["exchanges"]) == len(replies) - 1 == len(asked) - 1


def test_a_judge_of_one_image_sees_one_sheet_of_all():
    selection, notes, asked = chosen([phrase(0, 1, 2)], "yes", OneImageOnly("one at a time"), "3")
    assert selection == Selection("judge", 0, 2) and notes["sheet"] == "one at a time"
    assert asked[2][0] == CHOICE.format(3) and asked[2][1] == [contact_sheet(asked[1][1])]
    assert [exchange["images"] for exchange in notes["exchanges"]] == [1, 3]


@pytest.mark.parametrize("size", [(30, 20), (20, 90), (300, 4)])
@pytest.mark.parametrize("count", [2, 5, 24])
def test_a_sheet_is_square_and_holds_every_image_whole(size, count):
    images = [Image.new("RGB", size, (index + 1, 0, 200)) for index in range(count)]
    sheet = np.array(contact_sheet(images))
    assert sheet.shape[0] == sheet.shape[1]
    for index in range(count):
        assert (sheet == (index + 1, 0, 200)).all(-1).sum() == size[0] * size[1]
    # Numbers in black: dark pixels above every image.
    assert (sheet.max(-1) < 100).sum() >= count


def test_a_sheet_of_large_images_is_shrunk():
    sheet = contact_sheet([Image.new("RGB", (1500, 1000), color) for color in ("red", "blue", "lime", "red")])
    assert sheet.size == (2048, 2048)
    shown = {color: (np.array(sheet) == color).all(-1).sum() for color in ((255, 0, 0), (0, 0, 255), (0, 255, 0))}
    assert shown[255, 0, 0] == 2 * shown[0, 0, 255] == 2 * shown[0, 255, 0] > 0


def test_the_grounder_writes_what_the_judge_said_into_the_provenance():
    picture = np.full((SIDE, SIDE, 3), 220, np.uint8)
    picture[:12, 28:] = (200, 30, 30)
    answer = look("the red square is near a wall", {"red": 3, "square": 3, "wall": 12})
    segmenter, judge = make_segmenter("region"), FakeJudge("yes", "1")
    grounder = AttentionGrounder(segmenter, select="judge", judge=judge, control=False, provenance={"model": "m"})
    found = grounder.ground(answer, Image.fromarray(picture), "the red square")
    assert found.selected == Selection("judge", 0, 0) and found.masks == (found.phrases[0].candidates[0].mask,)
    assert found.provenance["model"] == "m" and found.provenance["judge"]["exchanges"][0]["prompt"] == PRESENCE
    assert response.from_text(response.to_text(found), (SIDE, SIDE)) == found
    with pytest.raises(ValueError, match="expected a judge with select=judge"):
        AttentionGrounder(segmenter, select="judge")


def test_a_model_judges_itself(mini_lens, scene_image):
    grounder = AttentionGrounder(make_segmenter("region"), select="judge", judge=LensJudge(mini_lens), control=False)
    answer = mini_lens.look(scene_image, "Identify the red circle in the scene.", max_new_tokens=40)
    found = grounder.ground(answer, scene_image, "the red circle")
    notes = found.provenance["judge"]
    assert notes["name"] == "self" and notes["exchanges"]
    assert all(exchange["reply"] for exchange in notes["exchanges"])
    asked_twice = notes["status"] in ("chosen", "unread: first candidate")
    assert len(notes["exchanges"]) == 1 + asked_twice
    # LLaVA's kind has learned from one image at a time.
    assert ("sheet" in notes) == asked_twice


def test_a_model_of_one_image_refuses_several_and_reads_a_sheet(mini_lens, scene_image, monkeypatch):
    judge = LensJudge(mini_lens)
    with pytest.raises(OneImageOnly, match="llava with a CLIP encoder takes one image"):
        judge.ask("Is there a circle?", [scene_image] * 3)
    assert judge.ask("Is there a circle?", [contact_sheet([scene_image] * 3)])
    # As a model that has learned from several images is asked: all in one prompt.
    monkeypatch.setattr("pixfound_tasks.grounding.mask_judge.check_images", lambda config, images: None)
    expected = mini_lens.answer_all([[scene_image] * 3], ["Is there a circle?"], max_new_tokens=16)[0].text
    assert judge.ask("Is there a circle?", [scene_image] * 3) == expected


def test_a_model_that_thinks_gets_more_tokens_as_its_own_judge():
    limits = []

    class Thinking:
        class model:
            class config:
                model_type = "other"

        @staticmethod
        def answer_all(images, prompts, max_new_tokens):
            limits.append(max_new_tokens)
            return [("<think>Image 1 or 2?</think>2"[:max_new_tokens], min(max_new_tokens, 29))]

    judge = LensJudge(Thinking())
    assert judge.ask("?", [PICTURE, PICTURE]).endswith("2") and limits == [16, 4096]


def test_whatever_a_model_fails_on_with_several_images_is_a_refusal():
    class Failing:
        class model:
            class config:
                model_type = "other"

        @staticmethod
        def answer_all(images, prompts, **generation):
            raise IndexError(f"{len(images[0])} images")

    with pytest.raises(OneImageOnly, match="IndexError: 2 images"):
        LensJudge(Failing()).ask("?", [PICTURE, PICTURE])
    with pytest.raises(IndexError, match="1 images"):
        LensJudge(Failing()).ask("?", [PICTURE])
