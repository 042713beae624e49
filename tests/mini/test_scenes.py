from __future__ import annotations

import numpy as np
import pytest

from pixfound_tasks.mini.canvas import Canvas
from pixfound_tasks.mini.scenes import SIZES, Scene, draw, fits, overlap, sample_scene, sample_thing
from pixfound_tasks.mini.things import COLORS, KINDS, PARTS

SEEDS = range(12)


@pytest.fixture(params=SEEDS)
def scene(request):
    return sample_scene(np.random.RandomState(request.param))


def alone(kind, **properties):
    """A scene with one thing of radius 40 pixels in the middle, and its drawing."""
    thing = sample_thing(np.random.RandomState(0), "red", kind, 8 * 60, 8 * 60, 8 * 40)
    thing = thing._replace(tint=(0, 0, 0), shade=(0, 0), **properties)
    scene = Scene(120, 120, (thing,), "plain", 0, 1)
    return scene, draw(scene)


def test_scenes_fit_and_have_things_with_different_names(scene):
    assert fits(scene) and (scene.width, scene.height) in SIZES and 2 <= len(scene.things) <= 4
    drawing = draw(scene)
    assert drawing.image.shape == (scene.height, scene.width, 3) and drawing.image.dtype == np.uint8
    for index, thing in enumerate(scene.things):
        mask = drawing.mask(scene, (index,))
        assert mask.sum() >= 0.2 * (thing.radius / 8) ** 2, "at least a part of each thing is visible"
        rows, columns = np.nonzero(mask)
        assert np.abs(8 * columns - thing.cx).max() <= 1.05 * thing.radius + 8
        assert np.abs(8 * rows - thing.cy).max() <= 1.05 * thing.radius + 8


def test_masks_do_not_overlap_and_parts_belong_to_things(scene):
    drawing = draw(scene)
    masks = [drawing.mask(scene, (index,)) for index in range(len(scene.things))]
    assert np.sum(masks, axis=0).max() <= 1
    for index, thing in enumerate(scene.things):
        parts = [drawing.mask(scene, (index,), part) for part in PARTS[thing.kind]]
        assert np.sum(parts, axis=0).max() <= 1
        assert not (np.any(parts, axis=0) & ~masks[index]).any()


def test_what_is_in_front_covers_what_is_behind():
    seeds = (np.random.RandomState(seed) for seed in range(200))
    scene = next(s for s in map(sample_scene, seeds) if len(s.things) == 2 and overlap(*s.things))
    apart = [draw(scene._replace(things=(thing,))).mask(scene, (0,)) for thing in scene.things]
    both = draw(scene)
    np.testing.assert_array_equal(both.mask(scene, (1,)), apart[1])
    np.testing.assert_array_equal(both.mask(scene, (0,)), apart[0] & ~apart[1])


def test_areas_are_those_of_the_outlines():
    # In units of 1/64 of the radius, which is 40 pixels; 1 unit is 40 / 64 pixels.
    pixels = (40 / 64) ** 2
    scene, drawing = alone("sign", form=False)
    plate = drawing.mask(scene, (0,), "plate") | drawing.mask(scene, (0,), "letter")
    assert plate.sum() == pytest.approx(np.pi * 46 * 42 * pixels, rel=0.07)
    scene, drawing = alone("house", form=True, extra=False)
    triangle = 120 * 54 / 2
    assert drawing.mask(scene, (0,), "roof").sum() == pytest.approx(triangle * pixels, rel=0.07)
    scene, drawing = alone("lamp", state=False)
    assert drawing.mask(scene, (0,), "shade").sum() == pytest.approx((44 + 84) / 2 * 52 * pixels, rel=0.07)


@pytest.mark.parametrize("kind", KINDS)
def test_things_have_their_color_and_face_both_ways(kind):
    scene, drawing = alone(kind, faces_right=False, letter="T")
    color = np.median(drawing.image[drawing.mask(scene, (0,))], axis=0)
    nearest = min(COLORS, key=lambda name: abs(color - COLORS[name]).sum())
    assert kind in ("cup", "lamp", "house", "fish") or nearest == "red"
    mirrored, other = alone(kind, faces_right=True, letter="T")
    if kind == "sign":  # a T is its own mirror image
        np.testing.assert_array_equal(other.part, drawing.part)
    same = other.mask(mirrored, (0,))[:, ::-1] == drawing.mask(scene, (0,))
    assert same.mean() > 0.98


def test_letters_are_not_mirrored():
    scene, drawing = alone("sign", faces_right=False, letter="L")
    mirrored, other = alone("sign", faces_right=True, letter="L")
    both = [d.mask(s, (0,), "letter") for s, d in ((scene, drawing), (mirrored, other))]
    np.testing.assert_array_equal(*both)
    columns = np.nonzero(both[0])[1]
    assert np.median(columns) < (columns.min() + columns.max()) / 2, "the stem of an L is on its left"


def test_grounds_differ_and_stay_in_range():
    for ground in ("plain", "gradient", "horizon", "noise"):
        image = Canvas(64, 48, ground, np.random.RandomState(1)).finish(np.random.RandomState(2))
        assert image.shape == (48, 64, 3) and image.std() > 2
