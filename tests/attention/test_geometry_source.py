"""Registered, measured and automatic geometry of a lens: checks, errors, and what is kept."""

from __future__ import annotations

import numpy as np
import pytest
from attention.families import build_family
from attention.measuring import array, assert_alike
from attention.zoo.zoo_build import build
from PIL import Image

from pixfound_tasks import Lens, mini
from pixfound_tasks.attention import GEOMETRIES, geometry_source, grid_boxes
from pixfound_tasks.attention.families.registry import token_geometries


def lens_of(name, **options):
    family = build_family(name)
    return Lens(family.model, family.processor, images_kwargs=family.images_kwargs, **options)


@pytest.fixture
def wrong_rule():
    """LLaVA's boxes in the order of columns."""
    right = GEOMETRIES["llava"]
    GEOMETRIES["llava"] = lambda *given: right(*given).reshape(4, 4, 4).transpose(1, 0, 2).reshape(16, 4)
    yield
    GEOMETRIES["llava"] = right


def test_a_wrong_rule_is_an_error_that_says_what_to_do(wrong_rule):
    message = r"rule of 'llava' to fit .* differ from measured ones by up to 42\.\d px \(30\d% .* use geometry=measured"
    lens = lens_of("llava")
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            lens.look(array((56, 56)), "a", "left")


def test_measured_geometry_needs_no_rule(wrong_rule):
    look = lens_of("llava", geometry="measured").look(array((56, 56)), "a", "left")
    np.testing.assert_allclose(look.geometry.boxes, grid_boxes(4, 4, (0, 0, 56, 56)), atol=0.1)
    unchecked = lens_of("llava", geometry="registered").look(array((56, 56)), "a", "left")
    np.testing.assert_array_equal(unchecked.rows, look.rows)
    np.testing.assert_allclose(unchecked.geometry.boxes[1], [0, 14, 14, 28], atol=1e-6)


def test_options_of_a_call_that_the_model_does_not_know_of_are_an_error():
    family = build_family("llava_next")
    lens = Lens(family.model, family.processor, images_kwargs={"image_grid_pinpoints": [[112, 112]]})
    with pytest.raises(ValueError, match="expected image_grid_pinpoints of the processor as in the model's config"):
        lens.look(array((150, 311)), "a", "left")


def test_the_check_changes_no_result_and_is_made_once(monkeypatch):
    proved = []
    prove = geometry_source.prove_geometries
    monkeypatch.setattr(geometry_source, "prove_geometries", lambda *a, **o: proved.append(1) or prove(*a, **o))
    lens, image = lens_of("qwen2_vl"), array((56, 84))
    first, second = lens.look(image, "ab", max_new_tokens=3), lens.look(image, "ab", max_new_tokens=3)
    plain = lens_of("qwen2_vl", geometry="registered").look(image, "ab", max_new_tokens=3)
    assert len(proved) == 1 and first.text == second.text == plain.text
    np.testing.assert_array_equal(first.rows, plain.rows)
    np.testing.assert_array_equal(first.geometry.boxes, plain.geometry.boxes)


@pytest.mark.parametrize("name", ["cohere2_vision", "molmo2", "phi4_multimodal"])
def test_a_family_without_a_rule_works(name):
    toy = build(name)
    assert toy.model.config.model_type not in GEOMETRIES
    lens, images = Lens(toy.model, toy.processor, images_kwargs=toy.options), [array((61, 83)), array((133, 90), 1)]
    looks = lens.look_all(images, ["what", "a"], max_new_tokens=3, min_new_tokens=3)
    assert lens.geometry_used == "measured"
    for image, prompt, look in zip(images, ["what", "a"], looks):
        alone = lens.look(image, prompt, max_new_tokens=3, min_new_tokens=3)
        assert look.text == alone.text and np.isfinite(look.maps()).mean() > 0.9
        np.testing.assert_allclose(look.rows, alone.rows, atol=1e-5)
    two = lens.look(images, "ab", "left")
    assert [geometry.size for geometry in two.geometries] == [(61, 83), (133, 90)]


def test_a_family_without_a_rule_is_refused_if_only_rules_are_wanted():
    toy = build("cohere2_vision")
    lens = Lens(toy.model, toy.processor, geometry="registered")
    with pytest.raises(ValueError, match="but got 'cohere2_vision'"):
        lens.look(array((61, 83)), "a", "left")
    with pytest.raises(ValueError, match="geometry"):
        Lens(toy.model, toy.processor, geometry="guessed")


def test_tokens_without_any_place_are_refused(monkeypatch):
    monkeypatch.setitem(GEOMETRIES.data, "llava", lambda config, settings, size: np.full((16, 4), np.nan))
    with pytest.raises(ValueError, match="stand for places in the image, but none of the 16 does"):
        lens_of("llava", geometry="registered").look(array((56, 56)), "a", "left")


def test_what_was_measured_is_kept_by_model_and_size(mini_lens, tmp_path, monkeypatch):
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path))
    model, processor = mini_lens.model, mini_lens.processor
    assert model.config.name_or_path == str(mini.weights_folder())
    first = Lens(model, processor, geometry="measured").find_geometry([(60, 90)])
    with monkeypatch.context() as context:
        context.setattr(geometry_source, "measure", None)
        again = Lens(model, processor, geometry="measured").find_geometry([(60, 90)])
        with pytest.raises(TypeError):
            Lens(model, processor, geometry="measured").find_geometry([(90, 60)])
        with pytest.raises(TypeError):
            other = {"do_center_crop": False, "size": {"height": 128, "width": 128}}
            Lens(model, processor, geometry="measured", images_kwargs=other).find_geometry([(60, 90)])
    assert again.ids == first.ids == (model.config.image_token_id,)
    np.testing.assert_array_equal(again.geometries[0].boxes, first.geometries[0].boxes)
    assert_alike(first.geometries, token_geometries(model.config, processor, [(60, 90)]))
    for kept in tmp_path.rglob("*.npz"):
        kept.write_bytes(b"cut short")
    assert Lens(model, processor, geometry="measured").find_geometry([(60, 90)]).how == first.how


def modes():
    """One picture in several modes, which all look the same."""
    gray = np.random.RandomState(0).randint(0, 255, (40, 72)).astype(np.uint8)
    rgb = Image.fromarray(gray).convert("RGB")
    turned = rgb.transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[0x0112] = 6  # to be rotated by 270 degrees
    return {
        "RGBA": rgb.convert("RGBA"), "L": Image.fromarray(gray), "P": Image.fromarray(gray).convert("P"),
        "I;16": Image.fromarray(gray.astype(np.uint16) << 8), "EXIF": turned,
    }, rgb  # fmt: skip


@pytest.mark.parametrize("mode", modes()[0])
def test_images_of_any_mode_have_the_boxes_of_the_rgb_image(mini_lens, mode):
    images, rgb = modes()
    lens = Lens(mini_lens.model, mini_lens.processor, geometry="measured")
    own, plain = (lens.look(image, "Describe the scene.", "A star.") for image in (images[mode], rgb))
    assert own.geometry.size == (40, 72)
    np.testing.assert_array_equal(own.geometry.boxes, plain.geometry.boxes)
    np.testing.assert_allclose(own.rows, plain.rows, atol=1e-6)
    assert_alike(own.geometries, token_geometries(lens.model.config, lens.processor, [(40, 72)]))


def test_a_thin_image_has_no_finer_boxes_than_the_pixels_in_between():
    family = build_family("idefics3")
    # 40 x 5000 becomes 1 x 112 in between: every token sees the whole height. Two tiles of 2 x 2 tokens, then all.
    boxes = token_geometries(family.model.config, family.processor, [(40, 5000)])[0].boxes
    assert len(boxes) == 12 and (boxes[:, 1] == 0).all() and (boxes[:, 3] == 40).all()
    np.testing.assert_allclose(boxes[[0, 1, 4, 8], 0], [0, 1250, 2500, 0])
