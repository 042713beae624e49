"""Record what every generated token attended to, while the model keeps its fast attention kernel.

The output comes from the kernel the model was loaded with. On the side, in float32, the softmax rows of the queries
that matter are computed over all keys, and only their image-token columns are kept: the last query of every step of a
generation; for a forward call with labels, the queries at every labelled token and the one before it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal
from uuid import uuid4

from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from pixfound_tasks.attention.record import AttentionRecord, Heads
from pixfound_tasks.attention.rows import Call

Layers = str | Sequence[int]
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


@contextmanager
def record_attention(
    model,
    image_tokens: Tensor,
    reduce: Literal["mean"] | None = "mean",
    layers: Layers = "all",
    heads: Heads = "all",
    value_norm: bool = False,
) -> Iterator[AttentionRecord]:
    """Record the language decoder's attention to the image tokens during one `model.generate` or forward call.

    Args:
        model: a transformers model whose decoder uses the attention interface, loaded with sdpa, eager or flash
            attention.
        image_tokens: bool (batch, prompt tokens), true where the prompt holds an image token. Samples may hold
            different numbers of them. Of a model whose text attends to the image by cross-attention (mllama) all keys
            of its cross-attention are recorded instead.
        reduce: "mean" over the layers and heads, taken while recording, so that memory is steps x image tokens;
            None keeps them apart, and says beforehand how much memory that takes.
        layers: see `choose_layers`.
        heads: "all", numbers of heads recorded in every layer, or pairs (layer, head) recorded and no others.
        value_norm: whether attention is multiplied with the norm of the value vector it fetches.

    Yields an `AttentionRecord`. The model is restored when the block ends, also after an exception.

    Raises:
        ValueError: for wrong arguments; while the model runs, for what cannot be recorded rightly (beam search,
            several sequences per sample, assisted generation, guidance, flex attention).
    """
    config = model.config.get_text_config()
    kernel = config._attn_implementation
    if "flex" in kernel:
        raise ValueError(f"expected a model with sdpa, eager or flash attention, but got {kernel!r}: load it anew")
    crossing = bool(getattr(config, "cross_attention_layers", None))
    seeing = seeing_layers(config)
    chosen = [seeing[index] for index in choose_layers(layers, len(seeing))]
    record = AttentionRecord(image_tokens, chosen, heads, config.num_attention_heads, reduce, value_norm, crossing)
    # A digit would be taken for a version of flash attention.
    name = f"{kernel}_recorded_{uuid4().hex.translate(_LETTERS)}"
    decoder = {id(module) for module in model.get_decoder().modules()}

    def attention(module, query, key, value, attention_mask, **options):
        # Flash attention looks its kernel up by the configured name.
        config._attn_implementation = kernel
        try:
            output = _kernel_function(kernel, module)(module, query, key, value, attention_mask, **options)
        finally:
            config._attn_implementation = name
        if id(module) in decoder and module.layer_idx in record.layers:
            record.take(module.layer_idx, Call(query, key, value, attention_mask, options))
        return output

    AttentionInterface.register(name, attention)
    AttentionMaskInterface.register(name, ALL_MASK_ATTENTION_FUNCTIONS[kernel])
    hook = model.register_forward_pre_hook(
        lambda _, args, kwargs: record.expect(kwargs.get("labels")), with_kwargs=True
    )
    config._attn_implementation = name
    try:
        yield record
    finally:
        config._attn_implementation = kernel
        hook.remove()
        AttentionInterface._global_mapping.pop(name)
        AttentionMaskInterface._global_mapping.pop(name)


def seeing_layers(config: Any) -> list[int]:
    """The layers of a text decoder that attend to the image by softmax attention: all, but of hybrid decoders those
    without linear attention, and of cross-attention models those that cross."""
    crossing = getattr(config, "cross_attention_layers", None)
    kinds = getattr(config, "layer_types", None) or ["attention"] * config.num_hidden_layers
    return list(crossing or (layer for layer, kind in enumerate(kinds) if "linear" not in kind))


def choose_layers(layers: Layers, count: int) -> tuple[int, ...]:
    """Layers out of `count` that see the image (all of a plain decoder's), in order, counted from 0.

    Args:
        layers: "all"; "last"; "middle", the middle third; "i:j", from i up to but without j, as Python slices; "i+j"
            or a sequence of different numbers, negative ones from the end.

    Raises:
        ValueError: where a layer is not there, comes twice, or none is chosen.
    """
    every = tuple(range(count))
    named = {"all": every, "last": every[-1:], "middle": every[count // 3 : -(-2 * count // 3)]}
    try:
        if isinstance(layers, str) and layers in named:
            chosen = named[layers]
        elif isinstance(layers, str) and ":" in layers:
            chosen = every[slice(*(int(bound) if bound else None for bound in layers.split(":", 1)))]
        else:
            numbers = [int(part) for part in layers.split("+")] if isinstance(layers, str) else list(layers)
            chosen = tuple(sorted({every[number] for number in numbers}))
            chosen = chosen if len(chosen) == len(numbers) else ()
    except (ValueError, IndexError, TypeError):
        chosen = ()
    if not chosen:
        raise ValueError(
            f"expected layers as 'all', 'last', 'middle', 'i:j' or different numbers in {-count}..{count - 1}, "
            f"but got {layers!r}"
        )
    return chosen


def _kernel_function(kernel: str, module: Any) -> Callable:
    if kernel == "eager":
        return sys.modules[type(module).__module__].eager_attention_forward
    return ALL_ATTENTION_FUNCTIONS[kernel]
