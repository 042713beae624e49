"""Recorded rows against `output_attentions=True` with eager attention, an independent path through the model."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from attention.generating import STEPS, eager_rows, generate
from loguru import logger

from pixfound_tasks.attention import record, record_attention
from pixfound_tasks.attention.inputs import prompt_inputs
from pixfound_tasks.attention.record import AttentionRecord, say_once
from pixfound_tasks.attention.recorder import choose_layers, image_attention_layers


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
    inputs = prompt_inputs(mini_lens.processor, [[scene_image], [scene_image]], prompts, {})
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
    with pytest.raises(ValueError, match=r"query to be one of \['consume', 'predict', 'study'\], but got 'both'"):
        record.rows("both")


@pytest.mark.parametrize("layers, chosen", [
    ("all", (0, 1, 2, 3, 4, 5)), ("last", (5,)), ("middle", (2, 3)), ("1:3", (1, 2)), ("-2:", (4, 5)), ("3+-1", (3, 5)),
    ([2, 0], (0, 2)), ("4", (4,)),
])  # fmt: skip
def test_layers_are_named_in_words_ranges_and_numbers(layers, chosen):
    assert choose_layers(layers, 6) == chosen


@pytest.mark.parametrize("layers", ["first", "4:4", "7", [1, 1], [6], "1:x", ""])
def test_layers_that_are_not_there_are_an_error(layers):
    with pytest.raises(ValueError, match=r"expected layers as 'all', 'last', 'middle', 'i:j' or different numbers"):
        choose_layers(layers, 6)


@pytest.mark.parametrize("kinds, layers", [
    (None, [0, 1, 2]), (["full_attention", "conv", "sliding_attention"], [0, 2]),
    (["linear_attention", "full_attention", "mamba"], [1]), (["hybrid", "mamba", "hybrid"], [0, 2]),
], ids=str)  # fmt: skip
def test_layers_that_see_the_image(kinds, layers):
    assert image_attention_layers(SimpleNamespace(layer_types=kinds, num_hidden_layers=3)) == layers


def test_heads_are_chosen_in_every_layer_or_one_by_one(tiny_llava, tiny_inputs):
    image_tokens = tiny_inputs["input_ids"] == 99
    with record_attention(tiny_llava, image_tokens, reduce=None) as everything:
        generate(tiny_llava, tiny_inputs)
    with record_attention(tiny_llava, image_tokens, reduce=None, layers="1:3", heads=[3, 0]) as some:
        generate(tiny_llava, tiny_inputs)
    assert torch.equal(some.rows(), everything.rows()[:, :, 1:3][:, :, :, [0, 3]])
    with record_attention(tiny_llava, image_tokens, heads=[(3, 1), (0, 2), (3, 0)]) as pairs:
        generate(tiny_llava, tiny_inputs)
    rows = everything.rows()
    expected = (rows[:, :, 3, 1] + rows[:, :, 0, 2] + rows[:, :, 3, 0]) / 3
    torch.testing.assert_close(pairs.rows(), expected)


def test_values_norms_weigh_the_attention(tiny_llava, tiny_inputs):
    image_tokens = tiny_inputs["input_ids"] == 99
    values = []
    projection = tiny_llava.model.language_model.layers[2].self_attn.v_proj
    hook = projection.register_forward_hook(lambda _, args, output: values.append(output))
    with record_attention(tiny_llava, image_tokens, reduce=None, layers=[2]) as plain:
        generate(tiny_llava, tiny_inputs)
    hook.remove()
    with record_attention(tiny_llava, image_tokens, reduce=None, layers=[2], value_norm=True) as weighed:
        generate(tiny_llava, tiny_inputs)
    # Two key heads of width 16; heads 0 and 1 share the first. Image tokens are places 4 to 19 of the prompt.
    norms = values[0].view(2, 24, 2, 16)[:, 4:20].norm(dim=-1).repeat_interleave(2, dim=2).transpose(1, 2)
    torch.testing.assert_close(weighed.rows(), plain.rows() * norms[:, None, None])


def test_only_the_decoder_is_recorded(tiny_llava, tiny_inputs, monkeypatch):
    calls = []
    monkeypatch.setattr(AttentionRecord, "take", lambda self, layer, call: calls.append((layer, call.key.shape[2])))
    with record_attention(tiny_llava, tiny_inputs["input_ids"] == 99):
        generate(tiny_llava, tiny_inputs)
    # Four layers at every step; the vision tower's calls would have 17 keys.
    assert calls == [(layer, 24 + step) for step in range(STEPS) for layer in range(4)]


@pytest.mark.parametrize("much", [0.0, 1.0])
def test_keeping_layers_and_heads_apart_says_what_it_takes_if_that_is_much(monkeypatch, tiny_llava, tiny_inputs, much):
    said = []
    monkeypatch.setattr(record, "_MUCH", much)
    say_once.cache_clear()
    sink = logger.add(said.append, format="{message}")
    with record_attention(tiny_llava, tiny_inputs["input_ids"] == 99, reduce=None) as kept:
        # 2 samples x 4 layers x 4 heads x 16 image tokens x 4 bytes
        lines = "".join(said)
        generate(tiny_llava, tiny_inputs)
    logger.remove(sink)
    expected = "reduce=None keeps 2 samples x 4 layers x 4 heads x 16 image tokens: 0.00 MB of memory"
    assert lines.startswith(expected) if not much else not lines
    assert kept.rows().numel() * 4 == 2048 * STEPS


def test_wrong_arguments_are_named(tiny_llava):
    some = torch.ones(1, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="expected reduce to be 'mean' or None, but got 'sum'"):
        record_attention(tiny_llava, some, reduce="sum").__enter__()
    with pytest.raises(ValueError, match=r"different numbers in -4\.\.3, but got \[4\]"):
        record_attention(tiny_llava, some, layers=[4]).__enter__()
    for heads in ([4], [(0, 4)], [(7, 0)], [], [1, 1], "none"):
        with pytest.raises(ValueError, match=r"expected heads as 'all', different numbers in 0\.\.3, or pairs"):
            record_attention(tiny_llava, some, heads=heads).__enter__()
    with pytest.raises(ValueError, match="the same in every layer, with reduce=None; but got pairs"):
        record_attention(tiny_llava, some, reduce=None, heads=[(0, 1), (2, 3)]).__enter__()
    with pytest.raises(ValueError, match="expected image_tokens as bool"):
        record_attention(tiny_llava, some.int()).__enter__()
    with pytest.raises(ValueError, match=r"expected image_tokens as bool .*, but got torch.bool \(4,\)"):
        record_attention(tiny_llava, some[0]).__enter__()
    with pytest.raises(ValueError, match="the prompts hold no image token"):
        record_attention(tiny_llava, ~some).__enter__()
    with pytest.raises(RuntimeError, match="nothing was recorded: call model.generate"):
        with record_attention(tiny_llava, some) as record:
            pass
        record.rows()
    tiny_llava.config.text_config._attn_implementation = "flex_attention"
    with pytest.raises(ValueError, match="expected a model with sdpa, eager or flash attention, but got 'flex_att"):
        record_attention(tiny_llava, some).__enter__()
