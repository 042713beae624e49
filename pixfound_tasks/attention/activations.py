"""Record how strongly each generated token is activated at the image tokens, using hidden states only.

Source: Li et al., "Token Activation Map to Visually Explain Multimodal LLMs" (arXiv 2506.23270).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from pixfound_tasks.hosts.attention_modules import attention_modules, reads_encoder, text_decoder

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float32

_TINY = 1e-8  # keeps weights finite if no context token is relevant, as in the released code


class ActivationRecord:
    """The final hidden states of one generation. It is filled while the model runs and read afterward.

    It keeps the states of the prompt's image tokens and of the text after them. Memory is (image tokens + text tokens)
    x width, in the model's dtype and on its device.
    """

    def __init__(self, image_tokens: Bool[Tensor, "batch prompt"], head: nn.Linear) -> None:
        if image_tokens.dtype != torch.bool or image_tokens.ndim != 2 or not image_tokens.any(dim=1).all():
            shape, dtype = tuple(image_tokens.shape), image_tokens.dtype
            raise ValueError(
                "expected image_tokens as bool (batch, prompt tokens) with at least one true value in every sample, "
                f"but got {dtype} {shape} with {image_tokens.sum(dim=-1).tolist()} true values"
            )
        self._columns = [sample.nonzero()[:, 0] for sample in image_tokens]
        self._last = [int(columns[-1]) for columns in self._columns]
        self._batch, self._width = image_tokens.shape
        self._head = head
        self._end = 0  # number of tokens of the sequence that the model has run
        self._chunks: list[Float[Tensor, "batch chunk width"]] = []
        self._image: list[Float[Tensor, "image_tokens width"]] = []
        self._text: list[Float[Tensor, "text_tokens width"]] = []  # starts at the last image token
        self._steps: list[Float[Tensor, "batch width"]] = []

    def add(self, hidden: Float[Tensor, "batch tokens width"]) -> None:
        """Take the final hidden states of the current forward pass.

        Raises:
            ValueError: if the batch size differs from that of `image_tokens`, or the pass is not part of one plain
                generation.
        """
        batch, tokens, _ = hidden.shape
        if batch != self._batch:
            raise ValueError(
                f"expected a batch of {self._batch} samples as in image_tokens, but the model ran {batch}: beam search "
                "and several sequences per sample are not recorded; use num_beams=1 and num_return_sequences=1"
            )
        if self._end < self._width:  # the prompt may come in chunks
            self._chunks.append(hidden.detach())
            self._end += tokens
            if self._end >= self._width:
                whole = torch.cat(self._chunks, dim=1)
                self._chunks = []
                self._image = [states[columns.to(states.device)] for states, columns in zip(whole, self._columns)]
                self._text = [states[last:].clone() for states, last in zip(whole, self._last)]
            return
        if tokens not in (1, self._end + 1):  # without a cache, every step runs the whole sequence again
            raise ValueError(
                f"expected one plain generation per recording, but after {self._end} tokens the model ran {tokens}: "
                "assisted generation and second calls are not recorded; use a new recording for each call"
            )
        self._end += 1
        self._steps.append(hidden[:, -1].detach().clone())

    def values(self, sample: int, token_ids: Sequence[int]) -> Float32[np.ndarray, "tokens image_tokens"]:
        """Return the activation of tokens at a sample's image tokens.

        The activation is the token's logit at the image token:

            values[t, j] = <hidden[j], head[token_ids[t]]> (+ bias)

        `hidden[j]` is the final, normalized hidden state of image token j in the prompt pass. Anything the model does
        to its logits after the language-model head (scaling, soft-capping) is left out.
        """
        self._check()
        return self._logits(self._image[sample], token_ids).T.cpu().numpy()

    def interference(
        self, sample: int, token_ids: Sequence[int], prompt_ids: Sequence[int]
    ) -> Float32[np.ndarray, "tokens image_tokens"]:
        """Return what each generated token's context activates at the image tokens.

            I[t] = sum_k w[t, k] max(values[k], 0),  w[t, k] = r[t, k] / (sum_i r[t, i] + 1e-8)
            r[t, k] = max(<hidden[k], head[id_t]>, 0),  or 0 if id_k = id_t

        The sums run over the context of token t, which has two parts:

        - The prompt's tokens after its last image token, each with the hidden state of its own position. The last
          prompt token is left out, because its hidden state predicts the first generated token.
        - The tokens generated before t, each with the hidden state that predicts it.

        The released code also leaves out the chat template's closing tokens. Here they count as part of the prompt.

        Args:
            token_ids: the sample's generated tokens.
            prompt_ids: all tokens of its prompt, including any padding before them.

        Raises:
            ValueError: if prompt_ids ends before the last image token, or token_ids is longer than the generation.
        """
        self._check()
        last, end = self._last[sample], len(prompt_ids) - 1
        start = min(last + 1, end)
        ids = [*prompt_ids[start:end], *token_ids]
        text = torch.cat([self._text[sample], *(step[sample][None] for step in self._steps)])
        states = text[start - last :][: len(ids)]
        if start < last or len(states) < len(ids):
            raise ValueError(
                f"expected the {last + 1} or more tokens of the prompt and at most {len(text) + last - end} generated "
                f"tokens, but got {len(prompt_ids)} prompt tokens and {len(token_ids)} generated tokens"
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
    def _logits(self, states: Float[Tensor, "states width"], ids: Sequence[int]) -> Float32[Tensor, "states ids"]:
        """Return the logits of the given token ids."""
        index = torch.as_tensor(list(ids), dtype=torch.long, device=self._head.weight.device)
        bias = getattr(self._head, "bias", None)
        weight, bias = (
            None if part is None else part[index].to(states.device).float() for part in (self._head.weight, bias)
        )
        with torch.autocast(states.device.type, enabled=False):
            return nn.functional.linear(states.float(), weight, bias)


@contextmanager
def record_activations(model: Any, image_tokens: Bool[Tensor, "batch prompt"]) -> Iterator[ActivationRecord]:
    """Record final hidden states during one `model.generate`, or one forward call on a prompt and a given answer.

    Args:
        model: a transformers model whose text decoder has the image tokens in its prompt.
        image_tokens: true at the prompt's image tokens. Samples may have different numbers of them.

    Yields an `ActivationRecord`. The hook is removed when the block ends, even after an exception.

    Raises:
        ValueError: if image_tokens is invalid, or the model sees the image through cross-attention or has no
            language-model head. While the model runs: if it uses beam search or is otherwise not one plain generation.
    """
    crosses = reads_encoder(model) or any(one.is_crossing for one in attention_modules(model))
    head = model.get_output_embeddings()
    if crosses or head is None:
        raise ValueError(
            "reducer 'tam' needs image tokens in the prompt and a language-model head, but "
            f"{type(model).__name__} does not have both; choose another reducer"
        )
    record = ActivationRecord(image_tokens, head)
    # If the language model has its own head, its inner decoder gives the hidden states before that head.
    hook = text_decoder(model).register_forward_hook(lambda _module, _inputs, output: record.add(output[0]))
    try:
        yield record
    finally:
        hook.remove()
