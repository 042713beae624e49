"""Activations against the logits that the model itself gives for a whole sequence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attention.hosts import CHUNKS_ARE_WRONG
from attention.zoo.zoo_build import build

from pixfound_tasks.attention.activations import record_activations

STEPS = 5
WAYS = [{}, {"use_cache": False}, pytest.param({"prefill_chunk_size": 24}, marks=CHUNKS_ARE_WRONG)]


@pytest.fixture
def llava_inputs():
    """Two prompts, padded on the left: three blanks and one image, and two images."""
    torch.manual_seed(2)
    ids = torch.randint(5, 90, (2, 44))
    ids[0, 20:36] = ids[1, 2:18] = ids[1, 20:36] = 99
    ids[0, :3] = 0
    return {"input_ids": ids, "attention_mask": (ids != 0).long(), "pixel_values": torch.randn(3, 3, 56, 56)}


def generate(model, inputs, **options):
    length = {"max_new_tokens": STEPS, "min_new_tokens": STEPS, "pad_token_id": 0}
    with torch.inference_mode():
        return model.generate(**inputs, do_sample=False, **length, **options)


def own_logits(model, inputs, ids):
    """The model's own logits at every position of a whole sequence, float64 (batch, tokens, vocabulary)."""
    with torch.inference_mode():
        whole = {**inputs, "input_ids": ids, "attention_mask": (ids != 0).long()}
        return model(**whole).logits.double()


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_activations_are_the_models_logits_at_image_tokens(tiny_llava, llava_inputs, options):
    image_tokens = llava_inputs["input_ids"] == 99
    plain = generate(tiny_llava, llava_inputs)
    with record_activations(tiny_llava, image_tokens) as record:
        ids = generate(tiny_llava, llava_inputs, **options)
    assert torch.equal(ids, plain)

    logits = own_logits(tiny_llava, llava_inputs, ids)
    for sample, count in enumerate([16, 32]):
        answer = ids[sample, 44:].tolist()
        values = record.values(sample, answer)
        assert (values.dtype, values.shape) == (np.float32, (STEPS, count))
        expected = logits[sample, :44][image_tokens[sample]][:, answer].T
        np.testing.assert_allclose(values, expected, atol=1e-5)


def looped_interference(logits, ids, image_tokens, prompt):
    """As in the paper, one token and one token of its context after the other, from logits (tokens, vocabulary)."""
    last = int(image_tokens.nonzero().max())
    context = [(position, ids[position]) for position in range(last + 1, prompt - 1)]
    rows = []
    for at in range(prompt, len(ids)):
        token, total, weights = ids[at], 0, 0
        for position, other in context:
            if other != token:
                weight = max(logits[position, token].item(), 0)
                total = total + weight * logits[:prompt][image_tokens][:, other].clamp(min=0)
                weights += weight
        rows.append(total / (weights + 1e-8))
        context.append((at - 1, token))  # predicted by the token before it
    return torch.stack(rows)


def test_interference_is_the_relevant_contexts(tiny_llava, llava_inputs):
    image_tokens = llava_inputs["input_ids"] == 99
    torch.manual_seed(4)
    answer = torch.randint(5, 90, (2, STEPS))
    answer[:, 2] = llava_inputs["input_ids"][:, 40]
    answer[:, 4] = answer[:, 1]
    ids = torch.cat([llava_inputs["input_ids"], answer], dim=1)
    logits = own_logits(tiny_llava, llava_inputs, ids)
    with record_activations(tiny_llava, image_tokens) as record:
        own_logits(tiny_llava, llava_inputs, ids)
    for sample in range(2):
        expected = looped_interference(logits[sample], ids[sample].tolist(), image_tokens[sample], 44)
        got = record.interference(sample, answer[sample].tolist(), ids[sample, :44].tolist())
        assert (got.dtype, got.shape) == (np.float32, tuple(expected.shape))
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_an_image_at_the_end_of_the_prompt_leaves_no_context(tiny_llava, llava_inputs):
    inputs = {key: values[:, :36] for key, values in llava_inputs.items() if key != "pixel_values"}
    inputs["pixel_values"] = llava_inputs["pixel_values"]
    image_tokens = inputs["input_ids"] == 99
    with record_activations(tiny_llava, image_tokens) as record:
        ids = generate(tiny_llava, inputs)
    logits = own_logits(tiny_llava, inputs, ids)
    for sample in range(2):
        prompt, answer = ids[sample, :36].tolist(), ids[sample, 36:].tolist()
        got = record.interference(sample, answer, prompt)
        assert not got[0].any()
        weight = logits[sample, 35, answer[1]].clamp(min=0)  # of the first token alone, in the second's context
        expected = logits[sample, :36][image_tokens[sample]][:, answer[0]].clamp(min=0) * (weight > 0)
        np.testing.assert_allclose(got[1], expected * (answer[0] != answer[1]), atol=1e-5)


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_given_answer_activates_as_the_generated_one(tiny_llava, llava_inputs, options):
    image_tokens = llava_inputs["input_ids"] == 99
    with record_activations(tiny_llava, image_tokens) as generated:
        ids = generate(tiny_llava, llava_inputs, **options)
    with record_activations(tiny_llava, image_tokens) as given:
        own_logits(tiny_llava, llava_inputs, ids)
    for sample in range(2):
        arguments = (sample, ids[sample, 44:].tolist(), ids[sample, :44].tolist())
        np.testing.assert_allclose(given.values(*arguments[:2]), generated.values(*arguments[:2]), atol=1e-5)
        np.testing.assert_allclose(given.interference(*arguments), generated.interference(*arguments), atol=1e-5)


def test_a_bias_of_the_head_counts(tiny_llava, llava_inputs):
    head = tiny_llava.lm_head
    head.bias = torch.nn.Parameter(torch.arange(100.0))
    with record_activations(tiny_llava, llava_inputs["input_ids"] == 99) as record:
        generate(tiny_llava, llava_inputs)
    with_bias = record.values(0, [3, 50])
    head.bias = None
    np.testing.assert_allclose(with_bias - record.values(0, [3, 50]), np.full((2, 16), [[3], [50]]), atol=1e-5)


def test_the_hook_is_removed(tiny_llava, llava_inputs):
    decoder = tiny_llava.get_decoder()
    with pytest.raises(ZeroDivisionError), record_activations(tiny_llava, llava_inputs["input_ids"] == 99):
        assert len(decoder._forward_hooks) == 1
        raise ZeroDivisionError
    assert not decoder._forward_hooks


def test_what_cannot_be_recorded_is_refused(tiny_llava, llava_inputs):
    image_tokens = llava_inputs["input_ids"] == 99
    for wrong in (image_tokens.int(), image_tokens[0], torch.zeros_like(image_tokens)):
        with pytest.raises(ValueError, match="expected image_tokens as bool"), record_activations(tiny_llava, wrong):
            pass
    with record_activations(tiny_llava, image_tokens) as record:
        with pytest.raises(RuntimeError, match="nothing was recorded"):
            record.values(0, [5])
        ids = generate(tiny_llava, llava_inputs)[0].tolist()
        with pytest.raises(ValueError, match="second calls are not recorded"):
            generate(tiny_llava, llava_inputs)
    for token_ids, prompt_ids in [([*ids[44:], 5], ids[:44]), (ids[44:], ids[:30])]:
        with pytest.raises(ValueError, match="expected the 36 or more tokens of the prompt"):
            record.interference(0, token_ids, prompt_ids)
    with record_activations(tiny_llava, image_tokens), pytest.raises(ValueError, match="beam search"):
        generate(tiny_llava, llava_inputs, num_beams=2)


@pytest.mark.parametrize("name", ["mllama", "idefics", "florence2", "blip-2 with t5"])
def test_cross_attention_is_refused(name):
    with (
        pytest.raises(ValueError, match="reducer 'tam' needs image tokens in the prompt"),
        record_activations(build(name).model, torch.ones(1, 4, dtype=torch.bool)),
    ):
        pass
