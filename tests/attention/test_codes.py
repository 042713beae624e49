"""Image tokens that are discrete codes, and image tokens that stand before the prompt."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attention.measuring import array, measured_toy
from attention.zoo.zoo_build import build
from attention.zoo.zoo_regions import check_regions

from pixfound_tasks import Lens, record_attention
from pixfound_tasks.attention.geometry import TokenGeometry, grid_boxes
from pixfound_tasks.attention.measured.codes import CodeTokens, find_codes
from pixfound_tasks.attention.measured.errors import NoGradient
from pixfound_tasks.attention.measured.image_tokens import image_ids, image_mask, tokens_before
from pixfound_tasks.attention.measured.vision_part import VisionPart

SIZE = (100, 70)


def codes_of(name, sizes):
    toy = build(name)
    with torch.inference_mode(False):
        return find_codes(VisionPart(toy.model), lambda images: toy.inputs([list(images)], ["ab"]), sizes)


@pytest.mark.parametrize("name", ["chameleon", "emu3", "apertus1p5"])
def test_codes_are_where_changed_regions_say(name):
    found = measured_toy(name, [SIZE])
    verdict = check_regions(build(name), [found.geometries[0].boxes], [SIZE], is_convolved=True)
    assert found.reading is None and verdict.tried == 24 and not verdict.wrong, verdict


def test_the_cell_of_each_code_is_found_among_ends_of_rows():
    found = codes_of("emu3", [SIZE])
    rows, columns = 20, 14  # of 8 pixels in 160 x 112, the processor's size
    expected = np.full((rows, columns + 1), -1)
    expected[:, :-1] = np.arange(rows * columns).reshape(rows, columns)
    np.testing.assert_array_equal(found.cells, expected.ravel())


def test_the_cells_of_several_images_are_told_apart():
    found = codes_of("chameleon", [SIZE, (61, 150)])
    np.testing.assert_array_equal(found.cells, np.arange(2 * 256))


def test_boxes_of_cells_go_to_their_tokens_and_their_images():
    geometries = [
        TokenGeometry(grid_boxes(1, 2, (0, 0, 8, 4)), (4, 8)),
        TokenGeometry(grid_boxes(2, 1, (0, 0, 4, 8)), (8, 4)),
    ]
    reading, (first, second) = CodeTokens((7,), np.array([1, 0, -1, 3, 2, -1])).over(geometries)
    assert reading is None and first.size == (4, 8) and second.size == (8, 4)
    np.testing.assert_array_equal(first.boxes[:2], geometries[0].boxes[::-1])
    np.testing.assert_array_equal(second.boxes[:2], geometries[1].boxes[::-1])
    assert np.isnan(first.boxes[2]).all() and np.isnan(second.boxes[2]).all()


def test_tokens_without_a_gradient_that_are_no_codes_are_refused(monkeypatch):
    toy = build("aya_vision")
    tower = toy.model.model.vision_tower
    plain = tower.forward
    monkeypatch.setattr(tower, "forward", lambda pixel_values, **options: plain(pixel_values.detach(), **options))
    with pytest.raises(NoGradient, match="as if they were discrete, but they are not the codes of cells, one each"):
        measured_toy("aya_vision", [SIZE])


def test_image_tokens_before_the_prompt_are_counted():
    ids, before = torch.tensor([[5, 6]]), torch.zeros(5, 2)
    after = before.clone()
    after[:3] += 1
    known = image_ids(ids, before, after)
    assert known.tolist() == [-3] and tokens_before(known.tolist()) == 3 and tokens_before([5, 6]) == 0
    assert image_mask(ids, known).tolist() == [[True, True, True, False, False]]


@pytest.mark.parametrize("size", [(100, 70), (61, 150)])
def test_image_tokens_before_the_prompt_have_places(size):
    (geometry,) = measured_toy("git", [size]).geometries
    verdict = check_regions(build("git"), [geometry.boxes], [size], 12)
    assert verdict.tried == 12 and not verdict.wrong, verdict


def test_a_lens_reads_image_tokens_before_the_prompt():
    toy = build("git")
    lens, images = Lens(toy.model, toy.processor, reducer="mean"), [array(SIZE), array((61, 150), 1)]
    looks = lens.look_all(images, ["ab", "what is this"], max_new_tokens=3, min_new_tokens=3)
    for image, prompt, look in zip(images, ["ab", "what is this"], looks):
        alone = lens.look(image, prompt, max_new_tokens=3, min_new_tokens=3)
        np.testing.assert_allclose(look.rows, alone.rows, atol=1e-5)
        assert look.rows.shape == (3, 17) and np.isfinite(look.maps()).any()


def test_a_decoder_that_denoises_blocks_is_named():
    toy = build("diffusion_gemma")
    with (
        pytest.raises(ValueError, match=r"but layer 0 \(layers.0.self_attn, .*denoises blocks of 8 tokens"),
        record_attention(toy.model, torch.ones(1, 4, dtype=torch.bool)),
    ):
        pass
