"""Tokens behind convolutions: no geometry that is accepted may be wrong."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from attention.measuring import assert_alike, measured_toy
from attention.zoo.zoo_build import build
from attention.zoo.zoo_regions import check_regions
from PIL import Image
from torch import nn
from torch.nn import functional

from pixfound_tasks.attention.geometry import TokenGeometry, grid_boxes
from pixfound_tasks.attention.measured.compose import compose
from pixfound_tasks.attention.measured.measure import measure, prove_geometries
from pixfound_tasks.attention.measured.reach import Gradients
from pixfound_tasks.attention.measured.sight import CONVOLVED
from pixfound_tasks.attention.measured.spread_proof import FEW_STRIPES, STRIPES, prove_spread
from pixfound_tasks.attention.measured.vision_cells import CellsAlone
from pixfound_tasks.attention.measured.vision_part import VisionPart

CONVOLUTIONAL = ("deepseek_vl_hybrid", "lfm3_vl", "step3p7", "unlimited_ocr", "florence2")
SIZES = [(100, 70), (61, 150), (133, 201)]
SIZE = (80, 96)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_boxes_behind_convolutions_are_measured(name):
    for size in SIZES[:2]:
        found = measured_toy(name, [size])
        assert found.how == CONVOLVED
        boxes = [geometry.boxes for geometry in found.geometries]
        verdict = check_regions(build(name), boxes, [size], 24, is_convolved=True)
        assert verdict.tried == 24 and not verdict.wrong, (size, verdict)


@pytest.mark.parametrize("name", CONVOLUTIONAL[:2])
def test_several_images_are_measured(name):
    size = SIZES[2]
    found = measured_toy(name, [size, SIZES[0]])
    verdict = check_regions(
        build(name), [geometry.boxes for geometry in found.geometries], [size, SIZES[0]], 24, is_convolved=True
    )
    assert found.how == CONVOLVED and not verdict.wrong, verdict


@pytest.mark.parametrize(
    "name, dtype", [("fast_vlm", torch.float16), ("florence2", torch.bfloat16), ("florence2", torch.float16)]
)
def test_half_precision_gives_the_same_boxes(name, dtype):
    toy = build(name)
    model = copy.deepcopy(toy.model).to(dtype)
    found = measure(model, lambda images: toy.inputs([list(images)], ["ab"]), SIZES[:1])
    assert found.how == CONVOLVED
    assert_alike(found.geometries, measured_toy(name, SIZES[:1]).geometries)


class Steep:
    """A vision part whose image tokens are a multiple of the numbers, in float16."""

    def __init__(self, slope):
        self.model, self.slope, self.backwards = SimpleNamespace(dtype=torch.float16), slope, 0

    def embed(self, inputs, with_gradient=False):
        return (inputs["pixels"] * self.slope).reshape(4, 1)


@pytest.mark.parametrize("slope", [1e-6, 1.0, 1e3, 3e4])
def test_gradients_in_float16_are_neither_zero_nor_infinite(slope):
    gradients = Gradients(Steep(slope), {"pixels": torch.zeros(4, dtype=torch.float16)}, ["pixels"])
    gradients.choose(torch.arange(4))
    (found,) = gradients.of(torch.tensor([1.0, 0.0, 1.0, 0.0]))
    assert found.isfinite().all() and found[0] == found[2] != 0 and found[1] == found[3] == 0


def moved(boxes, right, down):
    return boxes + np.tile((boxes[:, 2:] - boxes[:, :2]) * [right, down], 2)


def scaled(boxes, size, by):
    middle = np.tile([size[1] / 2, size[0] / 2], 2)
    return (boxes - middle) * by + middle


def mirrored(boxes, size):
    return np.stack([size[1] - boxes[:, 2], boxes[:, 1], size[1] - boxes[:, 0], boxes[:, 3]], axis=1)


WRONG = {
    "a box to the right": lambda boxes, _: moved(boxes, 1, 0),
    "a box up": lambda boxes, _: moved(boxes, 0, -1),
    "half a box to the right": lambda boxes, _: moved(boxes, 0.5, 0),
    "mirrored": mirrored,
    "in reverse": lambda boxes, _: boxes[::-1],
    "transposed": lambda boxes, size: boxes[:, [1, 0, 3, 2]] * np.tile([size[1] / size[0], size[0] / size[1]], 2),
    "smaller": lambda boxes, size: scaled(boxes, size, 0.6),
    "larger": lambda boxes, size: scaled(boxes, size, 1.5),
}


@pytest.mark.parametrize("name", ["got_ocr2", "florence2"])
def test_wrong_boxes_are_disproved_on_the_model_as_it_is(name):
    toy, size = build(name), SIZES[0]
    part = VisionPart(toy.model)

    def process(images):
        return toy.inputs([list(images)], ["ab"])

    found = compose(part, process, [size])
    (geometry,) = found.geometries
    assert not prove_geometries(part, process, [geometry], found.ids, how=found.how).faults
    for what, change in WRONG.items():
        wrong = TokenGeometry(np.ascontiguousarray(change(geometry.boxes, size)), size)
        assert prove_geometries(part, process, [wrong], found.ids, how=found.how).faults, what


def answers(weights):
    """Tokens that see the means of the 16 x 16 cells of a picture of 80 x 96 pixels, mixed by weights."""

    def embed(pictures):
        pixels = np.asarray(pictures[0]).astype(float).reshape(5, 16, 6, 16, 3).mean(axis=(1, 3))
        return np.einsum("tyx,yxc->tc", weights, pixels)

    return embed


def blurred(width):
    """Each of 5 x 6 tokens sees all cells, the less the further they are."""
    row, column = np.divmod(np.arange(30), 6)
    apart = (row[:, None] - row) ** 2 + (column[:, None] - column) ** 2
    return np.exp(-apart / (2 * width**2)).reshape(30, 5, 6)


def proved(weights, boxes=None):
    pictures = [Image.fromarray(np.random.RandomState(1).randint(40, 216, (*SIZE, 3)).astype(np.uint8))]
    embed = answers(weights)
    boxes = grid_boxes(5, 6, (0, 0, 96, 80)) if boxes is None else boxes
    return prove_spread(embed, pictures, embed(pictures), [TokenGeometry(boxes, SIZE)])


def test_tokens_that_see_their_neighbors_nearly_as_much_are_proved():
    verdict = proved(blurred(0.8))
    assert verdict.regions == 2 * STRIPES and not verdict.faults


def test_tokens_that_see_nearly_everything_are_not():
    assert "answers move by" in proved(blurred(4)).faults[0]


def test_the_fault_says_how_far_boxes_are_off():
    assert "answers lie 0.9" in proved(blurred(0.5), grid_boxes(5, 6, (16, 0, 112, 80))).faults[0]


def test_too_few_tokens_prove_nothing():
    picture = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    geometry = TokenGeometry(grid_boxes(1, 2, (0, 0, 8, 8)), (8, 8))
    verdict = prove_spread(lambda _: np.zeros((2, 3)), [picture], np.zeros((2, 3)), [geometry])
    assert verdict.faults == ("image 1 has fewer than 4 tokens in a view",)


@pytest.mark.parametrize("kernel, stride, padding", [(3, 1, 1), (7, 1, 3), (3, 2, 1), (4, 2, 1), (7, 4, 3), (1, 2, 0)])
def test_a_cell_sees_the_cells_that_it_replaces(kernel, stride, padding):
    convolution = nn.Conv2d(2, 3, kernel, stride, padding)
    picture = torch.randn(1, 2, 16, 16, requires_grad=True)
    middles = []
    for late in (False, True):
        with CellsAlone(late) as cells:
            made = convolution(picture)
        assert made.shape == convolution(picture).shape and cells.is_mixing == (kernel > stride)
        (gradient,) = torch.autograd.grad(made[0, :, 2, 2].sum(), picture)
        rows = gradient.abs().sum(dim=(0, 1, 3)).nonzero()[:, 0]
        assert len(rows) == min(kernel, stride)
        middles.append(rows.double().mean().item())
    assert np.mean(middles) == 2 * stride - padding + (kernel - 1) / 2  # the middle of the convolution's own window


def test_pooled_pictures_and_norms_of_groups_are_constants():
    torch.manual_seed(0)
    picture = torch.randn(1, 4, 6, 6, requires_grad=True)

    def mixed(value):
        value = functional.group_norm(value, 2, torch.ones(4), torch.zeros(4))
        value = value * value.mean((2, 3), keepdim=True) + functional.adaptive_avg_pool2d(value, 1)
        return functional.avg_pool2d(functional.max_pool2d(value, 3, 1, 1), 2)

    with CellsAlone() as cells:
        made = mixed(picture)
    (gradient,) = torch.autograd.grad(made[0, :, 1, 1].sum(), picture)
    seen = gradient.abs().sum(dim=(0, 1)).nonzero()
    assert cells.is_mixing and made.shape == mixed(picture).shape
    assert seen.tolist() == [[2, 2], [2, 3], [3, 2], [3, 3]]


@pytest.mark.parametrize("what", ["a box to the right", "mirrored", "in reverse", "transposed"])
def test_few_stripes_disprove_boxes_elsewhere(what):
    size = (80, 96)
    boxes = WRONG[what](grid_boxes(5, 6, (0, 0, 96, 80)), size)
    pictures = [Image.fromarray(np.random.RandomState(1).randint(40, 216, (*SIZE, 3)).astype(np.uint8))]
    embed = answers(blurred(0.8))
    for right, count in ((True, FEW_STRIPES), (False, FEW_STRIPES), (False, STRIPES)):
        shown = grid_boxes(5, 6, (0, 0, 96, 80)) if right else np.ascontiguousarray(boxes)
        verdict = prove_spread(embed, pictures, embed(pictures), [TokenGeometry(shown, size)], count)
        assert bool(verdict.faults) != right, verdict
