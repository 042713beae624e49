"""Forward calls: answers that are given, read at every token, also in training."""

from __future__ import annotations

import inspect
from contextlib import nullcontext

import pytest
import torch
from attention.generating import generate

from pixfound_tasks.attention import record_attention


def test_given_answers_are_read_at_every_token(tiny_llava, tiny_inputs):
    # Sample 0 is asked about its last three tokens, sample 1 about four in the middle of its text.
    image_tokens = tiny_inputs["input_ids"] == 99
    labels = torch.full_like(tiny_inputs["input_ids"], -100)
    labels[0, 21:], labels[1, 20:24] = 5, 6
    with record_attention(tiny_llava, image_tokens, reduce=None) as record, torch.inference_mode():
        output = tiny_llava(**tiny_inputs, labels=labels)
    tiny_llava.set_attn_implementation("eager")
    with torch.inference_mode():
        eager = tiny_llava(**tiny_inputs, labels=labels, output_attentions=True)
    whole = torch.stack(eager.attentions, dim=2).permute(0, 3, 2, 1, 4)  # (batch, queries, layers, heads, keys)
    torch.testing.assert_close(output.logits[:, 3:], eager.logits[:, 3:], atol=1e-5, rtol=0)
    for query, shift in (("predict", -1), ("consume", 0)):
        rows = record.rows(query)
        assert rows.shape == (2, 4, 4, 4, 16)
        torch.testing.assert_close(rows[0, :3], whole[0, 21 + shift : 24 + shift, ..., 4:20], atol=1e-5, rtol=0)
        torch.testing.assert_close(rows[1], whole[1, 20 + shift : 24 + shift, ..., 4:20], atol=1e-5, rtol=0)
        assert rows[0, 3].isnan().all()


def test_a_long_given_answer_is_read_piece_by_piece(tiny_llava, tiny_inputs, monkeypatch):
    labels = tiny_inputs["input_ids"].masked_fill(torch.arange(24) < 20, -100)
    found = []
    for at_once in (32, 3):
        monkeypatch.setattr("pixfound_tasks.attention.record._ROWS_AT_ONCE", at_once)
        with record_attention(tiny_llava, tiny_inputs["input_ids"] == 99) as record, torch.inference_mode():
            tiny_llava(**tiny_inputs, labels=labels)
        found.append(record.rows())
    torch.testing.assert_close(*found)


def test_a_forward_call_without_labels_gives_its_last_row(tiny_llava, tiny_inputs):
    image_tokens = tiny_inputs["input_ids"] == 99
    # In double precision nothing but the rows' own float32 product is left to the CPU: units in the last place, 4e-9.
    tiny_llava.double()
    tiny_inputs = tiny_inputs | {"pixel_values": tiny_inputs["pixel_values"].double()}
    with record_attention(tiny_llava, image_tokens) as once, torch.inference_mode():
        tiny_llava(**tiny_inputs)
    with record_attention(tiny_llava, image_tokens) as record:
        generate(tiny_llava, tiny_inputs)
    torch.testing.assert_close(once.rows(), record.rows()[:, :1], rtol=0, atol=1e-8)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_training_goes_on_as_without_recording(tiny_llava, tiny_inputs, use_reentrant):
    tiny_llava.train()
    tiny_llava.gradient_checkpointing_enable({"use_reentrant": use_reentrant})
    image_tokens = tiny_inputs["input_ids"] == 99
    labels = tiny_inputs["input_ids"].masked_fill(torch.arange(24) < 20, -100)
    found = []
    for is_recorded in (False, True):
        tiny_llava.zero_grad()
        with record_attention(tiny_llava, image_tokens) if is_recorded else nullcontext() as record:
            tiny_llava(**tiny_inputs, labels=labels).loss.backward()
        found.append([parameter.grad for parameter in tiny_llava.parameters() if parameter.grad is not None])
    assert all(torch.equal(*grads) for grads in zip(*found)) and len(found[0]) == len(found[1]) > 30
    assert record.rows().shape == (2, 4, 16) and not record.rows().requires_grad


def test_labels_may_come_without_their_name(tiny_llava, tiny_inputs):
    image_tokens = tiny_inputs["input_ids"] == 99
    labels = tiny_inputs["input_ids"].masked_fill(torch.arange(24) < 20, -100)
    names = list(inspect.signature(tiny_llava.forward).parameters)
    values = [{**tiny_inputs, "labels": labels}.get(name) for name in names[: names.index("labels") + 1]]
    with record_attention(tiny_llava, image_tokens) as record, torch.inference_mode():
        tiny_llava(*values)
    assert record.rows().shape == (2, 4, 16)
