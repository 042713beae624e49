"""Every way of generating: recorded rightly, or refused with a reason."""

from __future__ import annotations

import copy

import pytest
import torch
from attention.generating import STEPS, generate
from attention.hosts import CHUNKS_ARE_WRONG

from pixfound_tasks.attention import record_attention
from pixfound_tasks.attention.recorder import _listener


@pytest.mark.parametrize("options", [
    {"use_cache": False}, {"cache_implementation": "static"},
    pytest.param({"prefill_chunk_size": 7}, marks=CHUNKS_ARE_WRONG),
], ids=str)  # fmt: skip
def test_every_way_of_caching_gives_the_same_rows(tiny_llava, tiny_inputs, options):
    image_tokens = tiny_inputs["input_ids"] == 99
    with record_attention(tiny_llava, image_tokens) as record:
        ids = generate(tiny_llava, tiny_inputs)
    with record_attention(tiny_llava, image_tokens) as other:
        assert torch.equal(generate(tiny_llava, tiny_inputs, **options), ids)
    torch.testing.assert_close(other.rows(), record.rows(), atol=1e-5, rtol=0)


def test_samples_may_have_different_numbers_of_image_tokens_and_end_early(tiny_llava, tiny_inputs):
    image_tokens = tiny_inputs["input_ids"] == 99
    fewer = image_tokens.clone()
    fewer[0, 10:] = False
    with record_attention(tiny_llava, image_tokens) as record:
        generate(tiny_llava, tiny_inputs)
    with record_attention(tiny_llava, fewer) as unequal:
        generate(tiny_llava, tiny_inputs)
    rows = unequal.rows(lengths=[STEPS, 2])
    assert torch.equal(rows[0, :, :6], record.rows()[0, :, :6]) and rows[0, :, 6:].isnan().all()
    assert torch.equal(rows[1, :2], record.rows()[1, :2]) and rows[1, 2:].isnan().all()


def test_sampling_is_recorded_as_it_falls(tiny_llava, tiny_inputs):
    image_tokens = tiny_inputs["input_ids"] == 99
    options = dict(do_sample=True, max_new_tokens=STEPS, min_new_tokens=STEPS, pad_token_id=0)
    torch.manual_seed(4)
    plain = tiny_llava.generate(**tiny_inputs, **options)
    torch.manual_seed(4)
    with record_attention(tiny_llava, image_tokens) as record:
        assert torch.equal(tiny_llava.generate(**tiny_inputs, **options), plain)
    ids = plain
    labels = ids.masked_fill(torch.arange(ids.shape[1]) < 24, -100)
    mask = torch.cat([tiny_inputs["attention_mask"], torch.ones(2, STEPS, dtype=torch.long)], dim=1)
    with record_attention(tiny_llava, image_tokens) as read, torch.inference_mode():
        tiny_llava(input_ids=ids, attention_mask=mask, pixel_values=tiny_inputs["pixel_values"], labels=labels)
    torch.testing.assert_close(record.rows(), read.rows(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("options, message", [
    ({"num_beams": 2}, "expected a batch of 2 samples .* the model ran 4: beam search"),
    ({"num_return_sequences": 3, "do_sample": True}, "the model ran 6: beam search and several sequences per sample"),
    ({"guidance_scale": 2.0}, "assisted generation, guidance and second calls are not recorded"),
])  # fmt: skip
def test_what_cannot_be_recorded_rightly_is_refused(tiny_llava, tiny_inputs, options, message):
    with (
        pytest.raises(ValueError, match=message),
        record_attention(tiny_llava, tiny_inputs["input_ids"] == 99),
    ):
        tiny_llava.generate(**tiny_inputs, max_new_tokens=STEPS, pad_token_id=0, **options)


def test_assisted_generation_and_second_calls_are_refused(tiny_llava, tiny_inputs):
    one = {name: value[1:] for name, value in tiny_inputs.items()}
    image_tokens = one["input_ids"] == 99
    with (
        pytest.raises(ValueError, match="the model ran 25 after 0; assisted generation is not recorded either"),
        record_attention(tiny_llava, image_tokens),
    ):
        generate(tiny_llava, one, assistant_model=copy.deepcopy(tiny_llava))
    with record_attention(tiny_llava, image_tokens):
        generate(tiny_llava, one)
        with pytest.raises(ValueError, match="assisted generation, guidance and second calls are not recorded"):
            generate(tiny_llava, one)


@pytest.mark.parametrize("width", [21, 27, 40])
@pytest.mark.parametrize("use_cache", [True, False])
def test_image_tokens_must_cover_the_prompt(tiny_llava, tiny_inputs, width, use_cache):
    image_tokens = torch.zeros(2, width, dtype=torch.bool)
    image_tokens[:, 4:20] = True
    with (
        pytest.raises(ValueError, match=f"expected image_tokens to cover the prompt, .* covers {width} tokens"),
        record_attention(tiny_llava, image_tokens),
    ):
        generate(tiny_llava, tiny_inputs, use_cache=use_cache)


def test_a_call_that_failed_leaves_nothing_behind(tiny_llava, tiny_inputs):
    def fail(*_):
        raise MemoryError

    image_tokens = tiny_inputs["input_ids"] == 99
    with record_attention(tiny_llava, image_tokens) as alone:
        generate(tiny_llava, tiny_inputs)
    hook = tiny_llava.model.language_model.layers[2].register_forward_pre_hook(fail)
    with record_attention(tiny_llava, image_tokens) as record:
        with pytest.raises(MemoryError):
            generate(tiny_llava, tiny_inputs)
        hook.remove()
        generate(tiny_llava, tiny_inputs)
    assert torch.equal(record.rows(), alone.rows())


def test_a_layer_is_known_by_its_place_if_its_attention_does_not_know_it(tiny_llava, tiny_inputs):
    image_tokens = tiny_inputs["input_ids"] == 99
    with record_attention(tiny_llava, image_tokens, reduce=None, layers=[1, 3]) as known, torch.inference_mode():
        tiny_llava(**tiny_inputs, use_cache=False)
    for layer in tiny_llava.model.language_model.layers:
        del layer.self_attn.layer_idx
    with record_attention(tiny_llava, image_tokens, reduce=None, layers=[1, 3]) as record, torch.inference_mode():
        tiny_llava(**tiny_inputs, use_cache=False)
    assert record.layers == (1, 3)
    assert torch.equal(record.rows(), known.rows())


def test_layers_that_do_not_come_are_an_error(tiny_llava, tiny_inputs):
    skipped = tiny_llava.model.language_model.layers[1].self_attn
    skipped.forward = lambda hidden_states, **_: (hidden_states, None)
    with (
        pytest.raises(ValueError, match=r"expected layers \(0, 1, 2, 3\) to attend in order, but \(0, 2, 3\) did"),
        record_attention(tiny_llava, tiny_inputs["input_ids"] == 99),
        torch.inference_mode(),
    ):
        tiny_llava(**tiny_inputs, use_cache=False)


def test_a_kernel_that_chooses_keys_inside_is_refused(tiny_llava, tiny_inputs):
    some = torch.zeros(2, 4, 24, 16)
    with record_attention(tiny_llava, tiny_inputs["input_ids"] == 99) as record:
        take = _listener(record, tiny_llava.config.text_config, "flash_mla")
        with pytest.raises(ValueError, match="but layer 0 chooses its keys inside the kernel 'flash_mla': load the mo"):
            take(0, some, some, some, None, {"indices": some})
