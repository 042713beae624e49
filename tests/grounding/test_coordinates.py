from __future__ import annotations

import base64
import io
import json
import time

import numpy as np
import pytest
from grounding.coordinate_replies import (
    ABSENT,
    BOX,
    OUTLINES,
    REPLIES,
    SPELLINGS,
    SQUARE,
    TALL,
    UNREAD,
    WIDE,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.grounding.coordinates.reading import (
    CONVENTIONS,
    check_convention,
    convention_of_architecture,
    read_coordinates,
)


def in_pixels(found, size):
    return found and [tuple(v * size[1 - i % 2] for i, v in enumerate(item)) for item in found]


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: f"{reply.family}: {reply.text[:40]}")
def test_replies_are_read_as_their_family_means_them(reply):
    reading = read_coordinates(reply.text, reply.size, reply.convention)
    for found, expected in ((reading.boxes, reply.boxes), (reading.points, reply.points)):
        assert (found is None) == (expected is None)
        assert found is None or in_pixels(found, reply.size) == [pytest.approx(item, abs=1e-6) for item in expected]


def test_the_table_is_wide_enough():
    assert len(REPLIES) >= 60
    assert len({reply.family for reply in REPLIES}) >= 12
    assert len(UNREAD) >= 20


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_box_in_any_spelling_is_one_box(text):
    reading = read_coordinates(text, WIDE, "thousand", "box")
    assert (in_pixels(reading.boxes, WIDE), reading.points) == ([pytest.approx(BOX, abs=1e-6)], None)
    assert reading.masks is None and all("ends inside" in problem for problem in reading.problems)


@pytest.mark.parametrize("text", OUTLINES)
def test_an_outline_is_a_mask(text):
    reading = read_coordinates(text, WIDE, "thousand", "box")
    assert reading.masks == (masks.from_polygons([[64, 120, 320, 120, 320, 360, 64, 360]], WIDE),)
    assert (reading.mask_source, reading.points, reading.problems) == ("outline (by syntax)", None, ())
    assert masks.iou(reading.masks[0], masks.from_box((0.1, 0.25, 0.5, 0.75), WIDE)) > 0.98


@pytest.mark.parametrize(
    ("text", "boxes", "outlines"),
    [
        ("dog<loc_1><loc_2><loc_30><loc_40>cat<loc_5><loc_6><loc_70><loc_80>", 2, 0),
        ("dog<loc_1><loc_2><loc_30><loc_40><loc_5><loc_6><loc_70><loc_80>", 2, 0),
        ("<loc_1><loc_2><loc_300><loc_400>", 1, 0),
        ("<loc_1><loc_2><loc_300><loc_2><loc_300><loc_400>", 0, 1),
        ("<loc_1><loc_2><loc_300><loc_2><loc_300><loc_400><sep><loc_1><loc_9><loc_9><loc_9><loc_9><loc_99>", 0, 2),
        ("dog<poly><loc_1><loc_2><loc_300><loc_2><loc_300><loc_400><loc_1><loc_400></poly>", 0, 1),
    ],
)
def test_florences_boxes_have_labels_and_its_outlines_have_none(text, boxes, outlines):
    reading = read_coordinates(text, WIDE)
    assert (len(reading.boxes or ()), len(reading.masks or ())) == (boxes, outlines)
    assert not reading.problems


@pytest.mark.parametrize(
    ("text", "convention", "is_answer"),
    [
        ('{"point_2d": [100, 250]}', "thousand", False),
        ('[{"point": [100, 250]}, {"point": [500, 750]}]', "thousand", False),
        ('{"points": [[100, 250], [500, 750], [5, 6]]}', "thousand", False),
        ('<point x="10.5" y="20.0" alt="dog">dog</point>', "resized", False),
        ('<point x="10.5" y="20.0" alt="dog">dog</point>', None, True),  # Molmo
        ('<points coords="1 1 500 250">dog</points>', "thousand", True),  # Molmo2
        ('[{"point": [50, 25]}]', "percent", True),
    ],
)
def test_points_answer_a_prompt_for_a_box_only_if_the_model_can_only_point(text, convention, is_answer):
    reading = read_coordinates(text, WIDE, convention, "box")
    assert (reading.boxes, bool(reading.points), bool(reading.problems)) == (None, is_answer, not is_answer)
    assert is_answer or "set PIXFOUND_KIND=point" in reading.problems[0]


@pytest.mark.parametrize("text", ["[[100, 250], [500, 750]]", '{"dog": [[100, 250], [500, 750]]}'])
def test_two_pairs_are_points_if_points_were_prompted_for(text):
    reading = read_coordinates(text, WIDE, "thousand", "point")
    assert (reading.boxes, len(reading.points)) == (None, 2)


def gemini(picture, prefix="data:image/png;base64,"):
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG")
    encoded = prefix + base64.b64encode(data.getvalue()).decode()
    return json.dumps([{"box_2d": [250, 100, 750, 500], "mask": encoded, "label": "dog"}])


@pytest.mark.parametrize("prefix", ["data:image/png;base64,", ""])
@pytest.mark.parametrize("shape", [(240, 256), (24, 32)])
def test_geminis_picture_is_a_probability_over_its_box(prefix, shape):
    picture = np.zeros(shape, np.uint8)
    picture[:, : shape[1] // 2] = 128  # just above one half, in the left half of the box
    picture[:, shape[1] // 2 :] = 127
    reading = read_coordinates(gemini(picture, prefix), WIDE)
    expected = np.zeros(WIDE, bool)
    expected[120:360, 64:192] = True
    (mask,) = reading.masks
    assert masks.iou(mask, masks.encode(expected)) == 1.0
    assert (len(reading.boxes), reading.problems, reading.mask_source) == (1, (), "picture (by syntax)")


def test_a_picture_that_is_none_is_dropped_with_a_word_and_its_box_counts():
    damaged = gemini(np.full((9, 9), 255, np.uint8)).replace("mask", "MASK", 0)
    for text in (damaged[:120] + damaged[130:], damaged.replace("base64,iVBOR", "base64,?"), damaged[:90] + '"}]'):
        reading = read_coordinates(text, WIDE)
        assert reading.masks is None and len(reading.boxes) == 1
        assert "the mask of a box was dropped" in reading.problems[0]


def test_a_box_without_a_mask_beside_masks_counts_as_a_filled_box():
    (one,) = json.loads(gemini(np.full((9, 9), 255, np.uint8)))
    reading = read_coordinates(json.dumps([one, {"box_2d": [0, 0, 100, 100]}]), WIDE)
    assert len(reading.masks) == len(reading.boxes) == 2 and "filled boxes" in reading.problems[0]
    assert reading.masks[1] == masks.from_box((0, 0, 0.1, 0.1), WIDE)


def test_paligemmas_mask_codes_are_dropped_with_a_word():
    codes = "".join(f"<seg{code:03}>" for code in range(16))
    reading = read_coordinates(f"<loc0256><loc0128><loc0768><loc0640>{codes} dog", WIDE)
    assert len(reading.boxes) == 1 and "16 mask codes (<seg...>) were dropped" in reading.problems[0]


def test_outlines_of_endless_length_are_bounded():
    text = '{"polygon": [' + "0,0,1000,1000," * 9000 + "5,6]}"
    reading = read_coordinates(text, (4000, 4000), "thousand")
    assert reading.masks is None and "expected outlines of at most" in reading.problems[0]


@pytest.mark.parametrize(
    ("text", "is_absent"),
    [
        ("There is no cat, but the dog is on the left.", False),
        ("The dog is on the left. There is no cat.", False),
        ("There is no dog, but there is a cat.", True),
        ("The image shows a cat on a sofa. There is no dog in it.", True),
        ("The object doesn't exist in this image, so there are no boxes for the dog.", True),
        ("There is no canine.", True),
        ("图中没有狗。", True),
    ],
)
def test_a_denial_is_about_the_referring_expression(text, is_absent):
    reading = read_coordinates(text, WIDE, "thousand", "box", "the dog's face")
    assert (reading.boxes == ()) == is_absent


@pytest.mark.parametrize("text", ABSENT)
@pytest.mark.parametrize("convention", [None, "resized"])
def test_absence_is_no_box_rather_than_nothing_read(text, convention):
    reading = read_coordinates(text, WIDE, convention)
    assert (reading.boxes, reading.points, reading.problems) == ((), None, ())


@pytest.mark.parametrize("reply", UNREAD, ids=lambda reply: f"{reply.convention}: {reply.text[:40]}")
def test_what_cannot_be_read_says_why(reply):
    reading = read_coordinates(reply.text, WIDE, reply.convention)
    assert (reading.boxes, reading.points) == (None, None)
    assert any(reply.reason in problem for problem in reading.problems), reading.problems


@pytest.mark.parametrize(
    ("text", "convention", "assumed"),
    [
        ("[1, 2, 30, 40]", "thousand", "thousand (declared)"),
        ("<loc0001><loc0002><loc0300><loc0400>", "thousand", "paligemma (by syntax)"),
        ("<box>[[1, 2, 30, 40]]</box>", None, "thousand (by syntax)"),
        ("<box>[[1, 2, 30, 40]]</box>", "pixel", "pixel (declared)"),
        ("[1, 2, 30, 40] [0.1, 0.2, 0.3, 0.4]", "pixel", "pixel (declared), fraction (by syntax)"),
        ("nothing to read", "pixel", "pixel (declared)"),
        ("nothing to read", None, "undeclared"),
    ],
)
def test_what_was_assumed_is_told(text, convention, assumed):
    assert read_coordinates(text, WIDE, convention).convention == assumed


def test_good_boxes_are_kept_beside_bad_ones():
    reading = read_coordinates("[100, 100, 200, 200] [100, 100, 2000, 200] (3, 4)", WIDE, "thousand")
    assert reading.boxes == ((0.1, 0.1, 0.2, 0.2),)
    assert reading.points is None  # a pair in prose beside a box is no point
    assert reading.problems == (
        "expected numbers within 1000 x 1000, but got [100.0, 100.0, 2000.0, 200.0] (thousand)",
    )


def test_a_bracket_round_something_else_is_no_second_corner():
    reading = read_coordinates('(100,250),(500,{"x": 64, "y": 120, "width": 256, "height": 240}750)', WIDE, "pixel")
    assert reading.boxes == ((0.1, 0.25, 0.5, 0.75),)


def test_a_cut_reply_keeps_its_whole_boxes_and_a_note():
    reading = read_coordinates('[{"bbox_2d": [100, 100, 200, 200]}, {"bbox_2d": [5, 6', WIDE, "thousand")
    assert reading.boxes == ((0.1, 0.1, 0.2, 0.2),)
    assert reading.problems == ("the reply ends inside a bracket or a tag; complete boxes and points before it count",)


def test_wrong_conventions_are_named():
    with pytest.raises(ValueError, match="got 'thousend'; did you mean 'thousand'"):
        check_convention("thousend")
    for wrong in ("resized:28", "resized:0:1:2", "resized:28:9:4", "resized:a:b:c", "pixel:1:2:3"):
        with pytest.raises(ValueError, match=f"expected parameters as in resized:28:200704:1605632 .* got '{wrong}'"):
            read_coordinates("[]", WIDE, wrong)


def test_architectures_have_known_conventions():
    assert convention_of_architecture("qwen2_5_vl") == "resized"
    assert convention_of_architecture("gemma3") == "thousand_yx"
    assert convention_of_architecture("bert") is None
    families = ("qwen2_vl qwen3_vl qwen3_vl_moe internvl llava paligemma florence2 kosmos-2 molmo2 glm4v").split()
    assert {convention_of_architecture(family) for family in families} <= set(CONVENTIONS)


@pytest.mark.parametrize("size", [WIDE, TALL, SQUARE, (1, 1), (3000, 4000), (10, 4000)])
def test_resizing_is_the_processors(size):
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    from pixfound_tasks.grounding.coordinates.conventions import resized_size

    for bounds in ((28, 200704, 1605632), (32, 65536, 16777216), (28, 3136, 12845056)):
        if max(size) / min(size) <= 200:
            assert resized_size(size, *bounds) == smart_resize(*size, *bounds)
        assert all(side > 0 and side % bounds[0] == 0 for side in resized_size(size, *bounds))


MARKS = (
    "[ ] ( ) { } , ; : \" ' < > \\ \n ``` <box> </box> <|det|> <loc0012> <loc_7> <patch_index_0900> \"bbox_2d\": 'x': "
    '"y": box_2d NaN inf 1e400 -3 0.5 0.25 7 120 999 1000 99999999 none null <think> </think> \ud800 \u0663 x1= <12> '
    "there is no"
)
PIECES = st.sampled_from([*MARKS.split(" "), " ", '<point x="3" y="4">', '<points coords="1 1 2 3">'])
WHOLE = st.sampled_from([reply.text for reply in (*REPLIES, *UNREAD)] + ABSENT)
SPLICED = st.builds(
    lambda text, other, at, cut: text[:at] + other[:cut] + text[at:], WHOLE, WHOLE, *[st.integers(0, 80)] * 2
)
CONVENTION = st.sampled_from([None, *CONVENTIONS])


@settings(max_examples=1000)
@given(st.lists(PIECES, max_size=40).map("".join) | SPLICED | st.text(), CONVENTION)
def test_whatever_is_said_is_read_or_explained(text, convention):
    reading = read_coordinates(text, TALL, convention)
    for x0, y0, x1, y1 in reading.boxes or ():
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1
    assert all(0 <= value <= 1 for point in reading.points or () for value in point)
    assert reading.boxes is not None or reading.points or reading.masks or reading.problems
    assert all(mask["size"] == list(TALL) for mask in reading.masks or ())


HOSTILE = [
    "[", "(<{[", "[]", '"\\', '["\\', '[""', "1", "<box>", "(1,2),", "<points x1='1", "<points x='" + " " * 99,
    '{"bbox_2d": [1,2,3,4],', "{a ", "<", "<loc0001>", "<think>", "not ", "{'a':", "[1;", "null,[", "\ud800",
    "<answer>", '{"polygon": [[', "[[1,2],[3,4],[5,6]],", '{"top_left": [1,2], "bottom_right": [3,4]},', "<loc_1>",
    '{"box_2d": [1,2,300,400], "mask": "data:image/png;base64,iVBORw0KGgo="},', "x1:1 ", "<x1>1", "<a b=1 c=2>",
    '"bbox": "1,2,3,4",', '{"name": "a", "arguments": {', '{"found": false,', "图中没有", "no dog ", "kein ", "a",
]  # fmt: skip


OPENED = [
    ("<points ", "x "),
    ("<points ", "x='"),
    ("<points ", "coords="),
    ("<points x='", " "),
    ("{a", " "),
    ("(1,2)", " "),
    ('{"polygon":[', "[999,1],[1,999],"),
    ("[", '"1",'),
    ("100,", " 1,"),
    ("kein ", "a"),
]


@pytest.mark.parametrize(("opening", "piece"), [*OPENED, *(("", piece) for piece in HOSTILE)])
def test_long_replies_take_bounded_time(opening, piece):
    """Seconds at most; at the 300,000 characters that are looked at, quadratic time would be a minute."""
    start = time.process_time()
    read_coordinates(opening + piece * (10_000_000 // len(piece)), WIDE, "thousand")
    assert time.process_time() - start < 10


# A family's way to write a box of whole numbers, its convention, its range, and how many units a number stands for.
WRITTEN = {
    "qwen3-vl": ('[{{"bbox_2d": [{0}, {1}, {2}, {3}], "label": "it"}}]', "thousand", 1000),
    "qwen2-vl": ("<|box_start|>({0},{1}),({2},{3})<|box_end|>", None, 1000),
    "internvl": ("<ref>it</ref><box>[[{0}, {1}, {2}, {3}]]</box>", None, 1000),
    "gemini": ('[{{"box_2d": [{1}, {0}, {3}, {2}], "label": "it"}}]', None, 1000),
    "deepseek-vl2": ("<|ref|>it<|/ref|><|det|>[[{0}, {1}, {2}, {3}]]<|/det|>", None, 999),
    "paligemma": ("<loc{1:04}><loc{0:04}><loc{3:04}><loc{2:04}> it", None, 1024),
    "minicpm-v": ("<box>{0} {1} {2} {3}</box>", None, 1000),
    "minigpt-v2": ("<p>it</p> {{<{0}><{1}><{2}><{3}>}}", None, 100),
    "percent": ("[{0}, {1}, {2}, {3}]", "percent", 100),
    "cogvlm": ("[[{0:03},{1:03},{2:03},{3:03}]]", "thousand", 1000),
}


@given(st.sampled_from(sorted(WRITTEN)), st.tuples(*[st.floats(0, 0.48)] * 2), st.tuples(*[st.floats(0.52, 0.99)] * 2))
def test_a_written_box_comes_back_within_half_a_unit(family, low, high):
    form, convention, span = WRITTEN[family]
    box = (*low, *high)
    reading = read_coordinates(form.format(*(round(value * span) for value in box)), TALL, convention)
    assert reading.boxes is not None and not reading.problems
    assert reading.boxes[0] == pytest.approx(box, abs=0.5 / span + 1e-9)


@given(st.tuples(*[st.floats(0, 0.48)] * 2), st.tuples(*[st.floats(0.52, 0.99)] * 2))
def test_bins_come_back_within_half_a_bin(low, high):
    """Florence-2 names the bin that a number falls into and means its centre."""
    box = (*low, *high)
    text = "it" + "".join(f"<loc_{int(value * 1000)}>" for value in box)
    assert read_coordinates(text, WIDE).boxes[0] == pytest.approx(box, abs=0.5 / 1000 + 1e-9)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=9))
def test_points_come_back_within_half_a_tenth(points):
    names = " ".join(f'x{i}="{x:.1f}" y{i}="{y:.1f}"' for i, (x, y) in enumerate(points, 1))
    found = read_coordinates(f'<points {names} alt="it">it</points>', WIDE).points
    assert [tuple(100 * v for v in point) for point in found] == [pytest.approx(p, abs=0.05 + 1e-9) for p in points]
