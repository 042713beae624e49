"""Record what each generated token attends to while the model keeps its fast attention kernel.

The output comes from the kernel that the model was loaded with. In parallel, the softmax rows of a few queries are
computed in float32 over all keys, and only their image-token columns are kept. For a generation, these are the last
query of every step. For a forward call with labels, they are the queries at every labeled token and the one before it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from pixfound_tasks.attention.record import AttentionRecord, Heads, say_once
from pixfound_tasks.attention.rows import Call
from pixfound_tasks.hosts.attention_functions import FunctionTap
from pixfound_tasks.hosts.attention_interface import Tap, attention_interfaces
from pixfound_tasks.hosts.attention_modules import AttentionModule, attention_modules, reads_encoder
from pixfound_tasks.hosts.caches import cache_of, only_appends
from pixfound_tasks.hosts.model_config import denoised_tokens, head_count, kernel_name

if TYPE_CHECKING:
    from jaxtyping import Bool, Int
    from torch import Tensor

Layers = str | Sequence[int]


@contextmanager
def record_attention(
    model: Any,
    image_tokens: Bool[Tensor, "batch tokens"] | None,
    reduce: Literal["mean"] | None = "mean",
    layers: Layers = "all",
    heads: Heads = "all",
    value_norm: bool = False,
    before_last: bool = False,
) -> Iterator[AttentionRecord]:
    """Record the language decoder's attention to the image tokens during one `model.generate` or forward call.

    Args:
        model: a transformers model, loaded with sdpa, eager or flash attention. Its decoder calls the kernels of
            transformers, or computes attention with PyTorch's own functions.
        image_tokens: true at the prompt's image tokens. Samples may have different numbers of them. For an
            encoder-decoder, true at the image tokens of the encoder's output. None if the decoder cross-attends to
            nothing but the image; then all keys of the cross-attention are recorded, as they are for mllama.
        reduce: "mean" averages over layers and heads while recording, so memory is steps x image tokens. None keeps
            layers and heads apart, and logs beforehand how much memory that takes.
        layers: see `choose_layers`.
        heads: "all", head numbers to record in every layer, or (layer, head) pairs to record and no others.
        value_norm: whether to multiply the attention by the norm of the value vector.
        before_last: whether to record the prompt's second-to-last query too, for the query "study".

    Yields an `AttentionRecord`. The model's configuration is not changed. When the block ends, all hooks are removed,
    even after an exception.

    Raises:
        ValueError: if an argument is invalid, the model uses flex attention, or a layer's attention cannot be found.
            While the model runs: if the call cannot be recorded correctly (beam search, several sequences per sample,
            assisted generation, guidance, a layer whose attention PyTorch's functions do not compute).
    """
    config = model.config.get_text_config(decoder=True)
    kernel = kernel_name(config)
    if "flex" in kernel:
        raise ValueError(
            f"expected a model with sdpa, eager or flash attention, but got {kernel!r}: load it with "
            "attn_implementation='sdpa'"
        )
    modules = image_attention_modules(model)
    available = [one.layer for one in modules]
    chosen = [available[index] for index in choose_layers(layers, len(available))]
    of_encoder = reads_encoder(model)
    is_crossing = of_encoder or modules[0].is_crossing
    record = AttentionRecord(
        image_tokens, chosen, heads, head_count(config, chosen[0]), reduce, value_norm, is_crossing, before_last,
        of_encoder=of_encoder,
    )  # fmt: skip

    recorded = [one for one in modules if one.layer in record.layers]
    taps = _taps(recorded, kernel, _listener(record, config, kernel))

    def before_forward(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if taps[0].is_open:  # a copy of the model made during recording keeps the hook
            record.expect(_labels(module, args, kwargs), only_appends(cache_of(kwargs)))

    hook = model.register_forward_pre_hook(before_forward, with_kwargs=True)
    try:
        yield record
        record.settle()
    finally:
        hook.remove()
        for tap in taps:
            tap.close()


def _listener(record: AttentionRecord, config: Any, kernel: str) -> Callable[..., None]:
    """Return what passes the calls of a decoder's layers to a record."""
    kinds = getattr(config, "layer_types", None) or []
    chunked = {layer for layer, kind in enumerate(kinds) if kind == "chunked_attention"}

    def take(layer: int, *call: Any) -> None:
        options = call[-1]
        if layer in chunked:
            options["attention_chunk"] = config.attention_chunk_size
        chooses_inside = options.get("indices") is not None or layer in chunked
        if chooses_inside and "flash" in kernel:
            raise ValueError(
                f"expected plain softmax attention, but layer {layer} chooses its keys inside the kernel {kernel!r}: "
                "load the model with attn_implementation='sdpa'"
            )
        record.take(layer, Call(*call))

    return take


def _taps(modules: Sequence[AttentionModule], kernel: str, take: Callable[..., None]) -> list[Tap | FunctionTap]:
    """Listen to the modules, each in the way in which it computes attention."""
    taps: list[Tap | FunctionTap] = []
    calling = [one for one in modules if one.uses_interface]
    if calling:
        layers = [(one.module, one.layer) for one in calling]
        taps += [Tap(interface, kernel, layers, take) for interface in attention_interfaces(m for m, _ in layers)]
    computing = [one for one in modules if not one.uses_interface]
    if computing:
        taps.append(FunctionTap(computing, take))
    return taps


def image_attention_modules(model: Any) -> list[AttentionModule]:
    """Return the modules of a model's decoder that attend to the image by softmax attention, in order.

    These are its cross-attention modules if it has any, and else its self-attention modules without those of linear
    attention or convolution. The layers that are left out are logged.

    Raises:
        ValueError: if there is none, or the decoder does not predict one token after another.
    """
    config = model.config.get_text_config(decoder=True)
    modules = attention_modules(model)
    if modules and (block := denoised_tokens(model.config)):
        raise ValueError(
            f"expected a decoder that predicts one token after another, but {modules[0]} of {type(model).__name__} "
            f"denoises blocks of {block} tokens, in several steps and attending in both directions: no row belongs to "
            "the prediction of a token, so its attention is not recorded"
        )
    crossing = [one for one in modules if one.is_crossing]
    if crossing:
        return crossing
    kinds = getattr(config, "layer_types", None) or []
    left_out = {layer: kind for layer, kind in enumerate(kinds) if not _is_softmax(kind)}
    kept = [one for one in modules if one.layer not in left_out]
    if not kept:
        raise ValueError(
            f"expected a decoder with softmax attention, but found none in that of {type(model).__name__}: its "
            "attention is not recorded"
        )
    if left_out:
        say_once(
            f"not recorded, because they have no softmax attention: layers {sorted(left_out)} "
            f"({', '.join(sorted(set(left_out.values())))})"
        )
    return kept


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
    return ("attention" in kind and "linear" not in kind) or kind.startswith("hybrid")


def _labels(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Int[Tensor, "batch tokens"] | None:
    """Return the labels of a forward call, passed by keyword or by position."""
    if "labels" in kwargs or not args:
        return kwargs.get("labels")
    return inspect.signature(module.forward).bind_partial(*args, **kwargs).arguments.get("labels")
