"""The heads that a recording keeps in each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float32


def heads_of_layers(heads: Any, layers: Sequence[int], count: int) -> dict[int, tuple[int, ...]]:
    """Return the heads to record in each layer. Raises ValueError if a layer or head does not exist."""
    if isinstance(heads, str) and heads == "all":
        return {layer: tuple(range(count)) for layer in layers}
    try:
        pairs = [(int(head[0]), int(head[1])) for head in heads] if isinstance(heads[0], Sequence) else None
        numbers = [head for _, head in pairs] if pairs else [int(head) for head in heads]
    except (TypeError, ValueError, IndexError):
        pairs, numbers = None, []
    known = all(0 <= head < count for head in numbers) and all(layer in layers for layer, _ in pairs or ())
    if not numbers or not known or len(set(pairs or numbers)) < len(numbers):
        raise ValueError(
            f"expected heads as 'all', different numbers in 0..{count - 1}, or pairs (layer, head) with layers among "
            f"{list(layers)}, but got {heads!r}"
        )
    if pairs is None:
        return {layer: tuple(sorted(numbers)) for layer in layers}
    return {layer: tuple(sorted(h for at, h in pairs if at == layer)) for layer in sorted({at for at, _ in pairs})}


def check_head_count(heads: Sequence[int], layer: int, count: int) -> None:
    """Raise ValueError if a layer has fewer heads than were chosen in it."""
    if heads[-1] >= count:
        raise ValueError(f"expected heads in 0..{count - 1} in layer {layer}, but got {heads[-1]}")


def with_heads(
    rows: Float32[Tensor, "batch rows heads image_tokens"], count: int
) -> Float32[Tensor, "batch rows count image_tokens"]:
    """Return the rows with NaN for the heads that a layer has fewer than others."""
    return torch.nn.functional.pad(rows, (0, 0, 0, count - rows.shape[2]), value=torch.nan)
