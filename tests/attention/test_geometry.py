"""Token boxes against the real processors: a bright spot must arrive in the token whose box holds it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from attention.families import build_family
from PIL import Image
from transformers import CLIPImageProcessor
from transformers.models.llava.image_processing_llava import LlavaImageProcessor

from pixfound_tasks.attention import GEOMETRIES, TokenGeometry, grid_boxes, token_geometry

PATCH = 14
SIZES = [(112, 112), (60, 200), (200, 60), (333, 217), (40, 40), (97, 98)]
PROCESSORS = {
    "shortest edge and centre crop": CLIPImageProcessor(
        size={"shortest_edge": 112}, crop_size={"height": 112, "width": 112}
    ),
    "padded to a square": LlavaImageProcessor(
        do_pad=True, size={"height": 112, "width": 112}, crop_size={"height": 112, "width": 112}
    ),
    "squeezed": CLIPImageProcessor(size={"height": 112, "width": 112}, do_center_crop=False),
    "cropped without resizing": CLIPImageProcessor(do_resize=False, crop_size={"height": 84, "width": 112}),
}


def config(strategy="default", family="llava"):
    vision = SimpleNamespace(patch_size=PATCH, model_type="clip_vision_model")
    return SimpleNamespace(model_type=family, vision_config=vision, vision_feature_select_strategy=strategy)


def brightest_patch(processor, size, box):
    """The patch, counted in rows from the top left, that an otherwise black image's white box lights up most."""
    image = np.zeros((*size, 3), np.uint8)
    x0, y0, x1, y1 = box
    image[y0:y1, x0:x1] = 255
    pixels = processor(Image.fromarray(image), return_tensors="np", image_mean=[0.0] * 3, image_std=[1.0] * 3)
    pixels = np.asarray(pixels["pixel_values"][0]).mean(axis=0)
    rows, columns = pixels.shape[0] // PATCH, pixels.shape[1] // PATCH
    light = pixels.reshape(rows, PATCH, columns, PATCH).mean(axis=(1, 3))
    return int(light.argmax()), rows * columns


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("size", SIZES)
def test_a_bright_spot_arrives_in_its_token(name, size):
    processor = PROCESSORS[name]
    _, count = brightest_patch(processor, size, (0, 0, 1, 1))
    boxes = token_geometry(config(), processor, size, count).boxes
    height, width = size
    tried = 0
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        inner = (int(np.ceil(x0)), int(np.ceil(y0)), int(x1), int(y1))
        if inner[0] < 0 or inner[1] < 0 or inner[2] > width or inner[3] > height:
            continue  # it reaches into the padding
        if inner[2] - inner[0] < 3 or inner[3] - inner[1] < 3:
            continue  # too small a spot to survive the resampling
        assert brightest_patch(processor, size, inner)[0] == index
        tried += 1
    assert tried >= 4


def test_the_class_token_stands_for_no_place():
    boxes = token_geometry(config("full"), PROCESSORS["squeezed"], (112, 112), 65).boxes
    assert np.isnan(boxes[0]).all()
    np.testing.assert_allclose(boxes[1], [0, 0, 14, 14])


def test_padding_lies_outside_the_image():
    # A 60 x 200 image stands in the middle of a 200 x 200 square: the first row of tokens is padding, 70 pixels above.
    boxes = token_geometry(config(), PROCESSORS["padded to a square"], (60, 200), 64).boxes
    np.testing.assert_allclose(boxes[0], [0, -70, 25, -45])


def test_an_unknown_family_is_an_error_that_says_how_to_add_it():
    with pytest.raises(
        ValueError,
        match=r"families \[.*'llava'.*\], but got 'kosmos': register its rule, GEOMETRIES\['kosmos'\] = my_geometry",
    ):
        token_geometry(config(family="kosmos"), PROCESSORS["squeezed"], (112, 112), 64)


@pytest.mark.parametrize("name", ["pixtral", "mistral3"])
@pytest.mark.parametrize("size", [(7, 1000), (5000, 40)])
def test_an_image_too_thin_for_its_processor_is_an_error(name, size):
    family = build_family(name)
    with pytest.raises(ValueError):
        family.processor(images=[[Image.new("RGB", size[::-1])]], text=[family.placeholder], return_tensors="pt")
    with pytest.raises(ValueError, match=r"within \(height, width\) \(112, 112\), but .* is too thin"):
        token_geometry(family.model.config, family.processor, size)


def test_a_count_that_does_not_match_is_an_error():
    with pytest.raises(ValueError, match="expected 64 image tokens of 'llava' .* but the prompt holds 63"):
        token_geometry(config(), PROCESSORS["squeezed"], (112, 112), 63)


def grid(rows, columns, size, region):
    """A grid of tokens over a region (x0, y0, x1, y1) of an image."""
    x = np.linspace(region[0], region[2], columns + 1)
    y = np.linspace(region[1], region[3], rows + 1)
    boxes = np.stack([*np.meshgrid(x[:-1], y[:-1]), *np.meshgrid(x[1:], y[1:])], axis=-1).reshape(-1, 4)
    return TokenGeometry(boxes, size)


def test_nearest_painting_fills_each_box_with_its_value():
    values = np.arange(6, dtype=np.float32)
    painted = grid(2, 3, (20, 30), (0, 0, 30, 20)).paint(values, "nearest")
    np.testing.assert_array_equal(painted, np.kron(values.reshape(2, 3), np.ones((10, 10))))


def test_bicubic_painting_keeps_values_at_the_middle_of_boxes():
    # Boxes of odd width have a pixel in their middle, where interpolation must give the token's own value.
    values = np.random.RandomState(0).rand(12).astype(np.float32)
    painted = grid(3, 4, (15, 20), (0, 0, 20, 15)).paint(values)
    np.testing.assert_allclose(painted[2::5, 2::5], values.reshape(3, 4), atol=1e-5)


def test_what_no_token_sees_is_nan():
    painted = grid(2, 2, (10, 20), (5, 0, 15, 10)).paint(np.ones(4, np.float32))
    assert np.isnan(painted[:, :5]).all() and np.isnan(painted[:, 15:]).all()
    np.testing.assert_allclose(painted[:, 5:15], 1, atol=1e-5)


def test_values_must_fit_the_tokens():
    with pytest.raises(ValueError, match=r"one value for each of 4 image tokens, but got \(5,\)"):
        grid(2, 2, (10, 10), (0, 0, 10, 10)).paint(np.ones(5, np.float32))


def test_gaps_between_tiles_are_bridged_and_larger_ones_are_not():
    # Two tiles of 10 pixels, of which 3 patches of 3 see 9: boxes start at 0 3 6, 10 13 16.
    tiles = np.concatenate([grid_boxes(3, 3, (left, 0, left + 9, 9)) for left in (0, 10)])
    values = (tiles[:, 0] + 1.5).astype(np.float32)  # the middle of each box
    geometry = TokenGeometry(tiles, (9, 19))
    assert geometry.finest_grid().tolist() == [[0, 1, 2, 9, 10, 11], [3, 4, 5, 12, 13, 14], [6, 7, 8, 15, 16, 17]]
    np.testing.assert_allclose(
        geometry.paint(values)[4, [1, 4, 7, 11, 14, 17]], [1.5, 4.5, 7.5, 11.5, 14.5, 17.5], atol=0.7
    )
    apart = TokenGeometry(np.concatenate([tiles[:9], tiles[9:] + np.array([20, 0, 20, 0])]), (9, 40))
    painted = apart.paint(np.ones(18, np.float32))
    assert np.isnan(painted[:, 9:30]).all() and (painted[:, :9] == 1).all() and (painted[:, 30:39] == 1).all()
    with pytest.raises(ValueError, match="to form a grid, but they do not"):
        apart.finest_grid()


def test_tiles_are_painted_over_the_thumbnail():
    thumbnail, tile = grid_boxes(1, 1, (0, 0, 20, 10)), grid_boxes(2, 2, (0, 0, 10, 10))
    painted = TokenGeometry(np.concatenate([tile, thumbnail]), (10, 20)).paint(
        np.array([1, 1, 1, 1, 5], np.float32), "nearest"
    )
    assert (painted[:, :10] == 1).all() and (painted[:, 10:] == 5).all()


def test_a_users_family_takes_five_lines():
    def my_geometry(config, settings, size):
        height, width = size
        return grid_boxes(settings.rows, 3, (0, 0, width, height))

    GEOMETRIES["my_model"] = my_geometry
    try:
        processor = SimpleNamespace(rows=1, image_processor=SimpleNamespace(rows=2))
        geometry = token_geometry(config(family="my_model"), processor, (20, 30), 6)
        np.testing.assert_allclose(geometry.boxes[4], [10, 10, 20, 20])
        assert (
            len(token_geometry(config(family="my_model"), processor, (20, 30), images_kwargs={"rows": 4}).boxes) == 12
        )
    finally:
        del GEOMETRIES["my_model"]
