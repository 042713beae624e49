"""Which modules of a text decoder attend, in which layer, to what, and through what.

| read | reason | seen in |
|---|---|---|
| `get_decoder` of a model and of what it returns | the decoder inside wrappers and encoder-decoders | 5.1 to 5.24 |
| `layer_idx` of an attention module | its layer; the number in its path if it has none | 5.1 to 5.24 |
| `ALL_ATTENTION_FUNCTIONS` in the code of a class | it looks up its kernel in the registry of its file | 5.1 to 5.24 |
| class names with "attention", paths with "cross" or "encoder" | nothing else tells them apart | 5.1 to 5.24 |
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

_CROSSING = re.compile(r"cross|encoder_attn|encoder_decoder|encdec", re.IGNORECASE)
_REGISTRY = "ALL_ATTENTION_FUNCTIONS"


class AttentionModule(NamedTuple):
    """A module of a text decoder that computes attention.

    Attributes:
        layer: the number of its layer.
        path: its name in the decoder, such as "layers.3.self_attn".
        module: the module.
        is_crossing: whether it attends to something other than the decoder's own tokens.
        uses_interface: whether it looks up its kernel in a registry. Otherwise it computes attention itself.
    """

    layer: int
    path: str
    module: Any
    is_crossing: bool
    uses_interface: bool

    def __str__(self) -> str:
        return f"layer {self.layer} ({self.path}, {type(self.module).__name__})"


def text_decoder(model: Any) -> Any:
    """Return the innermost text decoder of a model."""
    decoder = model.get_decoder()
    for _ in range(5):  # a wrapper in a wrapper in a wrapper is the most that was seen
        inner = decoder.get_decoder() if hasattr(decoder, "get_decoder") else decoder
        if inner is decoder:
            break
        decoder = inner
    return decoder


def text_encoder(model: Any) -> Any:
    """Return the encoder beside a model's text decoder, None without one."""
    decoder = text_decoder(model)
    parents = (module for module in model.modules() if getattr(module, "decoder", None) is decoder)
    return next((parent.encoder for parent in parents if hasattr(parent, "encoder")), None)


def reads_encoder(model: Any) -> bool:
    """Whether a model, or the language model inside it, is an encoder-decoder."""
    configs = (model.config, model.config.get_text_config(decoder=True))
    return any(getattr(config, "is_encoder_decoder", False) for config in configs)


def attention_modules(model: Any) -> list[AttentionModule]:
    """Return the attention modules of a model's text decoder, in order of their layers.

    Vision and audio towers inside the decoder have a configuration of another kind and are left out.

    Raises:
        ValueError: if two modules of one layer attend to the same kind of tokens.
    """
    decoder = text_decoder(model)
    kinds = (type(getattr(decoder, "config", None)), type(model.config.get_text_config(decoder=True)))
    found: dict[tuple[int, bool], list[AttentionModule]] = {}
    for path, module in _attending(decoder, "", kinds):
        layer = _layer(module, path)
        if layer is None:
            continue
        new = AttentionModule(layer, path, module, bool(_CROSSING.search(path)), uses_interface(_kind(module)))
        found.setdefault((layer, new.is_crossing), []).append(new)
    return sorted(map(_most_certain, found.values()), key=lambda one: (one.layer, one.is_crossing))


@cache
def uses_interface(kind: Any) -> bool:
    """Whether a class looks up its attention kernel in a registry."""
    return any(_REGISTRY in code.co_names for code in _codes(kind))


def _codes(kind: type) -> Iterator[Any]:
    """Yield the code of the methods that a class has, its own or inherited."""
    known = set()
    for parent in kind.__mro__:
        if parent.__module__.startswith("torch."):
            return
        for name, value in vars(parent).items():
            if name not in known and callable(value) and hasattr(unwrapped := inspect.unwrap(value), "__code__"):
                yield unwrapped.__code__
            known.add(name)


def _kind(module: Any) -> Any:
    return type(module)


def _attending(module: Any, path: str, kinds: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """Yield the modules that compute attention. Of nested ones, only the innermost does."""
    config = getattr(module, "config", None)
    if path and hasattr(config, "model_type") and type(config) not in kinds:
        return
    inside = [
        found
        for name, child in module.named_children()
        for found in _attending(child, f"{path}.{name}" if path else name, kinds)
    ]
    yield from inside
    if uses_interface(_kind(module)) or (not inside and "attention" in type(module).__name__.lower()):
        yield path, module


def _layer(module: Any, path: str) -> int | None:
    """Return the number of a module's layer: its own, or the first number in its path."""
    own = getattr(module, "layer_idx", None)
    if isinstance(own, int):
        return own
    numbers = re.findall(r"(?:^|\.)(\d+)(?=\.|$)", path)
    return int(numbers[0]) if numbers else None


def _most_certain(candidates: list[AttentionModule]) -> AttentionModule:
    """Return the token attention of a layer: what knows its layer and uses the registry comes first."""

    def certainty(one: AttentionModule) -> tuple[bool, bool]:
        return isinstance(getattr(one.module, "layer_idx", None), int), one.uses_interface

    *_, best = sorted(candidates, key=certainty)
    also = next((one for one in candidates if one is not best and certainty(one) == certainty(best)), None)
    if also is not None:
        raise ValueError(f"expected one attention module in a layer, but got {also} and {best}: not recorded")
    return best
