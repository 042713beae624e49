"""Attention that a model's file computes itself, as remote code does: with PyTorch's functions, or with others."""

from __future__ import annotations

import sys

import pytest
import torch
from attention.generating import eager_rows, generate

from pixfound_tasks.attention import record_attention

REMOTE = '''
import torch
from torch import nn
from transformers import AttentionInterface
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb, repeat_kv


class Attention(nn.Module):
    """As files on the hub have it: another class for every implementation, and no registry."""

    def __init__(self, old):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = old.q_proj, old.k_proj, old.v_proj, old.o_proj
        self.number = old.number if isinstance(old, Attention) else old.layer_idx

    def forward(self, hidden_states, position_embeddings, attention_mask=None, past_key_values=None, cache=None, **_):
        batch, length, _ = hidden_states.shape
        split = lambda states: states.view(batch, length, -1, 16).transpose(1, 2)
        query, key, value = (split(p(hidden_states)) for p in (self.q_proj, self.k_proj, self.v_proj))
        query, key = apply_rotary_pos_emb(query, key, *position_embeddings)
        kept = past_key_values if past_key_values is not None else cache
        if kept is not None:
            key, value = kept.update(key, value, self.number)
        out = self.attend(query, repeat_kv(key, 2), repeat_kv(value, 2), attention_mask)
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, -1)), None


class SdpaAttention(Attention):
    def attend(self, query, key, value, mask):
        causal = mask is None and query.shape[2] > 1
        return nn.functional.scaled_dot_product_attention(query, key, value, mask, is_causal=causal)


class SoftmaxAttention(Attention):
    def attend(self, query, key, value, mask):
        scores = query @ key.transpose(2, 3) / 4
        if mask is not None:
            scores = scores.masked_fill(~mask, -1e9)
        elif query.shape[2] > 1:
            scores = scores.masked_fill(torch.ones(scores.shape[2:]).tril() == 0, -1e9)
        return nn.functional.softmax(scores, dim=-1) @ value


ALL_ATTENTION_FUNCTIONS = AttentionInterface()  # a registry of its own


class RegistryAttention(Attention):
    is_causal = True

    def attend(self, query, key, value, mask):
        return ALL_ATTENTION_FUNCTIONS["sdpa"](self, query, key, value, mask)[0].transpose(1, 2)


class ForeignAttention(Attention):
    def attend(self, query, key, value, mask):
        return query  # what a kernel of another library would compute


def with_attention(model, name):
    for layer in model.model.language_model.layers:
        layer.self_attn = globals()[name](layer.self_attn)
'''


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """The module of a file that is not transformers'."""
    (tmp_path / "remote_llava.py").write_text(REMOTE)
    monkeypatch.syspath_prepend(tmp_path)
    import remote_llava

    yield remote_llava
    del sys.modules["remote_llava"]


@pytest.mark.parametrize("name", ["SdpaAttention", "SoftmaxAttention", "RegistryAttention"])
def test_rows_equal_those_of_the_model_without_remote_code(tiny_llava, tiny_inputs, remote, name):
    image_tokens = tiny_inputs["input_ids"] == 99
    ids, expected = eager_rows(tiny_llava, tiny_inputs, image_tokens)
    tiny_llava.set_attn_implementation("sdpa")
    remote.with_attention(tiny_llava, name)
    plain = generate(tiny_llava, tiny_inputs)
    with record_attention(tiny_llava, image_tokens, reduce=None) as record:
        recorded = generate(tiny_llava, tiny_inputs)
    torch.testing.assert_close(record.rows(), expected, atol=1e-5, rtol=0)
    assert torch.equal(plain, ids) and torch.equal(recorded, ids)


def test_a_given_answer_is_read_in_one_pass(tiny_llava, tiny_inputs, remote):
    image_tokens = tiny_inputs["input_ids"] == 99
    labels = tiny_inputs["input_ids"].masked_fill(torch.arange(24) < 20, -100)
    found = []
    for name in (None, "SdpaAttention", "SoftmaxAttention"):
        if name:
            remote.with_attention(tiny_llava, name)
        with record_attention(tiny_llava, image_tokens, reduce=None) as record, torch.inference_mode():
            tiny_llava(**tiny_inputs, labels=labels)
        found.append(record.rows())
    for rows in found[1:]:
        torch.testing.assert_close(rows, found[0], atol=1e-5, rtol=0)


def test_attention_that_cannot_be_seen_is_an_error_with_its_layer(tiny_llava, tiny_inputs, remote):
    remote.with_attention(tiny_llava, "ForeignAttention")
    message = r"in layer 0 \(layers\.0\.self_attn, ForeignAttention\), but got none: its attention is not recorded"
    with pytest.raises(ValueError, match=message), record_attention(tiny_llava, tiny_inputs["input_ids"] == 99):
        generate(tiny_llava, tiny_inputs)
    plain = generate(tiny_llava, tiny_inputs)  # nothing is left behind
    assert plain.shape[1] > 24


def test_value_norms_need_a_kernel(tiny_llava, tiny_inputs, remote):
    remote.with_attention(tiny_llava, "SoftmaxAttention")
    recording = record_attention(tiny_llava, tiny_inputs["input_ids"] == 99, value_norm=True)
    with pytest.raises(ValueError, match="value norms are not recorded"), recording:
        generate(tiny_llava, tiny_inputs)


def test_nothing_is_watched_after_a_recording_even_if_it_failed(tiny_llava, tiny_inputs, remote):
    remote.with_attention(tiny_llava, "SdpaAttention")
    attention = tiny_llava.model.language_model.layers[1].self_attn
    attention.attend = None  # fails inside the layer
    with pytest.raises(TypeError), record_attention(tiny_llava, tiny_inputs["input_ids"] == 99):
        generate(tiny_llava, tiny_inputs)
    assert not attention._forward_hooks and not attention._forward_pre_hooks
    assert not torch.overrides._get_current_function_mode_stack()
