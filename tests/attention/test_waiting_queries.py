"""Rows that are computed later, many at once, equal those that are computed in their own step."""

from __future__ import annotations

import pytest
import torch
import transformers as hf
from attention.generating import generate

from pixfound_tasks.attention import record, record_attention, recorder
from pixfound_tasks.hosts.caches import only_appends

TOKENS = 40  # more than are computed at once


@pytest.fixture
def computed(monkeypatch):
    """The number of rows in every computation of rows."""
    counts = []

    def counting(call, at, end):
        counts.append(1 if at is None else at.shape[1])
        return rows(call, at, end)

    rows = record.attention_rows
    monkeypatch.setattr(record, "attention_rows", counting)
    return counts


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
@pytest.mark.parametrize("options", [{}, {"reduce": None}, {"value_norm": True}, {"heads": [(0, 1), (2, 3)]}])
def test_waiting_changes_no_row(monkeypatch, computed, tiny_llava, tiny_inputs, kernel, options):
    tiny_llava.set_attn_implementation(kernel)
    image_tokens = tiny_inputs["input_ids"] == 99
    lengths = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS}
    with record_attention(tiny_llava, image_tokens, **options) as waited:
        ids = generate(tiny_llava, tiny_inputs, **lengths)
    assert max(computed) > 16, "no query waited"
    computed.clear()
    monkeypatch.setattr(recorder, "only_appends", lambda cache: False)
    with record_attention(tiny_llava, image_tokens, **options) as at_once:
        assert torch.equal(generate(tiny_llava, tiny_inputs, **lengths), ids)
    assert set(computed) == {1}
    assert waited.rows().shape[1] == TOKENS
    torch.testing.assert_close(waited.rows(), at_once.rows(), atol=1e-6, rtol=1e-5)


def test_a_window_or_no_cache_makes_no_query_wait(computed, tiny_llava, tiny_inputs):
    with record_attention(tiny_llava, tiny_inputs["input_ids"] == 99) as found:
        generate(tiny_llava, tiny_inputs, use_cache=False)
    assert set(computed) == {1}
    assert not found.rows().isnan().any()


def test_rows_may_be_read_before_the_block_ends(tiny_llava, tiny_inputs):
    with record_attention(tiny_llava, tiny_inputs["input_ids"] == 99) as found:
        generate(tiny_llava, tiny_inputs)
        early = found.rows()
    torch.testing.assert_close(found.rows(), early, atol=0, rtol=0)


def test_rows_of_complete_steps_outlive_a_generation_that_breaks_off(tiny_llava, tiny_inputs):
    layers, calls = tiny_llava.model.language_model.layers, []

    def break_off(*_):
        calls.append(None)
        if len(calls) == 6:
            raise KeyboardInterrupt

    with record_attention(tiny_llava, tiny_inputs["input_ids"] == 99) as whole:
        generate(tiny_llava, tiny_inputs, max_new_tokens=8, min_new_tokens=8)
    hook = layers[2].register_forward_pre_hook(break_off)
    try:
        with (
            pytest.raises(KeyboardInterrupt),
            record_attention(tiny_llava, tiny_inputs["input_ids"] == 99) as broken,
        ):
            generate(tiny_llava, tiny_inputs, max_new_tokens=8, min_new_tokens=8)
    finally:
        hook.remove()
    torch.testing.assert_close(broken.rows(), whole.rows()[:, :5], atol=1e-6, rtol=1e-5)


def test_only_a_plain_dynamic_cache_only_appends():
    plain = hf.LlamaConfig(num_hidden_layers=2)
    windows = hf.MistralConfig(num_hidden_layers=2, sliding_window=4)
    assert only_appends(hf.DynamicCache())
    assert only_appends(hf.DynamicCache(config=plain))
    assert not only_appends(hf.DynamicCache(config=windows))
    assert not only_appends(hf.StaticCache(config=plain, max_cache_len=8))
    assert not only_appends(None)
