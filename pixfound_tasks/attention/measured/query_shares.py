"""How much each image token read of each patch: attention of queries to patches, joined over their layers.

    S[t] = (S[t] + sum_k A[t, k] (patch of k + S[state of k])) / 2        for each layer, from S = 0
    shares[t] = S[t] / sum_p S[t, p]

A is the attention averaged over heads. This is attention rollout (Abnar and Zuidema, "Quantifying Attention Flow in
Transformers", arXiv 2005.00928), whose residual connection is the half that stays, with the rule for two sequences of
Chefer et al., "Generic Attention-model Explainability" (arXiv 2103.15679): queries take from patches what they attend
to, and from one another what those took before. A patch stands for its place, as for every other vision tower: that
patches see one another is left out, and so is what words tell queries. With one layer it is the attention itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pixfound_tasks.attention.measured.query_calls import AttentionCalls
from pixfound_tasks.attention.measured.query_reading import Reading
from pixfound_tasks.attention.measured.vision_part import VisionPart

if TYPE_CHECKING:
    from jaxtyping import Float32, Int


def query_shares(model: Any, inputs: Mapping[str, Any], reading: Reading) -> Float32[np.ndarray, "tokens columns"]:
    """Return what share each image token read of each patch. Rows add up to 1, or are 0.

    Args:
        model: the model; its vision part runs once.
        inputs: its inputs for one prompt, on its device.
        reading: how its image tokens read patches.

    Raises:
        ValueError: if the prompt is laid out otherwise than the one that was measured.
    """
    part = VisionPart(model)
    with part.watching(AttentionCalls([call.number for call in reading.calls], with_weights=True)) as calls:
        part.embed(part.cast(inputs), mixing=True)
    shares = np.zeros((reading.tokens, reading.columns), np.float32)
    for call, seen in zip(reading.calls, calls.seen, strict=True):
        if seen.weights is None:
            raise ValueError("expected the attention of queries to patches, but the model's attention did not give it")
        weights = seen.weights.float().cpu().numpy()
        tokens = _fitted(call.tokens, weights.shape[:2])
        columns, states = (_fitted(values, weights.shape[::2]) for values in (call.columns, call.states))
        taken = shares.copy()
        for item, own in enumerate(weights):
            content = np.zeros((len(own), reading.columns), np.float32)
            np.add.at(content.T, columns[item][columns[item] >= 0], own[:, columns[item] >= 0].T)
            content += own[:, states[item] >= 0] @ shares[states[item][states[item] >= 0]]
            rows = tokens[item] >= 0
            taken[tokens[item][rows]] = (shares[tokens[item][rows]] + content[rows]) / 2
        shares = taken
    total = shares.sum(axis=1, keepdims=True)
    return np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)


def _fitted(values: Int[np.ndarray, "items length"], shape: tuple[int, ...]) -> Int[np.ndarray, "items other_length"]:
    """Return values for a prompt of another length: queries that also read words have these after them."""
    items, length = shape
    if values.shape == shape:
        return values
    kept = values[:, :length]
    if len(values) != items or values[:, -1].max() >= 0 or values[:, length:].max(initial=-1) >= 0:
        raise ValueError(
            f"expected attention of queries as measured, {values.shape}, but the model computes {shape}: the prompt is "
            "laid out otherwise"
        )
    return np.pad(kept, ((0, 0), (0, length - kept.shape[1])), constant_values=-1)
