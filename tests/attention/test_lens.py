"""Looking through models of every family, in batches, at given answers, by every reducer."""

from __future__ import annotations

import numpy as np
import pytest
from attention.families import FAMILIES, build_family
from attention.hosts import skip_if_broken
from attention.test_exactness import PROMPTS, sample_images

from pixfound_tasks import Lens
from pixfound_tasks.attention import REDUCERS
from pixfound_tasks.attention.inputs import token_spans
from pixfound_tasks.mini.calibration import calibration_scenes


def test_a_look_is_consistent(mini_lens, scene_image):
    look = mini_lens.look(scene_image, "Describe the scene.")
    assert look.text.startswith("The ") and look.text.endswith(".")
    assert "".join(look.tokens) == look.text and len(look.tokens) == len(look.token_chars)
    assert look.rows.shape == (len(look.token_chars), 100)
    assert (look.rows > 0).all() and (look.rows.sum(axis=1) < 1).all()


def test_a_batch_gives_what_its_samples_give_alone(mini_lens, scene_image):
    prompts = ["Describe the scene.", "What is at the top of the image?", "Identify the red car in the scene."]
    together = mini_lens.look_all([scene_image] * 3, prompts)
    for prompt, look in zip(prompts, together):
        alone = mini_lens.look(scene_image, prompt)
        assert look.text == alone.text
        np.testing.assert_allclose(look.rows, alone.rows, atol=1e-5)


def test_answers_alone_are_those_of_looks(mini_lens, scene_image):
    prompts = ["Describe the scene.", "What is at the top of the image?"]
    answers = mini_lens.answer_all([scene_image] * 2, prompts)
    looks = mini_lens.look_all([scene_image] * 2, prompts)
    assert answers == [(look.text, len(look.token_chars)) for look in looks]


class Bytewise:
    """A tokenizer of single bytes, of which a letter beyond ASCII takes two."""

    def decode(self, ids, skip_special_tokens):
        return bytes(ids).decode("utf-8", errors="replace")


def test_spans_of_tokens_smaller_than_a_character():
    ids = list(" caf\u00e9 ".encode())
    text, spans = token_spans(Bytewise(), ids)
    assert text == "caf\u00e9"
    # The blank in front is stripped, the first byte of the last letter adds nothing, its second adds the letter.
    assert spans == ((0, 0), (0, 1), (1, 2), (2, 3), (3, 3), (3, 4), (4, 4))


def lens_of(name, **options):
    skip_if_broken(name)
    family = build_family(name)
    return Lens(family.model, family.processor, images_kwargs=family.images_kwargs, **options)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_looked_through_in_mixed_batches(name):
    lens = lens_of(name)
    looks = lens.look_all(sample_images(), PROMPTS, max_new_tokens=3, min_new_tokens=3)
    for image, prompt, look in zip(sample_images(), PROMPTS, looks):
        count = len(look.token_chars)
        assert count and look.rows.shape == (count, len(look.geometry.boxes))
        assert look.maps().shape == (count, image.height, image.width)
        alone = lens.look(image, prompt, max_new_tokens=3, min_new_tokens=3)
        assert alone.text == look.text
        np.testing.assert_allclose(look.rows, alone.rows, atol=1e-5)
        np.testing.assert_allclose(look.maps(), alone.maps(), atol=1e-5)


ANSWERS = ["a cat", "it", "on the left", "no"]


@pytest.mark.parametrize("query", ["predict", "consume"])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_given_answer_is_read_as_if_it_were_generated(name, query):
    lens = lens_of(name, reducer="mean", query=query)
    read = lens.look_all(sample_images(), PROMPTS, ANSWERS)
    for image, prompt, answer, look in zip(sample_images(), PROMPTS, ANSWERS, read):
        ids = lens.processor.tokenizer(answer, add_special_tokens=False).input_ids
        # The same answer, generated under constraint.
        given = iter(ids)
        options = {"max_new_tokens": len(ids), "prefix_allowed_tokens_fn": lambda *_, given=given: [next(given)]}
        generated = lens.look(image, prompt, **options)
        assert look.text == generated.text == answer
        last = -1 if query == "consume" else None  # a generation never consumes its last token
        assert not np.isnan(look.rows).any()
        np.testing.assert_allclose(look.rows[:last], generated.rows[:last], atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_several_images_of_a_prompt_have_a_geometry_each(name):
    lens = lens_of(name)
    small, wide, tall, _ = sample_images()
    one, two = lens.look_all([wide, [small, tall]], ["ab", "a"], ["left", "the first"])
    alone = lens.look([small, tall], "a", "the first")
    assert len(one.geometries) == 1 and [g.size for g in two.geometries] == [(56, 56), (100, 44)]
    assert two.rows.shape[1] == sum(len(geometry.boxes) for geometry in two.geometries)
    assert two.maps(image=1).shape == (9, 100, 44)
    np.testing.assert_allclose(two.rows, alone.rows, atol=1e-5)


@pytest.mark.parametrize("reducer", REDUCERS)
def test_every_reducer_gives_a_value_per_token_in_batches_as_alone(mini_lens, scene_image, reducer):
    lens = Lens(mini_lens.model, mini_lens.processor, reducer)
    if reducer == "heads":
        with pytest.raises(ValueError, match="expected chosen heads for reducer='heads'"):
            lens.look(scene_image, "Describe the scene.")
        lens = lens.calibrate(*calibration_scenes(6), count=2)
        assert len(lens.heads) == 2
    prompts = ["Describe the scene.", "Identify the red car in the scene."]
    together = lens.look_all([scene_image] * 2, prompts)
    for prompt, look in zip(prompts, together):
        alone = lens.look(scene_image, prompt)
        assert look.values.shape == look.rows.shape and np.isfinite(look.values).all()
        np.testing.assert_allclose(look.values, alone.values, atol=1e-4)
    assert look.settings["reducer"] == reducer and look.settings["prompt"] == prompts[1]


def test_a_model_that_crosses_has_no_activations():
    with pytest.raises(ValueError, match="reducer 'tam' needs image tokens in the prompt"):
        lens_of("mllama", reducer="tam").look(sample_images()[0], "a", "b")


@pytest.mark.parametrize("reducer", sorted(set(REDUCERS) - {"heads"}))
def test_an_empty_answer_is_an_empty_look(mini_lens, scene_image, reducer):
    end = mini_lens.model.generation_config.eos_token_id
    lens = Lens(mini_lens.model, mini_lens.processor, reducer)
    look = lens.look(scene_image, "Describe the scene.", prefix_allowed_tokens_fn=lambda *_: [end])
    assert look.text == "" and look.token_chars == () and look.values.shape == (0, 100)
    assert look.maps().shape == (0, 160, 120) and look.peak((0, 0)) is None


def test_an_unknown_family_is_told_before_anything_runs(scene_image, monkeypatch):
    lens = lens_of("qwen2_vl")
    monkeypatch.setattr(lens.model, "generate", None)
    monkeypatch.setattr(type(lens.model.config), "model_type", "kosmos")
    with pytest.raises(ValueError, match="but got 'kosmos': register its rule"):
        lens.look(scene_image, "a")


def test_the_calls_own_end_tokens_end_the_answer(mini_lens, scene_image):
    look = mini_lens.look(scene_image, "Describe the scene.")
    stop = mini_lens.processor.tokenizer("is facing", add_special_tokens=False).input_ids[-1]
    options = {"eos_token_id": stop, "return_dict_in_generate": True}
    assert mini_lens.look(scene_image, "Describe the scene.", **options).text == look.text.split(" facing")[0]


def test_a_given_answer_costs_no_logits_of_the_prompt(mini_lens, scene_image):
    shapes = []
    head = mini_lens.model.get_output_embeddings()
    hook = head.register_forward_hook(lambda _, args, output: shapes.append(output.shape[1]))
    mini_lens.look(scene_image, "Describe the scene.", "It shows a car.")
    hook.remove()
    assert shapes == [1]


def test_wrong_lenses_are_refused_at_once(mini_lens, scene_image):
    model, processor = mini_lens.model, mini_lens.processor
    with pytest.raises(ValueError, match="did you mean 'mean_centered'"):
        Lens(model, processor, "mean_centred")
    with pytest.raises(ValueError, match="expected layers as 'all', 'last'"):
        Lens(model, processor, layers="7")
    for answer in ("", "a <image> b"):
        with pytest.raises(ValueError, match="expected answers of at least one token, none an image token"):
            mini_lens.look(scene_image, "Describe the scene.", answer)
    for images, prompts, answers in (([scene_image], ["a", "b"], None), ([], [], None), ([scene_image], ["a"], [])):
        with pytest.raises(ValueError, match="expected as many images as prompts"):
            mini_lens.look_all(images, prompts, answers)
