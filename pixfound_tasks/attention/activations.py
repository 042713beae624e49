"""Record how strongly every generated token's word is already active at the image tokens, from hidden states alone.

Source: Li et al., "Token Activation Map to Visually Explain Multimodal LLMs" (arXiv 2506.23270).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_TINY = 1e-8  # keeps weights finite where no token of the context is relevant, as in the released code


class ActivationRecord:
    """The final hidden states of one generation; filled while it runs, read when it is done.

    Kept are those of the prompt's image tokens and of the text behind them: memory is (image tokens + text tokens) x
    width, in the model's dtype and on its device.
    """

    def __init__(self, image_tokens: Tensor, head: nn.Linear) -> None:
        if image_tokens.dtype != torch.bool or image_tokens.ndim != 2 or not image_tokens.any(dim=1).all():
            shape, dtype = tuple(image_tokens.shape), image_tokens.dtype
            raise ValueError(
                "expected image_tokens as bool (batch, prompt tokens), true somewhere in every sample, but got "
                f"{dtype} {shape} with {image_tokens.sum(dim=-1).tolist()} true"
            )
        self._columns = [sample.nonzero()[:, 0] for sample in image_tokens]
        self._last = [int(columns[-1]) for columns in self._columns]
        self._batch, self._width = image_tokens.shape
        self._head = head
        self._end = 0  # how many tokens of the sequence have been run
        self._chunks: list[Tensor] = []
        self._image: list[Tensor] = []
        self._text: list[Tensor] = []  # from the last image token on
        self._steps: list[Tensor] = []

    def add(self, hidden: Tensor) -> None:
        """Take the final hidden states (batch, tokens, width) of the forward pass that is running."""
        batch, tokens, _ = hidden.shape
        if batch != self._batch:
            raise ValueError(
                f"expected a batch of {self._batch} samples as in image_tokens, but the model ran {batch}: beam search "
                "and several sequences per sample are not recorded"
            )
        if self._end < self._width:  # the prompt, which may come in chunks
            self._chunks.append(hidden.detach())
            self._end += tokens
            if self._end >= self._width:
                whole = torch.cat(self._chunks, dim=1)
                self._chunks = []
                self._image = [states[columns.to(states.device)] for states, columns in zip(whole, self._columns)]
                self._text = [states[last:].clone() for states, last in zip(whole, self._last)]
            return
        if tokens not in (1, self._end + 1):  # without a cache every step runs the whole sequence anew
            raise ValueError(
                f"expected one plain generation per recording, but after {self._end} tokens the model ran {tokens}: "
                "assisted generation and second calls are not recorded"
            )
        self._end += 1
        self._steps.append(hidden[:, -1].detach().clone())

    def values(self, sample: int, token_ids: Sequence[int]) -> np.ndarray:
        """The activation of tokens at a sample's image tokens, float32 (tokens, image tokens): their logits there.

            values[t, j] = <hidden[j], head[token_ids[t]]> (+ bias)

        with the final, normed hidden state of image token j in the prompt pass. What a model does to its logits after
        the language-model head (scaling, soft-capping) is left out.
        """
        self._check()
        return self._logits(self._image[sample], token_ids).T.cpu().numpy()

    def interference(self, sample: int, token_ids: Sequence[int], prompt_ids: Sequence[int]) -> np.ndarray:
        """What the context of each generated token activates at the image tokens, float32 (tokens, image tokens).

            I[t] = sum_k w[t, k] max(values[k], 0),  w[t, k] = r[t, k] / (sum_i r[t, i] + 1e-8)
            r[t, k] = max(<hidden[k], head[id_t]>, 0),  0 where id_k = id_t

        over the context k of token t: the prompt's tokens behind its last image token, each with the hidden state of
        its own position, and the tokens generated before t, each with the hidden state that predicts it. The released
        code leaves the chat template's closing tokens out; here they belong to the prompt, save the very last, whose
        hidden state is the first generated token's.

        Args:
            token_ids: the sample's generated tokens.
            prompt_ids: all tokens of its prompt, with any padding before them.

        Raises:
            ValueError: if the image tokens are not in prompt_ids, or fewer tokens were generated than token_ids.
        """
        self._check()
        last, end = self._last[sample], len(prompt_ids) - 1
        start = min(last + 1, end)
        ids = [*prompt_ids[start:end], *token_ids]
        text = torch.cat([self._text[sample], *(step[sample][None] for step in self._steps)])
        states = text[start - last :][: len(ids)]
        if start < last or len(states) < len(ids):
            raise ValueError(
                f"expected the {last + 1} or more tokens of the prompt and then at most "
                f"{len(text) + last - end} generated ones, but got {len(prompt_ids)} and {len(token_ids)}"
            )
        maps = self._logits(self._image[sample], ids).clamp(min=0).T
        relevance = self._logits(states, token_ids).clamp(min=0).T
        id_of = torch.tensor(ids, device=relevance.device)
        repeats = id_of[None] == id_of[end - start :, None]
        weights = relevance.tril(end - start - 1).masked_fill(repeats, 0)
        return (weights / (weights.sum(dim=1, keepdim=True) + _TINY) @ maps).cpu().numpy()

    def _check(self) -> None:
        if not self._image:
            raise RuntimeError("nothing was recorded: call model.generate inside `with record_activations(...)`")

    @torch.no_grad()
    def _logits(self, states: Tensor, ids: Sequence[int]) -> Tensor:
        """Logits of some words, float32 (states, ids)."""
        index = torch.as_tensor(list(ids), dtype=torch.long, device=self._head.weight.device)
        bias = getattr(self._head, "bias", None)
        weight, bias = (
            None if part is None else part[index].to(states.device).float() for part in (self._head.weight, bias)
        )
        with torch.autocast(states.device.type, enabled=False):
            return nn.functional.linear(states.float(), weight, bias)


@contextmanager
def record_activations(model: Any, image_tokens: Tensor) -> Iterator[ActivationRecord]:
    """Record final hidden states during one `model.generate`, or a forward call over a prompt and a given answer.

    Args:
        model: a transformers model whose text decoder holds the image tokens in its prompt.
        image_tokens: bool (batch, prompt tokens), true where the prompt holds an image token. Samples may hold
            different numbers of them.

    Yields an `ActivationRecord`. The hook is removed when the block ends, also after an exception.

    Raises:
        ValueError: for wrong image_tokens, and for a model that sees the image by cross-attention or has no
            language-model head; while the model runs, for beam search and other generations that are not plain.
    """
    crosses = getattr(model.config.get_text_config(), "cross_attention_layers", None)
    head = model.get_output_embeddings()
    if crosses or getattr(model.config, "is_encoder_decoder", False) or head is None:
        raise ValueError(
            "reducer 'tam' needs image tokens in the prompt and a language-model head behind them, but "
            f"{type(model).__name__} does not have both"
        )
    record = ActivationRecord(image_tokens, head)
    # Where the language model is itself a model with a head, its own decoder is the one before the head.
    decoder = model.get_decoder().get_decoder()
    hook = decoder.register_forward_hook(lambda _module, _inputs, output: record.add(output[0]))
    try:
        yield record
    finally:
        hook.remove()
