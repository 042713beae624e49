from __future__ import annotations

import numpy as np
import pytest
from rectangles import SIZE, rectangle

from pixfound_tasks import masks
from pixfound_tasks.analysis.best_phrase import GroundedImage, record
from pixfound_tasks.analysis.emergence import analyse
from pixfound_tasks.analysis.map_mass import coarse_mass, map_mass, mask_means, phrase_mass
from pixfound_tasks.attention.geometry import TokenGeometry, grid_boxes
from pixfound_tasks.attention.look import Look
from pixfound_tasks.response import Candidate, Phrase, Response
from pixfound_tasks.response.maps import CoarseMap, cell_means, coarse_map

TRUTH, NOTHING = rectangle(0, 0, 3, 4), rectangle(0, 0, 0, 0)  # 12 of 24 pixels
CORNER = rectangle(0, 0, 1, 1)


def spots(**values):
    """A map that is 0 but at `y_x`."""
    found = np.zeros(SIZE, np.float32)
    for place, value in values.items():
        found[tuple(map(int, place.strip("_").split("_")))] = value
    return found


def test_mass_is_the_share_inside():
    assert map_mass(spots(_0_0=3, _3_2=1, _1_5=4), TRUTH) == (0.5, 0.5)
    assert map_mass(spots(_0_0=3, _3_2=1, _1_5=4), CORNER) == (3 / 8, 1 / 24)


def test_what_is_looked_at_less_than_on_average_has_no_mass():
    assert map_mass(spots(_0_0=1, _0_1=-5, _1_5=1), TRUTH).mass == 0.5


def test_places_that_no_token_sees_have_no_mass():
    assert map_mass(spots(_0_0=1, _0_1=np.nan, _1_5=3), TRUTH).mass == 0.25


@pytest.mark.parametrize("value", [0.25, 7.0])
def test_looking_everywhere_alike_gives_the_area(value):
    for target in (TRUTH, CORNER):
        found = map_mass(np.full(SIZE, value), target)
        assert found.mass == pytest.approx(found.area, abs=1e-12)


@pytest.mark.parametrize(
    ("values", "target"),
    [(np.zeros(SIZE), TRUTH), (-np.ones(SIZE), TRUTH), (np.full(SIZE, np.nan), TRUTH), (np.ones(SIZE), NOTHING)],
)
def test_mass_that_is_not_defined(values, target):
    assert np.isnan(map_mass(values, target).mass)


def test_a_map_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"expected a map of the mask's size \[4, 6\], but got \[6, 4\]"):
        map_mass(np.ones((6, 4)), TRUTH)


@pytest.fixture
def look():
    """An answer of two words, "a dog"; every pixel is an image token, so that maps are exact."""
    values = np.stack([spots(_0_0=1, _0_5=3), spots(_0_0=3, _0_5=1)]).reshape(2, -1)
    geometry = TokenGeometry(grid_boxes(*SIZE, (0, 0, SIZE[1], SIZE[0])), SIZE)
    return Look("a dog", ((0, 1), (1, 5)), values, values, (geometry,))


def test_mass_of_a_phrase_read_from_a_file(look, tmp_path):
    look.save(tmp_path / "look.safetensors")
    read = Look.load(tmp_path / "look.safetensors")
    assert phrase_mass(read, (0, 5), TRUTH).mass == pytest.approx(0.5, abs=1e-6)  # 4 of 8, the words together
    assert phrase_mass(read, "dog", TRUTH).mass == pytest.approx(0.75, abs=1e-6)


def test_a_record_has_the_mass_of_its_best_phrase(look):
    phrases = (
        Phrase((0.1, 0.1), (Candidate(CORNER),), text="a", chars=(0, 1)),
        Phrase((0.1, 0.1), (Candidate(TRUTH),), text="dog", chars=(2, 5)),
    )
    images = [
        GroundedImage("1", Response("a dog", phrases=phrases), TRUTH, look=look),
        GroundedImage("2", Response("a dog", phrases=phrases), TRUTH),
    ]
    assert record(images[0]).mass == (pytest.approx(0.75, abs=1e-6), 0.5)
    hits = analyse(images).hits
    assert (hits.mass, hits.area) == (pytest.approx(0.75, abs=1e-6), 0.5)


def test_a_phrases_coarse_map_tells_its_mass_where_there_is_no_look():
    """Levels 15 and 5 in two halves, of which the truth is the first three rows of four, four columns of six wide.

    Of the left half, three columns, 9 of 12 pixels are inside, of the right one 3 of 12: (15 * 9 + 5 * 3) / 12 / 20.
    """
    target = rectangle(0, 0, 4, 3)
    found = coarse_mass(CoarseMap((1, 2), bytes([15, 5])), target)
    assert found == (pytest.approx((15 * 9 + 5 * 3) / 12 / 20), 0.5)
    phrase = Phrase((0.1, 0.1), (Candidate(target),), text="dog", map=CoarseMap((1, 2), bytes([15, 5])))
    assert record(GroundedImage("1", Response("a dog", phrases=(phrase,)), target)).mass == found
    assert np.isnan(coarse_mass(CoarseMap((1, 2), bytes([15, 5])), NOTHING).mass)


def test_a_coarse_map_has_nearly_the_mass_of_the_whole_one():
    """Seeded bumps on 90 x 120 pixels, in at most 24 cells and 16 levels: within two hundredths."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:90, :120]
    for _ in range(20):
        y, x, width = rng.uniform(10, 80), rng.uniform(10, 110), rng.uniform(8, 25)
        values = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * width**2))
        mask = np.zeros((90, 120), bool)
        mask[20:70, 30:100] = True
        target = masks.encode(mask)
        assert coarse_mass(coarse_map(values), target).mass == pytest.approx(map_mass(values, target).mass, abs=0.02)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (24, 24), (37, 91), (480, 640)])
def test_the_cells_of_a_mask_are_means_of_its_pixels(size):
    rng = np.random.default_rng(0)
    drawn = [rng.random(size) < chance for chance in (0, 0.02, 0.5, 1)]
    drawn.append(np.add.outer(np.arange(size[0]), np.arange(size[1])) % 40 < 20)  # stripes
    for mask in drawn:
        for cells in ((1, 1), (min(24, size[0]), min(24, size[1])), (1, min(7, size[1]))):
            np.testing.assert_allclose(mask_means(masks.encode(mask), cells), cell_means(mask, cells), atol=1e-12)
