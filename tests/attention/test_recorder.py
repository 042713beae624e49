"""Recorded rows against `output_attentions=True` with eager attention, an independent path through the model."""

from __future__ import annotations

import copy
import inspect
import itertools
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from loguru import logger
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
from pixfound_tasks.attention.inputs import prompt_inputs
from pixfound_tasks.attention.record import AttentionRecord, _say_once
from pixfound_tasks.attention.recorder import choose_layers, seeing_layers
from pixfound_tasks.attention.rows import Call, attention_rows

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
    with pytest.raises(ValueError, match=r"query to be one of \['consume', 'predict'\], but got 'both'"):
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


@pytest.mark.parametrize("options", [
    {"use_cache": False}, {"cache_implementation": "static"}, {"prefill_chunk_size": 7},
], ids=str)  # fmt: skip
def test_every_way_of_caching_gives_the_same_rows(tiny_llava, tiny_inputs, options):
    image_tokens = tiny_inputs["input_ids"] == 99
    with record_attention(tiny_llava, image_tokens) as record:
        ids = generate(tiny_llava, tiny_inputs)
    with record_attention(tiny_llava, image_tokens) as other:
        assert torch.equal(generate(tiny_llava, tiny_inputs, **options), ids)
    torch.testing.assert_close(other.rows(), record.rows(), atol=1e-5, rtol=0)


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
    with record_attention(tiny_llava, image_tokens) as once, torch.inference_mode():
        tiny_llava(**tiny_inputs)
    with record_attention(tiny_llava, image_tokens) as record:
        generate(tiny_llava, tiny_inputs)
    assert torch.equal(once.rows(), record.rows()[:, :1])


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


def test_layers_that_do_not_come_are_an_error(tiny_llava, tiny_inputs):
    tiny_llava.model.language_model.layers[1].self_attn.layer_idx = None  # as of a layer that is no attention
    with (
        pytest.raises(ValueError, match=r"expected layers \(0, 1, 2, 3\) to attend in order, but \(0, 2, 3\) did"),
        record_attention(tiny_llava, tiny_inputs["input_ids"] == 99),
        torch.inference_mode(),
    ):
        tiny_llava(**tiny_inputs, use_cache=False)


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


def test_encoder_decoder_models_are_refused(tiny_llava):
    tiny_llava.config.is_encoder_decoder = True
    with pytest.raises(ValueError, match="but LlavaForConditionalGeneration has an encoder"):
        record_attention(tiny_llava, torch.ones(1, 4, dtype=torch.bool)).__enter__()


@pytest.mark.parametrize("kinds, layers", [
    (None, [0, 1, 2]), (["full_attention", "conv", "sliding_attention"], [0, 2]),
    (["linear_attention", "full_attention", "mamba"], [1]), (["hybrid", "mamba", "hybrid"], [0, 2]),
], ids=str)  # fmt: skip
def test_layers_that_see_the_image(kinds, layers):
    assert seeing_layers(SimpleNamespace(layer_types=kinds, num_hidden_layers=3)) == layers


def test_only_the_decoder_is_recorded(tiny_llava, tiny_inputs, monkeypatch):
    calls = []
    monkeypatch.setattr(AttentionRecord, "take", lambda self, layer, call: calls.append((layer, call.key.shape[2])))
    with record_attention(tiny_llava, tiny_inputs["input_ids"] == 99):
        generate(tiny_llava, tiny_inputs)
    # Four layers at every step; the vision tower's calls would have 17 keys.
    assert calls == [(layer, 24 + step) for step in range(STEPS) for layer in range(4)]


def test_keeping_layers_and_heads_apart_says_what_it_takes(tiny_llava, tiny_inputs):
    said = []
    _say_once.cache_clear()
    sink = logger.add(said.append, format="{message}")
    with record_attention(tiny_llava, tiny_inputs["input_ids"] == 99, reduce=None) as record:
        # 2 samples x 4 layers x 4 heads x 16 image tokens x 4 bytes
        (line,) = said
        assert line.startswith("reduce=None keeps 2 samples x 4 layers x 4 heads x 16 image tokens: 0.00 MB of memory")
        generate(tiny_llava, tiny_inputs)
    logger.remove(sink)
    assert record.rows().numel() * 4 == 2048 * STEPS


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


@pytest.mark.parametrize("option", ["position_bias", "indices"])
def test_attention_that_is_no_plain_softmax_is_refused(tiny_llava, tiny_inputs, option):
    with record_attention(tiny_llava, tiny_inputs["input_ids"] == 99) as record:
        some = torch.zeros(2, 4, 24, 16)
        with pytest.raises(ValueError, match=f"expected plain softmax attention, but the model's takes '{option}'"):
            record.take(0, Call(some, some, some, None, {option: some}))


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


@pytest.mark.parametrize("mask_kind", ["none", "bool", "additive", "flash"])
@pytest.mark.parametrize("option", ["plain", "softcap", "sinks", "scaling", "window"])
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
    options = {
        "plain": {}, "softcap": {"softcap": 0.7}, "sinks": {"s_aux": sinks}, "scaling": {"scaling": 0.5},
        "window": {"sliding_window": 2},
    }[option]  # fmt: skip
    expected = torch.zeros(2, 4, 3, 5)
    for sample, head, at in itertools.product(range(2), range(4), range(3)):
        scores = key[sample, head // 2] @ query[sample, head, at] * options.get("scaling", 8**-0.5)
        scores = 0.7 * (scores / 0.7).tanh() if option == "softcap" else scores
        weights = scores.exp() * seen[sample, 0, at]
        expected[sample, head, at] = weights / (weights.sum() + (sinks[head].exp() if option == "sinks" else 0))
    call = Call(query, key, key, mask, options)
    torch.testing.assert_close(attention_rows(call, None, 5), expected[:, :, 2:])
    torch.testing.assert_close(attention_rows(call, torch.tensor([[1, 2], [1, 2]]), 5), expected[:, :, 1:])


def test_cross_attention_without_a_mask_sees_every_key():
    query, key = torch.randn(1, 2, 3, 4), torch.randn(1, 2, 6, 4)
    expected = (query @ key.transpose(-1, -2) / 2).softmax(dim=-1)
    call = Call(query, key, key, None, {})
    torch.testing.assert_close(attention_rows(call, torch.tensor([[0, 1, 2]]), None), expected)
