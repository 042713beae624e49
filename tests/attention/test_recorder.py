"""Recorded rows against `output_attentions=True` with eager attention, an independent path through the model."""

from __future__ import annotations

import pytest
import torch

from pixfound_tasks.attention import record_attention
from pixfound_tasks.attention.recorder import last_row

STEPS = 6


@pytest.fixture
def tiny_inputs():
    """A batch of two prompts of different length, padded on the left; 16 image tokens each."""
    torch.manual_seed(1)
    ids = torch.randint(5, 90, (2, 24))
    ids[:, 4:20] = 99
    mask = torch.ones_like(ids)
    ids[0, :3], mask[0, :3] = 0, 0
    return {"input_ids": ids, "attention_mask": mask, "pixel_values": torch.randn(2, 3, 56, 56)}


def generate(model, inputs, **options):
    """Greedy generation of exactly STEPS tokens."""
    length = {"max_new_tokens": STEPS, "min_new_tokens": STEPS, "pad_token_id": 0}
    with torch.inference_mode():
        return model.generate(**inputs, do_sample=False, **length, **options)


def eager_rows(model, inputs, image_tokens):
    """Ids, and (batch, steps, layers, heads, image tokens) of the last query of every step."""
    model.set_attn_implementation("eager")
    output = generate(model, inputs, output_attentions=True, return_dict_in_generate=True)
    steps = [
        torch.stack([layer[:, :, -1, : image_tokens.shape[1]] for layer in step], dim=1) for step in output.attentions
    ]
    rows = torch.stack(steps, dim=1)
    picked = [sample[..., columns] for sample, columns in zip(rows, image_tokens)]
    return output.sequences, torch.stack(picked)


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
def test_rows_equal_eager_attentions(tiny_llava, tiny_inputs, kernel):
    tiny_llava.set_attn_implementation(kernel)
    image_tokens = tiny_inputs["input_ids"] == 99
    plain = generate(tiny_llava, tiny_inputs)
    with record_attention(tiny_llava, image_tokens, reduce=None) as record:
        recorded = generate(tiny_llava, tiny_inputs)
    ids, rows = eager_rows(tiny_llava, tiny_inputs, image_tokens)

    assert torch.equal(recorded, plain)
    assert torch.equal(recorded, ids)
    assert record.rows().shape == (2, STEPS, 4, 4, 16)
    torch.testing.assert_close(record.rows(), rows, atol=1e-5, rtol=0)


def test_rows_of_the_embedded_model(mini_lens, scene_image):
    prompts = ["Describe the scene.", "What is in the center of the image?"]
    inputs = mini_lens._inputs([scene_image, scene_image], prompts)
    image_tokens = inputs["input_ids"] == mini_lens.model.config.image_token_id
    plain = generate(mini_lens.model, inputs)
    with record_attention(mini_lens.model, image_tokens) as record:
        recorded = generate(mini_lens.model, inputs)
    try:
        ids, rows = eager_rows(mini_lens.model, inputs, image_tokens)
    finally:
        mini_lens.model.set_attn_implementation("sdpa")

    assert torch.equal(recorded, plain)
    assert torch.equal(recorded, ids)
    torch.testing.assert_close(record.rows(), rows.mean(dim=(2, 3)), atol=1e-5, rtol=0)


def test_chosen_layers_are_averaged(tiny_llava, tiny_inputs):
    image_tokens = tiny_inputs["input_ids"] == 99
    with record_attention(tiny_llava, image_tokens, reduce=None) as everything:
        generate(tiny_llava, tiny_inputs)
    with record_attention(tiny_llava, image_tokens, layers=[1, -1]) as chosen:
        generate(tiny_llava, tiny_inputs)
    torch.testing.assert_close(chosen.rows(), everything.rows()[:, :, [1, 3]].mean(dim=(2, 3)))


def test_consuming_rows_are_the_next_predicting_rows(tiny_llava, tiny_inputs):
    with record_attention(tiny_llava, tiny_inputs["input_ids"] == 99) as record:
        generate(tiny_llava, tiny_inputs)
    predict, consume = record.rows("predict"), record.rows("consume")
    assert torch.equal(consume[:, :-1], predict[:, 1:])
    assert consume[:, -1].isnan().all()
    with pytest.raises(ValueError, match=r"query to be one of \['consume', 'predict'\], but got 'both'"):
        record.rows("both")


def test_model_is_restored_after_an_exception(tiny_llava, tiny_inputs):
    kernel = tiny_llava.config.text_config._attn_implementation
    with pytest.raises(KeyError, match="stop"), record_attention(tiny_llava, tiny_inputs["input_ids"] == 99):
        raise KeyError("stop")
    assert tiny_llava.config.text_config._attn_implementation == kernel
    generate(tiny_llava, tiny_inputs)


def test_beam_search_is_refused(tiny_llava, tiny_inputs):
    with (
        pytest.raises(ValueError, match="expected a batch of 2 samples .* the model ran 4: beam search"),
        record_attention(tiny_llava, tiny_inputs["input_ids"] == 99),
    ):
        generate(tiny_llava, tiny_inputs, num_beams=2)


def test_wrong_arguments_are_named(tiny_llava):
    some = torch.ones(1, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="expected reduce to be 'mean' or None, but got 'sum'"):
        record_attention(tiny_llava, some, reduce="sum").__enter__()
    with pytest.raises(ValueError, match=r"different numbers in -4\.\.3, but got \[4\]"):
        record_attention(tiny_llava, some, layers=[4]).__enter__()
    with pytest.raises(ValueError, match="expected image_tokens as bool"):
        record_attention(tiny_llava, some.int()).__enter__()
    with pytest.raises(ValueError, match=r"expected image_tokens as bool .*, but got torch.bool \(4,\)"):
        record_attention(tiny_llava, some[0]).__enter__()
    with pytest.raises(ValueError, match=r"same number of image tokens in every sample, but got \[4, 3\]"):
        record_attention(tiny_llava, torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]], dtype=torch.bool)).__enter__()


@pytest.mark.parametrize("mask_kind", ["none", "bool", "additive", "flash"])
def test_last_row_against_the_definition(mask_kind):
    torch.manual_seed(2)
    query, key = torch.randn(2, 4, 3, 8), torch.randn(2, 2, 5, 8)
    seen = torch.tensor([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]], dtype=torch.bool)
    mask = {
        "none": None,
        "bool": seen[:, None, None].expand(2, 1, 3, 5),
        "additive": torch.zeros(2, 1, 3, 5).masked_fill(~seen[:, None, None], -torch.inf),
        "flash": seen.long(),
    }[mask_kind]
    scores = torch.einsum("bhd,bhkd->bhk", query[:, :, -1], key.repeat_interleave(2, dim=1)) / 8**0.5
    if mask is not None:
        scores[~seen[:, None].expand(2, 4, 5)] = -torch.inf
    expected = scores.exp() / scores.exp().sum(dim=-1, keepdim=True)
    torch.testing.assert_close(last_row(query, key, mask, None), expected)
