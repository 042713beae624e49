"""Tokens behind convolutions: no geometry that is accepted may be wrong."""

from __future__ import annotations

import numpy as np
import pytest
from attention.measuring import measured_toy
from attention.zoo.zoo_build import build
from attention.zoo.zoo_regions import check_regions
from PIL import Image

from pixfound_tasks.attention.geometry import TokenGeometry, grid_boxes
from pixfound_tasks.attention.measured.errors import NotMeasurable
from pixfound_tasks.attention.measured.regions import prove_one_by_one

CONVOLUTIONAL = ("deepseek_vl_hybrid", "pp_chart2table", "got_ocr2")
SIZES = [(100, 70), (105, 70), (61, 150), (133, 201), (61, 83), (200, 200), (90, 233), (158, 113), (67, 84)]
SIZE = (80, 96)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_no_accepted_geometry_is_wrong(name):
    for size in SIZES:
        try:
            found = measured_toy(name, [size])
        except NotMeasurable as error:
            assert "a token beside the region" in str(error)
            continue
        verdict = check_regions(build(name), [geometry.boxes for geometry in found.geometries], [size], 60)
        assert verdict.tried == 60 and not verdict.wrong, (size, verdict)


def answers(weights):
    """Tokens that see the means of the 16 x 16 cells of a picture of 80 x 96 pixels, mixed by weights."""

    def embed(pictures):
        pixels = np.asarray(pictures[0]).astype(float).reshape(5, 16, 6, 16, 3).mean(axis=(1, 3))
        return np.einsum("tyx,yxc->tc", weights, pixels)

    return embed


def mixed(neighbor):
    """Each of 5 x 6 tokens sees its own cell, and the one to its right `neighbor` times as strongly."""
    own = np.eye(30)
    beside = np.roll(own, 1, axis=1) * (np.arange(30) % 6 < 5)[:, None]
    return (own + neighbor * beside).reshape(30, 5, 6)


def proved(weights):
    pictures = [Image.fromarray(np.random.RandomState(1).randint(40, 216, (*SIZE, 3)).astype(np.uint8))]
    embed = answers(weights)
    return prove_one_by_one(embed, pictures, embed(pictures), [TokenGeometry(grid_boxes(5, 6, (0, 0, 96, 80)), SIZE)])


def test_boxes_of_tokens_that_see_little_beside_them_are_proved():
    verdict = proved(mixed(0.7))
    assert verdict.regions == 64 and not verdict.faults


def test_one_token_that_sees_as_much_beside_its_box_disproves_all():
    weights = mixed(0.0)
    weights[14] = mixed(0.9)[14]
    verdict = proved(weights)
    assert verdict.regions < 64 and "a token beside the region" in verdict.faults[0]


def test_too_few_regions_prove_nothing():
    picture = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    geometry = TokenGeometry(grid_boxes(2, 2, (0, 0, 8, 8)), (8, 8))
    verdict = prove_one_by_one(lambda _: np.zeros((4, 3)), [picture], np.zeros((4, 3)), [geometry])
    assert verdict.faults == ("there is room for 16 of the 30 regions that prove them",)
