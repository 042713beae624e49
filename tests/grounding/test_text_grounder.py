"""Boxes and points in a model's words, as masks; the segmenter here fills the box, or the pixel of the point."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from rectangles import SIZE, rectangle

from pixfound_tasks import masks
from pixfound_tasks.attention.lens import Answer
from pixfound_tasks.grounding.text_grounder import WordGrounder, convention_of, read_words, with_masks
from pixfound_tasks.response import Candidate, Response, from_text, to_text

LEFT = rectangle(0, 0, 3, 4)


class Filler:
    """Three candidates for every prompt, of which the second is surest."""

    name = "filler"

    def __init__(self):
        self.images = []

    def set_image(self, image):
        self.images.append(image.shape)

    def segment(self, prompts):
        fill = {4: masks.from_box, 2: masks.from_point}
        empty = Candidate(masks.empty(SIZE), 0.1)
        return [(empty, Candidate(fill[len(prompt)](prompt, SIZE), 0.9), empty) for prompt in prompts]


def test_the_contracts_json_is_taken_as_it_is():
    response = Response("There.", boxes=((0.0, 0.0, 0.5, 1.0),), provenance={"model": "some"})
    assert read_words(to_text(response), SIZE, "thousand") == response
    assert read_words(to_text(Response("Nothing <loc0000><loc0000><loc0512><loc0512>")), SIZE).boxes is None


def test_masks_win_over_what_else_came():
    text = json.dumps({"masks": [LEFT], "boxes": [[0, 0, 900, 900]]})
    assert read_words(text, SIZE, "thousand").masks == (LEFT,)


@pytest.mark.parametrize(
    ("text", "convention", "boxes"),
    [
        ('{"boxes": [[0, 0, 0.5, 1]]}', None, ((0.0, 0.0, 0.5, 1.0),)),
        ('{"boxes": [{"x_min": 0, "y_min": 0, "x_max": 0.5, "y_max": 1}]}', None, ((0.0, 0.0, 0.5, 1.0),)),
        ('{"boxes": [[0, 0, 500, 1000]]}', "thousand", ((0.0, 0.0, 0.5, 1.0),)),
        # Pixels are no fractions: without a declaration they are not read at all, instead of clamped.
        ('{"boxes": [[0, 0, 3, 4]]}', None, None),
        ('{"boxes": []}', None, ()),
    ],
)
def test_json_without_a_schema_is_fractions_only_where_it_can_be(text, convention, boxes):
    response = read_words(text, SIZE, convention)
    assert response.boxes == boxes
    assert bool(response.problems) == (boxes is None)


def test_what_was_assumed_goes_along():
    response = read_words("[[0, 0, 500, 1000]]", SIZE, "thousand")
    assert response.provenance == {"coordinates": "thousand (declared)"}
    assert from_text(to_text(response), SIZE) == response


def test_a_models_own_masks_need_no_segmenter():
    def segment(prompts):
        raise AssertionError("was asked")

    text = '{"polygon": [[0, 0], [500, 0], [500, 1000], [0, 1000]], "bbox_2d": [0, 0, 500, 1000]}'
    response = with_masks(read_words(text, SIZE, "thousand", "box"), segment, "none")
    assert response.provenance == {"coordinates": "thousand (declared)", "masks": "outline (by syntax)"}
    assert response.boxes == ((0.0, 0.0, 0.5, 1.0),) and masks.area(response.prediction(SIZE)) > 0
    assert from_text(to_text(response), SIZE) == response


@pytest.mark.parametrize("before", ["", "<think>[[1, 2, 3, 4]]</think>", "```json\n"])
def test_the_contracts_json_is_no_text_wherever_it_stands(before):
    response = Response("There.", boxes=((0.0, 0.0, 0.5, 1.0),))
    written = before + to_text(response) + ("\n```" if "`" in before else "")
    assert read_words(written, SIZE, "thousand", "box") == response
    cut = read_words(written[: len(written) // 2], SIZE, "thousand", "box")
    assert not cut.is_grounded and cut.problems


def test_points_without_a_schema_are_no_answer_to_a_prompt_for_boxes():
    text = '{"points": [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]}'
    assert read_words(text, SIZE, None, "box").points is None
    assert len(read_words(text, SIZE, None, "point").points) == 3


def test_the_surest_mask_of_every_box_is_the_answer():
    boxes = ((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 0.5))
    response = with_masks(Response(boxes=boxes), Filler().segment, "filler")
    assert response.masks == (LEFT, rectangle(3, 0, 6, 2)) and response.provenance == {"segmenter": "filler"}
    point = with_masks(Response(points=((0.0, 0.0),)), Filler().segment, "filler")
    assert masks.area(point.prediction(SIZE)) == 1


def test_not_there_and_nothing_read_ask_no_segmenter():
    def segment(prompts):
        raise AssertionError("was asked")

    assert with_masks(Response(boxes=()), segment, "none").masks == ()
    for response in (Response("Hm."), Response(masks=(LEFT,), boxes=((0.0, 0.0, 1.0, 1.0),))):
        assert with_masks(response, segment, "none") == response


def test_a_wrapper_grounds_what_was_said():
    image = Image.fromarray(np.zeros((*SIZE, 3), np.uint8))
    grounder = WordGrounder(Filler(), "box", "thousand", {"model": "some"})
    response = grounder.ground(Answer("[[0, 0, 500, 1000]]", 9), image, "Locate it")
    assert (response.masks, response.tokens, grounder.segmenter.images) == ((LEFT,), 9, [(*SIZE, 3)])
    assert response.provenance == {
        "model": "some", "coordinates": "thousand (declared)", "segmenter": "filler", "prompt": "Locate it"
    }  # fmt: skip
    unread = from_text(to_text(grounder.ground(Answer("I see wings.", 3), image, "Locate it")), SIZE)
    assert unread.text == "I see wings." and not unread.is_grounded and unread.problems
    assert len(grounder.segmenter.images) == 1


QWEN_IMAGES = SimpleNamespace(size={"shortest_edge": 784, "longest_edge": 12544}, patch_size=14, merge_size=2)


@pytest.mark.parametrize(
    ("family", "images", "convention"),
    [
        ("qwen2_5_vl", QWEN_IMAGES, "resized:28:784:12544"),
        ("qwen3_vl", QWEN_IMAGES, "thousand"),
        ("llava", SimpleNamespace(do_center_crop=True), "fraction_cropped"),
        ("llava", SimpleNamespace(do_center_crop=False), "fraction_padded"),
        ("some_other", None, None),
    ],
)
def test_the_convention_of_a_transformers_model(family, images, convention):
    config, processor = SimpleNamespace(model_type=family), SimpleNamespace(image_processor=images)
    assert convention_of(config, processor) == convention


def test_the_environment_declares_it_first(monkeypatch):
    monkeypatch.setenv("PIXFOUND_COORDINATES", "pixel")
    assert convention_of(SimpleNamespace(model_type="qwen3_vl"), None) == "pixel"
    monkeypatch.setenv("PIXFOUND_COORDINATES", "pixels")
    with pytest.raises(ValueError, match="did you mean 'pixel'"):
        convention_of(SimpleNamespace(model_type="qwen3_vl"), None)
