from __future__ import annotations

import time

import pytest
from grounding.coordinate_replies import ABSENT, REPLIES, SQUARE, TALL, UNREAD, WIDE
from hypothesis import given, settings
from hypothesis import strategies as st

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
    assert reading.boxes is not None or reading.points or reading.problems


HOSTILE = [
    "[", "(<{[", "[]", '"\\', '["\\', '[""', "1", "<box>", "(1,2),", "<points x1='1", "<points x='" + " " * 99,
    '{"bbox_2d": [1,2,3,4],', "{a ", "<", "<loc0001>", "<think>", "not ", "{'a':", "[1;", "null,[", "\ud800",
    "<answer>",
]  # fmt: skip


OPENED = [
    ("<points ", "x "),
    ("<points ", "x='"),
    ("<points ", "coords="),
    ("<points x='", " "),
    ("{a", " "),
    ("(1,2)", " "),
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
