from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from rectangles import SIZE, rectangle
from untrusted import OBJECTS, OUTPUTS

from pixfound_tasks import masks
from pixfound_tasks.analysis.best_phrase import MATCHES, match, record, records
from pixfound_tasks.analysis.concepts import WordLists
from pixfound_tasks.analysis.emergence import GroundedImage, analyse, image_values, summarize, tenth
from pixfound_tasks.response import Candidate, Phrase, PromptedMasks, Response, Selection, from_text, to_text

TRUTH = rectangle(0, 0, 3, 4)  # the left half of the image, 12 pixels
NOTHING = rectangle(0, 0, 0, 0)
TEXT = "A cat and a mat by the red dog here."  # 36 characters; 10 tokens, the full stop one of them


def phrase(text, first_token, point, *candidates, root=""):
    start = TEXT.index(text)
    span = (first_token, first_token + len(text.split()))
    found = tuple(Candidate(mask) for mask in candidates)
    return Phrase(point, found, text=text, root=root, chars=(start, start + len(text)), tokens=span)


def control(*candidates):
    return tuple(PromptedMasks((0.9, 0.5), (Candidate(mask),)) for mask in candidates)


# The best mask, 9 of 12 pixels, is always the third phrase's; chance finds 8 of 12.
THIRD = Response(
    TEXT,
    masks=(rectangle(3, 0, 6, 4),),
    phrases=(
        phrase("A cat", 0, (0.1, 0.1), rectangle(0, 0, 1, 4), root="cat"),
        phrase("a mat", 3, (0.9, 0.1), rectangle(3, 0, 6, 4), root="mat"),
        phrase("the red dog", 6, (0.2, 0.9), rectangle(0, 0, 3, 3), rectangle(5, 0, 6, 4), root="dog"),
    ),
    selected=Selection("similarity", 1, 0),
    control=control(rectangle(4, 0, 6, 4), rectangle(0, 0, 2, 4), NOTHING),
    tokens=10,
)


def test_a_model_that_grounds_at_the_third_phrase():
    found = record(GroundedImage("7", THIRD, TRUTH, "the dog"), WordLists())
    assert (found.image, found.present, found.candidates, found.phrase) == ("7", True, 4, "the red dog")
    assert (found.answer_iou, found.oracle_iou, found.chance_iou) == (0.0, 9 / 12, 8 / 12)
    assert found.gain == pytest.approx(1 / 12, abs=1e-12)
    assert (found.char_location, found.token_location) == (19 / 36, 6 / 10)
    assert (found.match, found.concept) == ("exact", "appearance")
    assert (found.point_hit, found.answer_hit) == (True, False)
    assert (found.hit_share, found.chance_hit_share) == (2 / 3, 0.0)
    assert found.mass is None


def test_its_run_has_every_number():
    """Two images of the kind, and one whose object is absent, which counts 1 for oracle and chance alike."""
    images = [GroundedImage(str(i), THIRD, target, "the dog") for i, target in enumerate([TRUTH, TRUTH, NOTHING])]
    found = analyse(images, WordLists())
    assert found.oracle_miou == pytest.approx((9 / 12 * 2 + 1) / 3, abs=1e-12)
    assert found.chance_miou == pytest.approx((8 / 12 * 2 + 1) / 3, abs=1e-12)
    assert found.intervals.gain.value == pytest.approx(found.oracle_miou - found.chance_miou, abs=1e-12)
    assert (found.images, found.present, found.located, found.present_chance) == (3, 2, 2, 8 / 12)
    assert found.location_bins == (0, 0, 0, 0, 0, 2, 0, 0, 0, 0)  # 19 of 36 characters: 0.53
    assert found.token_bins == (0, 0, 0, 0, 0, 0, 2, 0, 0, 0)
    assert (found.median_location, found.intervals.median_char_location.value) == (6 / 10, 19 / 36)
    assert found.matches == {"exact": 2, "overlap": 0, "other": 0}
    assert found.exact_phrase_rate == 1
    assert [record.match for record in found.records] == ["exact", "exact", None]
    assert [record.concept for record in found.records] == ["appearance", "appearance", None]
    assert found.concepts["appearance"] == 2 and found.classified_by == "word list"
    assert found.hits[:4] == (1.0, 0.0, pytest.approx(2 / 3, abs=1e-12), 0.0)
    assert math.isnan(found.hits.mass)
    assert [record.gain for record in found.records] == [9 / 12 - 8 / 12] * 2 + [0]


def test_any_part_of_the_records_can_be_summarised():
    found = records([GroundedImage("1", THIRD, TRUTH), GroundedImage("2", replace(THIRD, phrases=()), TRUTH)])
    assert image_values(found, lambda record: record.gain) == [9 / 12 - 8 / 12, -8 / 12]
    assert image_values(found, lambda record: record.token_location) == [6 / 10]
    assert summarize(found).oracle_miou == 9 / 24
    assert summarize(record for record in found if record.oracle_iou > 0.5).oracle_miou == 9 / 12
    assert summarize(found).matches == summarize(found).concepts == {}, "there was no expression and no classifier"


def test_without_a_control_chance_is_not_defined():
    image = GroundedImage("1", replace(THIRD, control=()), TRUTH)
    alone, beside = record(image), records([image, GroundedImage("2", THIRD, TRUTH)])[0]
    assert (alone.chance_iou, alone.gain, alone.chance_hit_share) == (None, None, None)
    assert beside.chance_iou == 0, "the run has controls, so an answer without one had nothing to try"
    assert math.isnan(analyse([image]).intervals.gain.value)


@pytest.mark.parametrize(
    ("changes", "undefined"),
    [
        ({"text": "A cat"}, {"char_location"}),  # the phrase begins at character 19
        ({"text": ""}, {"char_location"}),
        ({"tokens": None}, {"token_location", "curve"}),
        ({"tokens": 8}, {"token_location"}),  # the phrase ends with token 9
        ({"selected": None}, {"answer_hit"}),
        ({"selected": Selection("judge", 99, 0)}, {"answer_hit"}),
        ({"selected": Selection("judge")}, {"answer_hit"}),
    ],
)
def test_what_cannot_be_told_is_none_and_the_rest_stays(changes, undefined):
    whole, found = (record(GroundedImage("1", r, TRUTH, "the dog")) for r in (THIRD, replace(THIRD, **changes)))
    unset = {name for name, value in vars(found).items() if value is None and vars(whole)[name] is not None}
    assert unset == undefined
    assert (found.phrase, found.oracle_iou, found.match) == ("the red dog", 9 / 12, "exact")


@pytest.mark.parametrize(
    "response", [Response(), Response("Yes.", tokens=2), Response(TEXT, phrases=(Phrase(text="A cat"),))]
)
def test_answers_without_candidates_have_no_best_phrase(response):
    found = record(GroundedImage("1", response, TRUTH, "the dog"), WordLists())
    assert found.candidates == 0 and found.oracle_iou == 0
    assert (found.phrase, found.match, found.concept, found.token_location, found.point_hit) == (None,) * 5


def test_absent_objects_have_no_best_phrase_and_nothing_to_hit():
    found = record(GroundedImage("1", THIRD, NOTHING, "the dog"), WordLists())
    assert (found.present, found.oracle_iou, found.chance_iou, found.answer_iou) == (False, 1.0, 1.0, 0.0)
    assert (found.phrase, found.match, found.point_hit, found.answer_hit, found.hit_share) == (None,) * 5


@settings(max_examples=150)
@given(OUTPUTS, OBJECTS)
def test_no_output_of_a_model_breaks_the_analysis(text, changes):
    """Anything that a model might print, and a good response of which some fields are replaced by anything."""
    changed = json.dumps(json.loads(to_text(THIRD)) | json.loads(changes))
    images = [GroundedImage("1", from_text(output, SIZE), TRUTH, "the dog") for output in (text, changed)]
    found = analyse(images, WordLists())
    assert len(found.records) == 2 and 0 <= found.oracle_miou <= 1


@pytest.mark.parametrize(
    ("text", "root", "expression", "expected"),
    [
        ("two brown dogs", "dogs", "the dog", "exact"),
        ("the face", "", "the dog's face", "exact"),
        ("its ears", "ears", "the ears of the dog", "exact"),
        ("the dog", "dog", "the dog's face", "overlap"),
        ("the dog", "dog", "the ears of the dog", "overlap"),
        ("an orange flower", "flower", "the orange wings", "overlap"),
        ("the face of it", "it", "the dog's nose", "other"),
        ("the left side", "side", "the dog", "other"),
        ("the", "", "the dog", "other"),
        ("it", "it", "", "other"),
    ],
)
def test_match(text, root, expression, expected):
    assert match(Phrase(text=text, root=root), expression) == expected
    assert expected in MATCHES


@pytest.mark.parametrize(("location", "expected"), [(0, 0), (0.0999, 0), (0.1, 1), (0.95, 9), (1.0, 9)])
def test_tenths(location, expected):
    assert tenth(location) == expected


@pytest.mark.parametrize(("point", "hit"), [((0, 0), True), ((0.49, 1.0), True), ((0.5, 0.5), False), ((1, 1), False)])
def test_points_on_the_edge_belong_to_the_pixel_that_holds_them(point, hit):
    response = Response(phrases=(Phrase(point, (Candidate(TRUTH),)),))
    assert record(GroundedImage("1", response, TRUTH)).point_hit is hit
    pixel = masks.decode(masks.from_point(point, SIZE))
    assert bool((pixel & masks.decode(TRUTH)).any()) is hit


def test_counts_add_up_on_random_answers():
    rng = np.random.default_rng(5)
    images = []
    for index in range(60):
        phrases = [
            Phrase((0.5, 0.5), (Candidate(masks.encode(rng.random(SIZE) < 0.5)),), text=word, chars=(i * 4, i * 4 + 3))
            for i, word in enumerate(rng.permutation(["dog", "top", "red", "sky"])[: rng.integers(5)])
        ]
        target = masks.encode(rng.random(SIZE) < 0.3 * rng.integers(2))
        images.append(GroundedImage(str(index), Response("x" * 16, phrases=tuple(phrases)), target, "the dog"))
    found = analyse(images, WordLists())
    located = [record for record in found.records if record.phrase is not None]
    assert 10 < len(located) < 50
    for name, counts in (("match", found.matches), ("concept", found.concepts)):
        assert sum(counts.values()) == len(located)
        assert all(getattr(record, name) for record in located)
    assert sum(found.location_bins) == len(located) == found.located
    assert found.exact_phrase_rate == found.matches["exact"] / len(located)
    assert [record.match == "exact" for record in located] == [record.phrase == "dog" for record in located]


@pytest.mark.parametrize("width", [224, 336, 640])
def test_a_pixels_corner_as_a_fraction_belongs_to_the_pixel(width):
    """29 / 224 * 224 is less than 29 in floating point."""
    for column in range(width):
        pixels = np.zeros((1, width), bool)
        pixels[0, column] = True
        truth = masks.encode(pixels)
        response = Response("a dog", (truth,), phrases=(Phrase((column / width, 0.0), (Candidate(truth),), "a dog"),))
        assert record(GroundedImage("1", response, truth)).point_hit is True, column
