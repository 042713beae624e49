"""Which keys of an attention call are image tokens, and the picking of their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int


class ImageColumns:
    """The image tokens among the keys of attention calls.

    Args:
        image_tokens: true at the image tokens of the sequence or, with `of_encoder`, of the encoder's output. None
            means that every key is an image token.
        of_encoder: whether the keys end with the encoder's output.

    Raises:
        ValueError: if `image_tokens` has another type or shape.
    """

    def __init__(self, image_tokens: Bool[Tensor, "batch tokens"] | None, of_encoder: bool) -> None:
        self.of_encoder = of_encoder
        self.counts: Int[Tensor, " batch"] | None = None
        if image_tokens is None:
            return
        self.width = image_tokens.shape[1]
        self.counts = image_tokens.sum(dim=1)
        self._columns = padded_indices(image_tokens)

    @property
    def most(self) -> int | None:
        """The largest number of image tokens of a sample. None if every key is one."""
        return None if self.counts is None else self._columns.shape[1]

    def pick(self, rows: Float32[Tensor, "batch *kept keys"], end: int) -> Float32[Tensor, "batch *kept image_tokens"]:
        """Return the columns of the image tokens. Columns after a sample's last image token are undefined.

        Args:
            rows: the attention to all keys.
            end: the number of tokens in the sequence. Not used with `of_encoder`.

        Raises:
            ValueError: if the encoder's output is shorter than `image_tokens`.
        """
        if self.counts is None:
            return rows
        keys = rows.shape[-1]
        self._columns = self._columns.to(rows.device)
        columns = self._columns.view(len(rows), *[1] * (rows.ndim - 2), -1)
        if self.of_encoder:
            if keys < self.width:
                raise ValueError(
                    f"expected image_tokens to cover the encoder's tokens, (batch, {keys}), but it covers {self.width}"
                )
            columns = columns + (keys - self.width)  # a merged attention has the decoder's own tokens first
            return rows.gather(-1, columns.expand(*rows.shape[:-1], -1))
        # A sliding cache holds only the last keys. Earlier image tokens get no attention.
        forgotten = max(0, end - keys)
        if not forgotten:
            return rows.gather(-1, columns.expand(*rows.shape[:-1], -1))
        columns = columns - forgotten
        picked = rows.gather(-1, columns.clamp(min=0).expand(*rows.shape[:-1], -1))
        return picked.masked_fill_(columns < 0, 0.0)


def padded_indices(flags: Bool[Tensor, "batch tokens"]) -> Int[Tensor, "batch most_true"]:
    """Return the indices of each sample's true flags. Entries after a sample's own indices are 0."""
    counts = flags.sum(dim=1)
    # A stable sort of the unset flags moves the set ones to the front, in order.
    order = (~flags).int().argsort(dim=1, stable=True)[:, : int(counts.max())]
    return order * (torch.arange(order.shape[1], device=flags.device) < counts[:, None])
