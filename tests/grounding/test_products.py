"""Unions with one mask of each point. The order and the limits are those of the study's script, derived by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from grounding.test_mask_judge import CHOICE, PRESENCE, FakeJudge
from PIL import Image
from rectangles import SIZE, rectangle

from pixfound_tasks import masks
from pixfound_tasks.analysis.metrics import response_oracle
from pixfound_tasks.attention.lens import Answer
from pixfound_tasks.grounding.products import MOST, make_product_selector, masks_of_points, products, with_products
from pixfound_tasks.grounding.text_grounder import WordGrounder, enlarged
from pixfound_tasks.judges.base import JudgeDown
from pixfound_tasks.response import Candidate, Response, Selection, from_text, to_text

PICTURE = Image.new("RGB", SIZE[::-1])
# The left point: columns 0, 0..1 and 0..2. The right point: rows 0, 0..1 and 0..2 of column 5.
LEFT = tuple(Candidate(rectangle(0, 0, width, 4), score) for width, score in ((1, 0.2), (2, 0.8), (3, 0.5)))
RIGHT = tuple(Candidate(rectangle(5, 0, 6, height), score) for height, score in ((1, 0.6), (2, 0.1), (3, 0.3)))
POINTS = {(0.0, 0.5): LEFT, (0.9, 0.1): RIGHT}


class Segments:
    """Knows the masks of `POINTS`; any other point has three masks of its own, drawn by its place."""

    name = "known"

    def __init__(self):
        self.prompts, self.sizes = [], []

    def set_image(self, image):
        self.sizes.append(image.shape)

    def segment(self, prompts):
        self.prompts += prompts
        return [POINTS.get(prompt) or drawn(int(prompt[0] * 100)) for prompt in prompts]


def drawn(seed):
    pixels = np.random.RandomState(seed).random_sample((3, *SIZE)) < 0.2
    return tuple(Candidate(masks.encode(mask), score) for mask, score in zip(pixels, (0.3, 0.2, 0.1)))


def grounded(text, select="mask", judge=None, mask="highest", segmenter=None):
    selector = make_product_selector(select, judge, mask)
    grounder = WordGrounder(segmenter or Segments(), "point", "percent", {"candidates": "products"}, mask, selector)
    return grounder.ground(Answer(text, 3), PICTURE, "Point to it", "the red square")


def points(*places):
    return "".join(f'<point x="{100 * x:g}" y="{100 * y:g}">it</point>' for x, y in places)


TWO = points(*POINTS)


def test_the_products_of_two_points_are_nine_unions_the_last_points_masks_fastest():
    found = products([LEFT, RIGHT])
    areas = [4 * width + height for width in (1, 2, 3) for height in (1, 2, 3)]  # the two do not overlap
    assert [masks.area(each.mask) for each in found] == areas
    expected = np.zeros(SIZE, bool)
    expected[:, :2] = expected[:3, 5] = True
    assert (masks.decode(found[5].mask) == expected).all()  # the second of the left, the third of the right
    scores = [(0.2 + 0.6) / 2, (0.2 + 0.1) / 2, (0.2 + 0.3) / 2, (0.8 + 0.6) / 2, (0.8 + 0.1) / 2, (0.8 + 0.3) / 2]
    assert [each.score for each in found[:6]] == pytest.approx(scores)


@pytest.mark.parametrize(
    ("count", "each", "total"), [(1, 3, 3), (5, 3, 243), (6, 2, 64), (9, 2, 512), (10, 2, 1000), (11, 1, 1), (40, 1, 1)]
)
def test_many_points_have_fewer_masks_each_as_in_the_study(count, each, total):
    found = [drawn(seed) for seed in range(count)]
    assert masks_of_points(found) == [candidates[:each] for candidates in found]
    made = products(found)
    assert len(made) == total == min(each**count, MOST)
    pixels = [[masks.decode(candidate.mask) for candidate in candidates] for candidates in found]
    for index in {0, 1, total // 2, total - 1} & set(range(total)):
        # The digits of the index, most significant first, in the base of how many masks a point has.
        digits = [index // each ** (count - 1 - place) % each for place in range(count)]
        sums = sum(of_point[digit].astype(int) for of_point, digit in zip(pixels, digits))
        assert (masks.decode(made[index].mask) == (sums > 0)).all()


def test_the_products_are_the_candidates_of_one_phrase():
    response = grounded(TWO)
    (phrase,) = response.phrases
    assert [each.mask for each in phrase.candidates] == [each.mask for each in products([LEFT, RIGHT])]
    assert response.points == tuple(POINTS) and (phrase.point, phrase.text) == (None, "")
    # The highest-scoring masks are the second of the left point and the first of the right one.
    assert response.selected == Selection("mask=highest", 0, 3) and response.masks == (phrase.candidates[3].mask,)
    assert response.provenance["segmenter"] == "known" and response.problems == () and response.tokens == 3
    target = masks.union([LEFT[2].mask, RIGHT[2].mask], SIZE)
    assert response_oracle(response, target) == (1.0, 0, 8)
    assert masks.iou(response.prediction(SIZE), target) == pytest.approx(9 / 15)
    assert from_text(to_text(response), SIZE) == response


@pytest.mark.parametrize(
    ("select", "mask", "by", "index"), [("mask", "third", "mask=third", 8), ("first", "highest", "first", 0)]
)
def test_other_rules_select_other_products(select, mask, by, index):
    assert grounded(TWO, select, mask=mask).selected == Selection(by, 0, index)


def test_repeated_points_count_as_often_as_they_come_and_are_segmented_once():
    segments = Segments()
    (first, *_), six = POINTS, grounded(points(*[(0.0, 0.5)] * 6), segmenter=segments)
    assert segments.prompts == [first] and len(six.phrases[0].candidates) == 64
    assert {masks.area(each.mask) for each in six.phrases[0].candidates} == {4, 8}  # never the third mask
    (alone,) = grounded(points((0.0, 0.5))).phrases
    assert alone.point == first and [each.mask for each in alone.candidates] == [each.mask for each in LEFT]


def test_what_a_response_cannot_hold_is_left_out_and_said():
    response = grounded(points(*((place / 100, 0.5) for place in range(2, 12))))
    assert len(response.points) == 10 and response.provenance["products_left_out"] == 1024 - 1000
    read = from_text(to_text(response), SIZE)
    assert len(read.phrases[0].candidates) == 1000 and read.problems == ()
    assert "products_left_out" not in grounded(TWO).provenance


def test_the_judge_sees_the_products_and_selects_one():
    judge = FakeJudge("yes", "4")
    response = grounded(TWO, "judge", judge)
    assert [prompt for prompt, _ in judge.asked] == [PRESENCE, CHOICE.format(9)]
    assert response.selected == Selection("judge", 0, 3) and response.masks == (response.phrases[0].candidates[3].mask,)
    absent = grounded(TWO, "judge", FakeJudge("no"))
    assert absent.masks == () and absent.selected == Selection("judge")
    assert response_oracle(absent, RIGHT[0].mask).iou > 0  # the oracle does not ask


def test_a_judge_that_is_down_leaves_it_to_the_scores():
    response = grounded(TWO, "judge", FakeJudge(JudgeDown("no route")))
    assert response.selected == Selection("mask=highest", 0, 3)
    assert response.provenance["judge"]["status"] == "down: mask=highest"


@pytest.mark.parametrize("text", ["I see nothing of the kind.", "[]"])
def test_without_points_nothing_is_segmented_and_nobody_is_asked(text):
    segments, judge = Segments(), FakeJudge()
    response = grounded(text, "judge", judge, segmenter=segments)
    assert (segments.prompts, judge.asked, response.phrases, response.selected) == ([], [], (), None)
    assert response.masks in (None, ()) and masks.area(response.prediction(SIZE)) == 0


def test_masks_that_came_stay():
    response = Response(masks=(LEFT[0].mask,), points=((0.1, 0.1),))
    assert with_products(response, lambda prompts: pytest.fail(), "none", lambda phrases: pytest.fail()) == response


@pytest.mark.parametrize(
    ("select", "judge"), [("similarity", None), ("judge", None), ("mask", SimpleNamespace(name="a"))]
)
def test_what_cannot_select_products_is_refused(select, judge):
    with pytest.raises(ValueError, match=r"expected (select, with candidates=products,|a judge with select=judge)"):
        make_product_selector(select, judge)


# The image enlarged for the model alone.


@pytest.mark.parametrize(
    ("convention", "text"),
    [("pixel", '[{"bbox_2d": [6, 0, 12, 4]}]'), ("resized:2:16:65536", '[{"bbox_2d": [6, 0, 12, 4]}]')],
)
def test_boxes_about_an_enlarged_image_are_boxes_of_the_image(convention, text):
    # The model sees 12 x 8 pixels; in the image of 6 x 4 the box is columns 3 to 5 of rows 0 and 1.
    boxes = Segments()
    boxes.segment = lambda prompts: [(Candidate(masks.from_box(prompt, SIZE)),) for prompt in prompts]
    response = WordGrounder(boxes, "box", convention, enlarge=2).ground(Answer(text, 1), PICTURE, "Locate it")
    assert response.boxes == ((0.5, 0.0, 1.0, 0.5),) and response.masks == (rectangle(3, 0, 6, 2),)
    assert boxes.sizes == [(*SIZE, 3)]  # the segmenter gets the image itself


def test_fractions_and_outlines_about_an_enlarged_image_are_those_of_the_image():
    grounder = WordGrounder(Segments(), "box", "thousand", enlarge=2)
    outline = '{"polygon": [[0, 0], [500, 0], [500, 1000], [0, 1000]]}'
    response = grounder.ground(Answer(outline, 1), PICTURE, "Locate it")
    assert [mask["size"] for mask in response.masks] == [list(SIZE)]
    assert masks.iou(response.masks[0], rectangle(0, 0, 3, 4)) >= 0.75


def test_an_image_is_enlarged_as_pillow_does_it_by_default():
    pixels = np.random.RandomState(0).randint(0, 256, (*SIZE, 3)).astype(np.uint8)
    image = Image.fromarray(pixels)
    assert enlarged(image, 1) is image
    assert (np.asarray(enlarged(image, 2)) == np.asarray(image.resize((12, 8), Image.Resampling.BICUBIC))).all()
