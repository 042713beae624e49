"""Kernels of every kind: what they compute is recorded, and they and the model stay as they were."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from attention.generating import generate
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    CLIPVisionConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from pixfound_tasks.attention import record_attention
from pixfound_tasks.attention.record import AttentionRecord
from pixfound_tasks.attention.rows import Call, attention_rows


def flash_like(module, query, key, value, attention_mask, scaling=None, sliding_window=None, **options):
    """What a flash attention kernel computes from a mask (batch, keys) or none; it looks itself up by its name."""
    assert module.config._attn_implementation == "flash_like"
    group = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(group, 1), value.repeat_interleave(group, 1)
    place, row = torch.arange(key.shape[2]), torch.arange(key.shape[2] - query.shape[2], key.shape[2])[:, None]
    seen = (place <= row) & (place > row - (sliding_window or key.shape[2]))
    if attention_mask is not None:
        seen = seen & attention_mask[:, None, None, -key.shape[2] :].bool()
    scores = (query @ key.transpose(-1, -2) * scaling).masked_fill(~seen, -1e30)
    return (scores.softmax(-1) @ value).transpose(1, 2), None


@pytest.fixture
def flash_kernel():
    AttentionInterface.register("flash_like", flash_like)
    AttentionMaskInterface.register("flash_like", ALL_MASK_ATTENTION_FUNCTIONS["flash_attention_2"])
    yield "flash_like"
    AttentionInterface._global_mapping.pop("flash_like")
    AttentionMaskInterface._global_mapping.pop("flash_like")


@pytest.mark.parametrize("model_type", ["llama", "mistral"])
def test_flash_attentions_masks_and_windows_are_respected(flash_kernel, model_type, tiny_inputs):
    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4, image_size=56, patch_size=14
    )
    window = {"sliding_window": 9} if model_type == "mistral" else {}
    text = dict(
        model_type=model_type, vocab_size=100, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=16, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        initializer_range=0.2, **window,
    )  # fmt: skip
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_id=99, vision_feature_layer=-1)
    model = LlavaForConditionalGeneration(config).eval()
    image_tokens = tiny_inputs["input_ids"] == 99
    labels = tiny_inputs["input_ids"].masked_fill(torch.arange(24) < 20, -100)
    found = {}
    for kernel in ("flash_like", "sdpa"):
        model.config.text_config._attn_implementation = kernel
        with record_attention(model, image_tokens, reduce=None) as record:
            ids = generate(model, tiny_inputs)
        with record_attention(model, image_tokens, reduce=None) as forced, torch.inference_mode():
            model(**tiny_inputs, labels=labels)
        found[kernel] = ids, record.rows(), forced.rows("predict"), forced.rows("consume")
    for flash, reference in zip(*found.values()):
        torch.testing.assert_close(flash, reference, atol=1e-5, rtol=0)


def test_a_derived_attention_class_finds_its_eager_kernel(tiny_llava, tiny_inputs):
    image_tokens = tiny_inputs["input_ids"] == 99
    tiny_llava.set_attn_implementation("eager")
    with record_attention(tiny_llava, image_tokens) as before:
        generate(tiny_llava, tiny_inputs)
    for layer in tiny_llava.model.language_model.layers:
        layer.self_attn.__class__ = type("Derived", (type(layer.self_attn),), {"__module__": __name__})
    with record_attention(tiny_llava, image_tokens) as record:
        generate(tiny_llava, tiny_inputs)
    assert torch.equal(record.rows(), before.rows())


def test_rows_are_float32_under_autocast():
    torch.manual_seed(0)
    query, key = torch.randn(1, 4, 50, 64).bfloat16(), torch.randn(1, 4, 50, 64).bfloat16()
    everything = torch.ones(1, 50, dtype=torch.bool)
    found = []
    for enabled in (False, True):
        record = AttentionRecord(everything, [0], "all", 4, "mean", False, False)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            record.take(0, Call(query, key, key, None, {}))
        found.append(record.rows())
    assert found[1].dtype == torch.float32 and torch.equal(*found)


def functions():
    """Every attention function by name."""
    return dict(ALL_ATTENTION_FUNCTIONS), dict(vars(ALL_ATTENTION_FUNCTIONS)["_local_mapping"])


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
def test_nothing_of_the_model_is_changed_and_everything_restored(tiny_llava, tiny_inputs, kernel):
    tiny_llava.set_attn_implementation(kernel)
    before = tiny_llava.config.to_dict(), dict(vars(tiny_llava)), functions()
    hooks = len(tiny_llava._forward_pre_hooks)
    with pytest.raises(KeyError, match="stop"), record_attention(tiny_llava, tiny_inputs["input_ids"] == 99):
        assert tiny_llava.config.to_dict() == before[0]
        assert tiny_llava.config.text_config._attn_implementation == kernel
        generate(tiny_llava, tiny_inputs)
        raise KeyError("stop")
    assert (tiny_llava.config.to_dict(), dict(vars(tiny_llava)), functions()) == before
    assert len(tiny_llava._forward_pre_hooks) == hooks


def test_recordings_of_two_models_may_overlap(tiny_llava, tiny_inputs):
    other, before = copy.deepcopy(tiny_llava), functions()
    image_tokens = tiny_inputs["input_ids"] == 99
    with record_attention(tiny_llava, image_tokens) as alone:
        generate(tiny_llava, tiny_inputs)
    first, second = record_attention(tiny_llava, image_tokens), record_attention(other, image_tokens)
    one, two = first.__enter__(), second.__enter__()
    generate(tiny_llava, tiny_inputs)
    first.__exit__(None, None, None)  # not the last one opened
    generate(other, tiny_inputs)
    generate(tiny_llava, tiny_inputs)
    second.__exit__(None, None, None)
    assert torch.equal(one.rows(), alone.rows()) and torch.equal(two.rows(), alone.rows())
    assert functions() == before


@pytest.mark.parametrize("mask_kind", ["none", "bool", "additive", "flash"])
@pytest.mark.parametrize("option", ["plain", "softcap", "sinks", "query sinks", "bias", "scaling", "window"])
def test_rows_against_the_definition(mask_kind, option):
    """Rows 1 and 2 of the last three of five tokens, and the last row alone, one score at a time."""
    torch.manual_seed(2)
    query, key = torch.randn(2, 4, 3, 8), torch.randn(2, 2, 5, 8)
    unpadded = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 1, 1, 1]], dtype=torch.bool)
    window = 2 if option == "window" else 9
    place, row = torch.arange(5), torch.arange(2, 5)[:, None]
    causal = (place <= row) & (place > row - window)
    seen = causal if mask_kind == "none" else causal & unpadded[:, None, None]
    seen = seen.expand(2, 1, 3, 5)
    mask = {
        "none": None,
        "bool": seen,
        "additive": torch.zeros(2, 1, 3, 5).masked_fill(~seen, -torch.inf),
        "flash": unpadded.long(),
    }[mask_kind]
    sinks = torch.tensor([0.1, -0.2, 0.3, 1.0])
    query_sinks, bias = torch.randn(2, 4, 3, 1), torch.randn(2, 4, 3, 5)
    options = {
        "plain": {}, "softcap": {"softcap": 0.7}, "sinks": {"s_aux": sinks}, "query sinks": {"sinks": query_sinks},
        "bias": {"position_bias": bias}, "scaling": {"scaling": 0.5}, "window": {"sliding_window": 2},
    }[option]  # fmt: skip
    sink = {"sinks": sinks.view(1, 4, 1, 1).expand(2, 4, 3, 1), "query sinks": query_sinks}.get(option)
    expected = torch.zeros(2, 4, 3, 5)
    for sample, head, at in itertools.product(range(2), range(4), range(3)):
        scores = key[sample, head // 2] @ query[sample, head, at] * options.get("scaling", 8**-0.5)
        scores = 0.7 * (scores / 0.7).tanh() if option == "softcap" else scores
        scores = scores + bias[sample, head, at] if option == "bias" else scores
        weights = scores.exp() * seen[sample, 0, at]
        expected[sample, head, at] = weights / (weights.sum() + (0 if sink is None else sink[sample, head, at].exp()))
    call = Call(query, key, key, mask, options)
    torch.testing.assert_close(attention_rows(call, None, 5), expected[:, :, 2:])
    torch.testing.assert_close(attention_rows(call, torch.tensor([[1, 2], [1, 2]]), 5), expected[:, :, 1:])


def test_cross_attention_without_a_mask_sees_every_key():
    query, key = torch.randn(1, 2, 3, 4), torch.randn(1, 2, 6, 4)
    expected = (query @ key.transpose(-1, -2) / 2).softmax(dim=-1)
    call = Call(query, key, key, None, {})
    torch.testing.assert_close(attention_rows(call, torch.tensor([[0, 1, 2]]), None), expected)
