"""Every family: what is recorded equals `output_attentions=True` with eager attention, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attention.families import FAMILIES, build_family
from attention.hosts import skip_if_broken
from PIL import Image

from pixfound_tasks import record_attention

STEPS = 4
SIZES = [(56, 56), (40, 100), (100, 44), (133, 201)]  # (height, width), one per sample
PROMPTS = ["ab", "what is this", "a", "where is the cat"]
families = pytest.mark.parametrize("name", FAMILIES)


def sample_images():
    rng = np.random.RandomState(3)
    return [Image.fromarray(rng.randint(0, 255, (*size, 3)).astype(np.uint8)) for size in SIZES]


def make_inputs(family, samples=(0, 1, 2, 3)):
    """Inputs of some of the four samples, padded on the left."""
    images, texts = [[sample_images()[i]] for i in samples], [family.placeholder + PROMPTS[i] for i in samples]
    options = {"padding": True, "padding_side": "left", "return_tensors": "pt", **family.images_kwargs}
    inputs = family.processor(images=images, text=texts, **options)
    inputs.pop("labels", None)
    return inputs, inputs["input_ids"] == family.model.config.image_token_id


def generate(model, inputs, **options):
    length = {"max_new_tokens": STEPS, "min_new_tokens": STEPS}
    with torch.inference_mode():
        return model.generate(**inputs, do_sample=False, **length, **options)


def eager_rows(model, inputs, image_tokens):
    """Ids, and per sample (steps, layers, heads, image tokens) of the last query of every step."""
    model.set_attn_implementation("eager")
    output = generate(model, inputs, output_attentions=True, return_dict_in_generate=True)
    crossing = getattr(model.config.get_text_config(), "cross_attention_layers", None)
    samples = []
    for sample, columns in enumerate(image_tokens):
        rows = []
        for step, layers in enumerate(output.attentions):
            layers = [layers[index] for index in crossing] if crossing else layers
            last = [layer[sample, :, -1] for layer in layers]
            if not crossing:
                # A sliding cache has forgotten the first keys; nothing is attended to there.
                end = len(columns) + step
                last = [torch.cat([row.new_zeros(len(row), end - row.shape[1]), row], dim=1) for row in last]
                last = [row[:, : len(columns)][:, columns] for row in last]
            rows.append(torch.stack(last))
        samples.append(torch.stack(rows))
    return output.sequences, samples


@families
@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
def test_rows_equal_eager_attentions(name, kernel):
    skip_if_broken(name)
    family = build_family(name)
    inputs, image_tokens = make_inputs(family)
    family.model.set_attn_implementation(kernel)
    plain = generate(family.model, inputs)
    with record_attention(family.model, image_tokens, reduce=None) as record:
        recorded = generate(family.model, inputs)
    ids, expected = eager_rows(family.model, inputs, image_tokens)
    family.model.set_attn_implementation("sdpa")

    assert torch.equal(recorded, plain)
    assert torch.equal(recorded, ids)
    for rows, reference in zip(record.rows(), expected):
        count = reference.shape[-1]
        torch.testing.assert_close(rows[..., :count], reference, atol=1e-5, rtol=0)
        assert rows[..., count:].isnan().all()
        assert rows[..., :count].sum() > 0


@families
def test_a_batch_of_mixed_sizes_equals_its_samples_alone(name):
    skip_if_broken(name)
    family = build_family(name)
    inputs, image_tokens = make_inputs(family)
    with record_attention(family.model, image_tokens) as record:
        ids = generate(family.model, inputs)[:, -STEPS:]
    for sample in range(4):
        inputs, image_tokens = make_inputs(family, [sample])
        with record_attention(family.model, image_tokens) as alone:
            assert torch.equal(generate(family.model, inputs)[0, -STEPS:], ids[sample])
        for query in ("predict", "consume"):
            rows = alone.rows(query)[0]
            together = record.rows(query)[sample, :, : rows.shape[1]]
            torch.testing.assert_close(together, rows, atol=1e-5, rtol=0, equal_nan=True)
