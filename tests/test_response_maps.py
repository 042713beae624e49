"""Coarse maps: averaged over cells, and small enough to travel in a response."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from pixfound_tasks.response import CoarseMap, Phrase, Response, coarse_map, from_text, maps, to_text


def levels(found: CoarseMap) -> np.ndarray:
    return np.frombuffer(found.levels, np.uint8).reshape(found.size)


def test_cells_are_means_of_their_pixels_and_levels_shares_of_the_highest():
    """48 x 48 pixels to 24 x 24 cells of 2 x 2: one cell has 4, 4, 4, 0, the mean 3, and one 1 throughout: 15 / 3."""
    values = np.zeros((48, 48), np.float32)
    values[0:2, 0:2] = [[4, 4], [4, 0]]
    values[46:48, 0:2] = 1
    found = levels(coarse_map(values))
    assert found.shape == (24, 24)
    assert found[0, 0] == 15 and found[23, 0] == 5 and found.sum() == 20


@pytest.mark.parametrize("size", [(24, 24), (112, 112), (480, 640), (337, 91), (5, 7), (3000, 10)])
def test_averages_agree_with_opencv(size):
    values = np.random.RandomState(0).random_sample(size).astype(np.float32)
    found = coarse_map(values)
    assert max(found.size) <= 24
    expected = cv2.resize(values, found.size[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(levels(found) - 15 * expected / expected.max()).max() <= 0.5 + 1e-3


@pytest.mark.parametrize(("size", "cells"), [((480, 640), (18, 24)), ((6, 4), (6, 4)), ((3000, 10), (24, 1))])
def test_a_map_has_the_aspect_of_its_image(size, cells):
    values = np.zeros(size, np.float32)
    values[: size[0] // 2] = 1
    assert coarse_map(values).size == cells


def test_what_is_under_zero_or_not_seen_is_nothing():
    found = coarse_map(np.array([[-5.0, 1.0], [np.nan, 2.0]], np.float32))
    assert levels(found).tolist() == [[0, 8], [0, 15]]  # 7.5 is rounded to even


@pytest.mark.parametrize("values", [0.0, 0.3, -1.0, np.nan])
def test_a_map_that_points_nowhere_is_none(values):
    assert coarse_map(np.full((30, 40), values, np.float32)) is None


def test_a_map_is_a_few_hundred_characters():
    values = np.random.RandomState(0).random_sample((336, 336))
    with_map, without = (len(to_text(Response(phrases=(Phrase(map=each),)))) for each in (coarse_map(values), None))
    assert with_map - without < 450


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (3, 5), (24, 24)])
def test_what_is_written_is_read(size):
    drawn = np.random.RandomState(1).randint(0, 16, size).astype(np.uint8)
    written = CoarseMap(size, drawn.tobytes())
    assert maps.read(json.loads(json.dumps(maps.to_fields(written)))) == written


def test_two_levels_a_byte_the_first_one_high():
    """0, 15, 7: the bytes 0x0f and 0x70, in base64 D3A=."""
    assert maps.to_fields(CoarseMap((1, 3), bytes([0, 15, 7]))) == {"size": [1, 3], "levels": "D3A="}


def test_the_maps_of_tokens_come_back_as_they_went():
    """A flat one and one that was not recorded have no map, but keep their place."""
    seen = maps.TokenMap((0, 3), coarse_map(np.random.RandomState(0).random_sample((30, 20))))
    found = (seen, maps.TokenMap((3, 3)), maps.TokenMap((4, 9), coarse_map(np.eye(30, 20))))
    response = Response("See it now", token_maps=found)
    assert from_text(to_text(response), (30, 20)) == response
    assert "token_maps" not in to_text(Response("See", token_maps=(maps.TokenMap((0, 3)),)))


@pytest.mark.parametrize(
    "change",
    [{"chars": [[0, 3]]}, {"chars": [[3, 0], [0, 1]]}, {"levels": ["", ""]}, {"size": [99, 1]}, {"chars": "ab"}],
)
def test_token_maps_that_cannot_be_read_are_left_out(change):
    written = {"size": [1, 2], "chars": [[0, 1], [1, 2]], "levels": ["EAAA"[:4], None]} | change
    response = from_text(json.dumps({"masks": [], "token_maps": written}), (10, 20))
    assert (response.token_maps, response.masks, response.problems) == ((), (), ())


@pytest.mark.parametrize("value", ["-1", "1001", "many", "1.5"])
def test_the_number_of_tokens_with_maps_is_checked(value):
    with pytest.raises(ValueError, match="PIXFOUND_TOKENMAPS from 0 to 1000"):
        maps.check_token_maps(value)
