"""How queries read patches: which attention calls of a vision part carry patches to image tokens, found by measurement.

Resamplers and Q-Formers are read by cross-attention. Learned queries may also stand in one sequence with the patches
that they read. In both, a call's rows are queries, each of which becomes one image token, and its keys are patches,
earlier states of the queries, or anything else (words, class tokens). Gradients say which is which:

- rows: the token that a row of the call's output reaches, with self-attention made the identity;
- states: the row of the call before that a key comes from;
- patches: keys that depend on the picture and are no states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pixfound_tasks.attention.measured.errors import NotMeasurable
from pixfound_tasks.attention.measured.image_tokens import changed_count, image_ids, prompt_image_mask
from pixfound_tasks.attention.measured.query_calls import AttentionCalls, Seen
from pixfound_tasks.attention.measured.query_reading import Reading, ReadingCall
from pixfound_tasks.attention.measured.reach import Gradients, reach
from pixfound_tasks.attention.measured.vision_part import VisionPart

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int

_SURE = 0.9  # of the numbers of a row that reach anything must reach the same
_CHANGED = 1e-4  # of the largest change


class KeysPart(VisionPart):
    """The part of a model before its image tokens' queries: what "enters the decoder" are the keys that they read."""

    def __init__(self, model: Any, sources: Sequence[int]) -> None:
        super().__init__(model)
        self._sources = sources

    def embed(
        self, inputs: Mapping[str, Any], with_gradient: bool = False, mixing: bool = False
    ) -> Float32[Tensor, "keys width"]:
        """Return the values of the keys, one call after another; see `VisionPart.embed`."""
        with self.watching(AttentionCalls(self._sources)) as calls:
            super().embed(inputs, with_gradient, mixing)
        self.is_crossing = True  # the keys are not among the prompt's tokens
        with torch.inference_mode(False), torch.set_grad_enabled(with_gradient):
            rows = [seen.by_row(seen.value).flatten(0, 1).float() for seen in calls.seen]
            return torch.cat(rows)


def find_reading(part: VisionPart, first: Mapping[str, Any], second: Mapping[str, Any]) -> Reading | None:
    """Return how the image tokens of a prompt read patches; None if they are no queries.

    Args:
        part: the vision part of a model.
        first: its inputs for a prompt.
        second: those for the prompt with other pictures of the same sizes.

    Raises:
        NotMeasurable: if they are queries, but what they read cannot be told.
    """
    names = [name for name, value in first.items() if _is_picture(value, second.get(name))]
    before, after = (part.embed(inputs, mixing=True) for inputs in (first, second))
    ids: tuple[int, ...] = ()
    positions = torch.arange(len(before))
    if not part.is_crossing:
        ids = tuple(image_ids(first["input_ids"], before, after).tolist())
        positions = prompt_image_mask(first, ids).flatten().nonzero()[:, 0].cpu()
    with part.watching(AttentionCalls()) as calls:
        gradients = Gradients(part, first, names)
    if not len(positions) or not gradients.embedded.requires_grad:
        return None
    found = _query_calls(gradients, calls.seen, positions)
    if not found:
        return None
    with part.watching(AttentionCalls({seen.number for seen, _ in found})) as again:
        part.embed(second)
    changed = [_changed_keys(one, other) for (one, _), other in zip(found, again.seen)]
    reading = _joined(part, found, changed, ids, len(positions))
    expected = changed_count(before, after)
    read = {token for call in reading.calls for token in call.tokens.ravel().tolist()} - {-1}
    if len(read) != expected:
        raise NotMeasurable(f"expected queries that become {expected} image tokens, but they become {len(read)}")
    return reading


def _is_picture(value: Any, other: Any) -> bool:
    return torch.is_tensor(value) and value.is_floating_point() and not torch.equal(value, other)


class _Between(Gradients):
    """Gradients of some rows with respect to an attention call's output."""

    def __init__(self, part: VisionPart, embedded: Float32[Tensor, "rows width"], output: Tensor) -> None:
        self.part, self.names, self.leaves, self.embedded = part, ["output"], [output], embedded
        self.lift = 1.0


def _query_calls(
    gradients: Gradients, calls: Sequence[Seen], positions: Int[Tensor, " tokens"]
) -> list[tuple[Seen, Int[np.ndarray, "items rows"]]]:
    """Return the calls whose rows become image tokens one by one, each with its rows' tokens."""
    found: list[tuple[Seen, np.ndarray]] = []
    exact: list[bool] = []
    for seen in reversed(calls):
        if not seen.output.requires_grad:
            continue
        tokens = _rows(seen, _Between(gradients.part, gradients.embedded, seen.output), positions)
        if tokens is None:
            continue
        exact.append(bool((tokens >= 0).any()))
        if not exact[-1]:
            # Queries that also read one another's states reach several tokens: those of the calls after them.
            same = [known for _, known in found if known.shape == tokens.shape]
            if not same:
                exact.pop()
                break
            tokens = same[-1]
        found.append((seen, tokens))
    found.reverse()
    crossing = [number for number, (seen, _) in enumerate(found) if not seen.is_own]
    if crossing:
        return found[crossing[0] :]
    return [one for one, is_exact in zip(found, reversed(exact)) if is_exact]


def _rows(seen: Seen, gradients: Gradients, positions: Int[Tensor, " tokens"]) -> Int[np.ndarray, "items rows"] | None:
    """Return the token that each row of a call's output reaches, -1 for none; None if no row reaches any.

    All are -1 if rows reach several tokens.
    """
    found = reach(gradients, positions)
    if found is None:
        return None
    token, reaching = (seen.numbers_by_row(values["output"]) for values in (found.token, found.is_reaching))
    best = token.max(axis=-1)
    agreeing = ((token == best[..., None]) & reaching).sum(axis=-1)
    count = reaching.sum(axis=-1)
    if ((best < 0) & (count > 0)).any() or (agreeing < _SURE * count).any():
        return np.full(best.shape, -1)
    return np.where(count > 0, best, -1)


def _changed_keys(one: Seen, other: Seen) -> Bool[np.ndarray, "items keys"]:
    """Return which keys depend on the picture."""
    change = (one.by_row(one.value.detach()) - other.by_row(other.value)).float().norm(dim=-1)
    return (change > _CHANGED * change.max()).cpu().numpy()


def _joined(
    part: VisionPart,
    found: Sequence[tuple[Seen, Int[np.ndarray, "items rows"]]],
    changed: Sequence[Bool[np.ndarray, "items keys"]],
    ids: tuple[int, ...],
    count: int,
) -> Reading:
    calls, sources, total = list[ReadingCall](), list[int](), 0
    latest: dict[int, int] = {}  # the last call that a token took part in
    patches: dict[int, np.ndarray] = {}  # the columns of the patches that a token reads
    for number, ((seen, tokens), is_changed) in enumerate(zip(found, changed)):
        own = int(tokens[tokens >= 0][0])
        columns, states = (np.full(is_changed.shape, -1) for _ in range(2))
        if own not in latest:
            columns = total + np.arange(columns.size).reshape(columns.shape)
            total += columns.size
            patches[own] = columns[is_changed]
            sources.append(seen.number)
        else:
            states = _states(part, seen, *found[latest[own]])
            is_patch = is_changed & (states < 0)
            own_patches = patches[min(set(patches) & set(tokens.ravel().tolist()))]
            if is_patch.any():
                if is_patch.sum() != len(own_patches):
                    raise NotMeasurable(
                        f"expected queries that read the same {len(own_patches)} patches in every layer, but they read "
                        f"{is_patch.sum()} in another"
                    )
                columns[is_patch] = own_patches
        latest |= dict.fromkeys(tokens[tokens >= 0].tolist(), number)
        calls.append(ReadingCall(seen.number, tokens, columns, states))
    return Reading(tuple(calls), ids, count, total, tuple(sources))


def _states(
    part: VisionPart, seen: Seen, before: Seen, tokens: Int[np.ndarray, "items rows"]
) -> Int[np.ndarray, "items keys"]:
    """Return the tokens whose states the keys of a call are, -1 for others, from the call before it."""
    with torch.inference_mode(False), torch.enable_grad():
        keys = seen.by_row(seen.value)
        states = np.full(keys.shape[:2], -1)
        flat = keys.flatten(0, 1)
    if not flat.requires_grad:
        return states
    key_of = _rows(before, _Between(part, flat.float(), before.output), torch.arange(len(flat)))
    if key_of is None:
        return states
    if not (key_of >= 0).any():
        raise NotMeasurable("expected keys that each hold the state of one query, but they hold several")
    states.reshape(-1)[key_of[key_of >= 0]] = tokens[key_of >= 0]
    return states
