"""Record what every generated token attended to, while the model keeps its fast attention kernel.

The output comes from the kernel the model was loaded with. On the side, in float32, the softmax rows of the queries
that matter are computed over all keys, and only their image-token columns are kept: the last query of every step of a
generation; for a forward call with labels, the queries at every labelled token and the one before it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from torch import Tensor
from transformers import AttentionInterface

from pixfound_tasks.attention.record import AttentionRecord, Heads
from pixfound_tasks.attention.rows import Call

Layers = str | Sequence[int]


@contextmanager
def record_attention(
    model: Any,
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

    Yields an `AttentionRecord`. The model's own configuration stays as it is; when the block ends nothing of the
    recording is left, also after an exception.

    Raises:
        ValueError: for wrong arguments, flex attention and encoder-decoders; while the model runs, for what cannot be
            recorded rightly (beam search, several sequences per sample, assisted generation, guidance, attention that
            is no plain softmax).
    """
    config = model.config.get_text_config()
    kernel = config._attn_implementation
    if getattr(model.config, "is_encoder_decoder", False):
        raise ValueError(f"expected a decoder that holds the image tokens, but {type(model).__name__} has an encoder")
    if "flex" in kernel:
        raise ValueError(f"expected a model with sdpa, eager or flash attention, but got {kernel!r}: load it anew")
    crossing = bool(getattr(config, "cross_attention_layers", None))
    seeing = seeing_layers(config)
    chosen = [seeing[index] for index in choose_layers(layers, len(seeing))]
    record = AttentionRecord(image_tokens, chosen, heads, config.num_attention_heads, reduce, value_norm, crossing)
    modules = list(model.get_decoder().modules())
    interfaces = _interfaces(modules)
    if not interfaces:
        raise ValueError(f"expected a decoder that uses transformers' attention interface, but {type(model)} does not")
    taps = [_Tap(interface, kernel, record, modules) for interface in interfaces]

    def before_forward(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if taps[0].is_open:  # a copy made of the model meanwhile keeps the hook
            record.expect(_labels(module, args, kwargs))

    hook = model.register_forward_pre_hook(before_forward, with_kwargs=True)
    try:
        yield record
    finally:
        hook.remove()
        for tap in taps:
            tap.close()


def seeing_layers(config: Any) -> list[int]:
    """The layers of a text decoder that attend to the image by softmax attention: all of a plain decoder, of a hybrid
    one those without linear attention or convolution, of a cross-attention model those that cross."""
    crossing = getattr(config, "cross_attention_layers", None)
    kinds = getattr(config, "layer_types", None) or ["attention"] * config.num_hidden_layers
    return list(crossing or (layer for layer, kind in enumerate(kinds) if _is_softmax(kind)))


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


def _is_softmax(kind: str) -> bool:
    return ("attention" in kind and "linear" not in kind) or kind == "hybrid"


def _labels(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """The labels of a forward call, however they are passed."""
    if "labels" in kwargs or not args:
        return kwargs.get("labels")
    return inspect.signature(module.forward).bind_partial(*args, **kwargs).arguments.get("labels")


class _Tap:
    """Stands in for a kernel among the attention functions: gives what it gives, and shows the record its calls.

    It goes by the kernel's own name. Nothing of the model is changed, so that masks, caches and whatever else a model
    makes depend on its configured kernel stay as they are.
    """

    def __init__(
        self, interface: AttentionInterface, kernel: str, record: AttentionRecord, modules: Iterable[Any]
    ) -> None:
        self.interface, self.kernel, self.record = interface, kernel, record
        self.decoder = {id(module) for module in modules}
        self.below = interface.get(kernel)  # None for eager attention, which every model file has its own of
        self.is_open = True
        interface[kernel] = self

    def __call__(
        self, module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
    ) -> Any:
        run = self.below or _eager_attention(module)
        output = run(module, query, key, value, attention_mask, **options)
        if self.is_open and id(module) in self.decoder and module.layer_idx in self.record.layers:
            self.record.take(module.layer_idx, Call(query, key, value, attention_mask, options))
        return output

    def close(self) -> None:
        """Make way for the kernel again; below a tap that is still open, do nothing but pass calls on until then."""
        self.is_open = False
        top = self.interface.get(self.kernel)
        while isinstance(top, _Tap) and not top.is_open:
            del self.interface[self.kernel]
            if top.below is not self.interface.get(self.kernel):
                self.interface[self.kernel] = top.below
            top = top.below


def _eager_attention(module: Any) -> Callable[..., Any]:
    """The eager attention of the file that a module's class, or one it is derived from, is defined in."""
    files = (sys.modules[parent.__module__] for parent in type(module).__mro__)
    return next(file.eager_attention_forward for file in files if hasattr(file, "eager_attention_forward"))


def _interfaces(modules: Iterable[Any]) -> list[AttentionInterface]:
    """Where modules look their attention functions up: transformers' own place, but for files that have another."""
    files = {parent.__module__ for module in modules for parent in type(module).__mro__}
    found = [getattr(sys.modules[file], "ALL_ATTENTION_FUNCTIONS", None) for file in sorted(files)]
    return list({id(interface): interface for interface in found if interface is not None}.values())
