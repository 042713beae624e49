from __future__ import annotations

import numpy as np
import pytest

from pixfound_tasks.mini.first.pairs import sample_pair
from pixfound_tasks.mini.first.questions import ASKERS
from pixfound_tasks.mini.first.scenes import COLORS, SHAPES, SIZE, Scene, draw, sample_scene, sample_shape


@pytest.mark.parametrize("seed", range(20))
def test_masks_are_where_the_shapes_are(seed):
    scene = sample_scene(np.random.RandomState(seed))
    drawing = draw(scene)
    assert drawing.image.shape == (SIZE, SIZE, 3) and drawing.masks.shape == (len(scene.shapes), SIZE, SIZE)
    assert drawing.masks.sum(axis=0).max() <= 1, "shapes do not overlap"
    for shape, mask in zip(scene.shapes, drawing.masks):
        rows, columns = np.nonzero(mask)
        assert abs(rows.mean() - shape.cy) < 0.3 * shape.radius and abs(columns.mean() - shape.cx) < 0.2 * shape.radius
        color = np.median(drawing.image[mask], axis=0)
        nearest = min(COLORS, key=lambda name: abs(color - COLORS[name]).sum())
        assert nearest == shape.color


def test_areas_are_those_of_the_figures():
    # In units of the radius squared: pi, 1.76 squared, base 2 by height 1.8, and two 2 x 0.72 bars less their middle.
    expected = {"circle": np.pi, "square": 1.76**2, "triangle": 1.8, "cross": 2 * 2 * 0.72 - 0.72**2}
    for kind, area in expected.items():
        shape = sample_shape(np.random.RandomState(0), "red", kind, (1, 1), "large")
        (mask,) = draw(Scene((shape,), 200, 1)).masks
        assert mask.sum() == pytest.approx(area * shape.radius**2, rel=0.05)


@pytest.mark.parametrize("kind", ASKERS)
def test_pairs_have_one_question_and_opposite_answers(kind):
    rng = np.random.RandomState(3)
    for _ in range(10):
        pair = sample_pair(rng, kind)
        first, second = pair.questions
        assert (first.text, first.options) == (second.text, second.options)
        assert {first.right, second.right} == {0, 1}
        absent = [not targets for targets in pair.targets]
        assert absent.count(True) == (kind == "presence")
        assert pair.scenes[0] != pair.scenes[1]
        assert any(kind in pair.expression for kind in SHAPES)
