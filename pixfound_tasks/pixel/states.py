"""The hidden states that belong to an answer's mask tokens, taken while the answer is generated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from transformers import StoppingCriteria

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

# "predict": the state that predicts the mask token. "consume": the state at the token itself, when it is the input.
StateOf = Literal["predict", "consume"]


class MaskStates(StoppingCriteria):
    """The states of the mask tokens of one generation or forward call. It is filled while the model runs.

    Of every forward pass it keeps the state of the last token, and those that belong to mask tokens among the inputs.
    As a stopping criterion, which never stops, it sees every generated token, also the last one, which the model never
    takes as its input.
    """

    def __init__(self, tokens: Sequence[int], state_of: StateOf) -> None:
        self.tokens = tuple(tokens)
        self.back = int(state_of == "predict")  # from the position of a mask token to that of its state
        self.prompt_length = 0  # tokens of the first pass, including padding on the left
        self.sequences: Int[Tensor, "batch tokens"] | None = None  # of the prompts and the answers so far
        self._end = 0  # number of tokens that the model has run
        self._is_over = False  # whether another call has begun
        self._inputs: Int[Tensor, "batch pass"] | None = None
        self._states: list[dict[int, Float[Tensor, " width"]]] = []  # by the position of the state, for each sample

    def __call__(self, input_ids: Int[Tensor, "batch tokens"], scores: Any, **options: Any) -> Bool[Tensor, " batch"]:
        self.sequences = input_ids
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    def take_inputs(self, input_ids: Int[Tensor, "batch pass"]) -> None:
        """Note the inputs of the forward pass that follows.

        What runs after the call that is recorded, such as the general description of some reducers, is left out.

        Raises:
            ValueError: if the pass is not part of one plain generation or forward call.
        """
        self._is_over = self._is_over or self._is_another(input_ids)
        if self._is_over:
            return
        if not self._end:
            self.prompt_length, self.sequences = input_ids.shape[1], input_ids
            self._states = [{} for _ in input_ids]
        elif input_ids.shape[1] not in (1, self._end + 1) or len(input_ids) != len(self._states):
            raise ValueError(
                f"expected one plain generation, but after {self._end} tokens of {len(self._states)} prompts the model "
                f"ran {input_ids.shape[1]} tokens of {len(input_ids)}; generate with num_beams=1 and without assistance"
            )
        self._inputs = input_ids

    def _is_another(self, input_ids: Int[Tensor, "batch pass"]) -> bool:
        """Whether a pass begins another call: it has several tokens, and does not go on with the answers so far."""
        if not self._end or input_ids.shape[1] == 1:
            return False
        assert self.sequences is not None
        goes_on = torch.equal(input_ids[:, 0], self.sequences[:, -1]) or torch.equal(input_ids, self.sequences)
        return len(input_ids) == len(self._states) and not goes_on

    def take(self, states: Float[Tensor, "batch pass width"]) -> None:
        """Keep what is needed of the states of the current pass."""
        if self._inputs is None:
            return  # not a pass of the whole model
        inputs, self._inputs = self._inputs, None
        start = self._end if inputs.shape[1] == 1 else 0  # without a cache, every pass runs the whole sequence
        self._end = start + inputs.shape[1]
        for sample, row in enumerate(inputs):
            at = torch.isin(row, torch.tensor(self.tokens, device=row.device)).nonzero()[:, 0]
            places = {row.shape[0] - 1, *(at - self.back).tolist()} - {-1}
            kept = self._states[sample]
            # Clone, because a view would keep the states of the whole pass.
            kept |= {start + place: states[sample, place].clone() for place in places if start + place not in kept}

    def of(self, sample: int, position: int) -> Float[Tensor, " width"] | None:
        """Return the state of the mask token at a position of a sample's sequence; None if the model never had it."""
        return self._states[sample].get(position - self.back)


@contextmanager
def record_states(model: Any, tokens: Sequence[int], state_of: StateOf, is_normed: bool = True) -> Iterator[MaskStates]:
    """Record the states of mask tokens during one `model.generate` or forward call.

    Pass the record to `generate` among its `stopping_criteria`.

    Args:
        model: a transformers image-text-to-text model.
        tokens: the ids of the mask tokens.
        state_of: whether the state of a mask token is the one that predicts it or the one at its own position.
        is_normed: whether the states are those after the decoder's final norm, or before it.
    """
    record = MaskStates(tokens, state_of)
    decoder = model.get_decoder().get_decoder()  # the inner one if the language model has its own head
    hooks = [
        model.register_forward_pre_hook(
            lambda _module, _args, kwargs: record.take_inputs(kwargs["input_ids"]), with_kwargs=True
        ),
        decoder.register_forward_hook(lambda _module, _args, output: record.take(output[0]))
        if is_normed
        else decoder.norm.register_forward_pre_hook(lambda _module, args: record.take(args[0])),
    ]
    try:
        yield record
    finally:
        for hook in hooks:
            hook.remove()
