"""Coarse maps: averaged over cells, and small enough to travel in a response."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from pixfound_tasks.response import CoarseMap, Phrase, Response, coarse_map, maps, to_text


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
