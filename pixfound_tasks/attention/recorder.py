"""Record what each generated token attends to while the model keeps its fast attention kernel.

The output comes from the kernel that the model was loaded with. In parallel, the softmax rows of a few queries are
computed in float32 over all keys, and only their image-token columns are kept. For a generation, these are the last
query of every step. For a forward call with labels, they are the queries at every labeled token and the one before it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from pixfound_tasks.attention.record import AttentionRecord, Heads
from pixfound_tasks.attention.rows import Call
from pixfound_tasks.hosts.attention_interface import Tap, attention_interfaces
from pixfound_tasks.hosts.model_config import kernel_name

if TYPE_CHECKING:
    from jaxtyping import Bool, Int
    from torch import Tensor

Layers = str | Sequence[int]


@contextmanager
def record_attention(
    model: Any,
    image_tokens: Bool[Tensor, "batch prompt"],
    reduce: Literal["mean"] | None = "mean",
    layers: Layers = "all",
    heads: Heads = "all",
    value_norm: bool = False,
    before_last: bool = False,
) -> Iterator[AttentionRecord]:
    """Record the language decoder's attention to the image tokens during one `model.generate` or forward call.

    Args:
        model: a transformers model whose decoder uses the attention interface, loaded with sdpa, eager or flash
            attention.
        image_tokens: true at the prompt's image tokens. Samples may have different numbers of them. If the text attends
            to the image by cross-attention (mllama), all keys of the cross-attention are recorded instead.
        reduce: "mean" averages over layers and heads while recording, so memory is steps x image tokens. None keeps
            layers and heads apart, and logs beforehand how much memory that takes.
        layers: see `choose_layers`.
        heads: "all", head numbers to record in every layer, or (layer, head) pairs to record and no others.
        value_norm: whether to multiply the attention by the norm of the value vector.
        before_last: whether to record the prompt's second-to-last query too, for the query "study".

    Yields an `AttentionRecord`. The model's configuration is not changed. When the block ends, all hooks are removed,
    even after an exception.

    Raises:
        ValueError: if an argument is invalid, or the model uses flex attention or is an encoder-decoder. While the
            model runs: if the call cannot be recorded correctly (beam search, several sequences per sample, assisted
            generation, guidance, attention that is not plain softmax).
    """
    config = model.config.get_text_config()
    kernel = kernel_name(config)
    if getattr(model.config, "is_encoder_decoder", False):
        raise ValueError(f"expected a decoder that holds the image tokens, but {type(model).__name__} has an encoder")
    if "flex" in kernel:
        raise ValueError(
            f"expected a model with sdpa, eager or flash attention, but got {kernel!r}: load it with "
            "attn_implementation='sdpa'"
        )
    crossing = bool(getattr(config, "cross_attention_layers", None))
    available = image_attention_layers(config)
    chosen = [available[index] for index in choose_layers(layers, len(available))]
    record = AttentionRecord(
        image_tokens, chosen, heads, config.num_attention_heads, reduce, value_norm, crossing, before_last
    )
    modules = list(model.get_decoder().modules())
    interfaces = attention_interfaces(modules)
    if not interfaces:
        raise ValueError(f"expected a decoder that uses transformers' attention interface, but {type(model)} does not")

    def take(layer: int, *call: Any) -> None:
        if layer in record.layers:
            record.take(layer, Call(*call))

    taps = [Tap(interface, kernel, modules, take) for interface in interfaces]

    def before_forward(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if taps[0].is_open:  # a copy of the model made during recording keeps the hook
            record.expect(_labels(module, args, kwargs))

    hook = model.register_forward_pre_hook(before_forward, with_kwargs=True)
    try:
        yield record
    finally:
        hook.remove()
        for tap in taps:
            tap.close()


def image_attention_layers(config: Any) -> list[int]:
    """Return the layers of a text decoder that attend to the image by softmax attention.

    These are all layers of a plain decoder, the layers without linear attention or convolution of a hybrid one, and the
    cross-attention layers of a cross-attention model.
    """
    crossing = getattr(config, "cross_attention_layers", None)
    kinds = getattr(config, "layer_types", None) or ["attention"] * config.num_hidden_layers
    return list(crossing or (layer for layer, kind in enumerate(kinds) if _is_softmax(kind)))


def choose_layers(layers: Layers, count: int) -> tuple[int, ...]:
    """Choose from the `count` layers that see the image (all layers of a plain decoder), numbered from 0.

    Args:
        layers: "all"; "last"; "middle", the middle third; "i:j", a Python slice; or distinct numbers as "i+j" or as a
            sequence, with negative numbers counted from the end.

    Returns the chosen numbers in ascending order.

    Raises:
        ValueError: if a layer does not exist or is repeated, or no layer is chosen.
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


def _is_softmax(kind: str) -> bool:
    return ("attention" in kind and "linear" not in kind) or kind == "hybrid"


def _labels(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Int[Tensor, "batch tokens"] | None:
    """Return the labels of a forward call, passed by keyword or by position."""
    if "labels" in kwargs or not args:
        return kwargs.get("labels")
    return inspect.signature(module.forward).bind_partial(*args, **kwargs).arguments.get("labels")
