"""Reduce what was recorded of one answer to one value per generated token and image token.

Every reducer takes a `Recorded` and returns the values. Rows that were not recorded (NaN) stay NaN and do not affect
other rows. `tam` reads no rows. `non_finite_rows_to_nan` replaces every row that holds a non-finite value with NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pixfound_tasks.registry import Registry

if TYPE_CHECKING:
    from jaxtyping import Float32

GENERIC_PROMPT = "Write a general description of the image."

_GENERIC_FLOOR = 1e-3  # relative to the generic row's mean; so far below typical values that it acts only on zeros
_SINK_RATIO = 10.0  # relative to the row's median


@dataclass(frozen=True)
class Recorded:
    """What was recorded of one answer.

    Attributes:
        rows: attention averaged over the chosen layers and heads.
        generic: the row that predicts the first token of the answer to GENERIC_PROMPT.
        activations: see `ActivationRecord.values`.
        interference: see `ActivationRecord.interference`.
        end: the row that predicts the end of the answer; None if the answer was cut off.
    """

    rows: Float32[np.ndarray, "tokens image_tokens"]
    generic: Float32[np.ndarray, " image_tokens"] | None = None
    activations: Float32[np.ndarray, "tokens image_tokens"] | None = None
    interference: Float32[np.ndarray, "tokens image_tokens"] | None = None
    end: Float32[np.ndarray, " image_tokens"] | None = None


def non_finite_rows_to_nan(recorded: Recorded) -> Recorded:
    """Return a copy in which every row with a value that is not finite is NaN.

    A generic row with such a value becomes NaN as a whole.
    """
    return replace(
        recorded,
        rows=_finite_or_nan(recorded.rows),
        end=None if recorded.end is None else _finite_or_nan(recorded.end),
        generic=None if recorded.generic is None else _finite_or_nan(recorded.generic),
        activations=None if recorded.activations is None else _finite_or_nan(recorded.activations),
        interference=None if recorded.interference is None else _finite_or_nan(recorded.interference),
    )


def _finite_or_nan(values: Float32[np.ndarray, "*tokens image_tokens"]) -> Float32[np.ndarray, "*tokens image_tokens"]:
    """Keep finite rows, and set all other rows to NaN."""
    return np.where(np.isfinite(values).all(axis=-1, keepdims=True), values, np.float32(np.nan))


def mean(recorded: Recorded) -> Float32[np.ndarray, "tokens image_tokens"]:
    """Return the rows unchanged: attention averaged over layers and heads."""
    return recorded.rows


def mean_centered(recorded: Recorded) -> Float32[np.ndarray, "tokens image_tokens"]:
    """Subtract the mean row of the answer: what each token attends to beyond what all its tokens attend to.

        values[t] = rows[t] - mean_s rows[s]

    Source: attend-and-segment, "PixFoundation" (arXiv 2502.04192), section 3.
    """
    return _centered(recorded.rows)


def study(recorded: Recorded) -> Float32[np.ndarray, "tokens image_tokens"]:
    """Subtract the mean row of all generated tokens, the end of the answer included, as the authors' scripts do.

    values[t] = rows[t] - mean_s rows[s]    over the tokens s of the answer and its end-of-text token
    """
    rows = recorded.rows if recorded.end is None else np.concatenate([recorded.rows, recorded.end[None]])
    return _centered(rows)[: len(recorded.rows)]


def relative(recorded: Recorded) -> Float32[np.ndarray, "tokens image_tokens"]:
    """Divide the attention for the prompt by the attention for a general description of the image.

        values[t, j] = rows[t, j] / max(generic[j], mean(generic) / 1000)

    The floor keeps values finite at image tokens that get no attention from the general description. If the generic row
    is NaN (see `non_finite_rows_to_nan`), all values are NaN.

    Source: "MLLMs Know Where to Look" (arXiv 2502.17422), relative attention. The paper uses the row of the prompt's
    last token in one chosen layer. This function uses the row of every generated token, averaged over the chosen
    layers.

    Raises:
        ValueError: if the generic row is missing, does not hold one value per image token, or has no positive mean.
    """
    rows, generic = recorded.rows, recorded.generic
    if generic is None or generic.shape != rows.shape[1:] or generic.mean() <= 0:
        got = "nothing" if generic is None else f"shape {generic.shape}, mean {generic.mean() if generic.size else 0}"
        raise ValueError(
            f"reducer 'relative' expects the generic prompt's row, shape {rows.shape[1:]} with a positive mean, "
            f"but got {got}"
        )
    return rows / np.maximum(generic, generic.mean() * _GENERIC_FLOOR)


def heads(recorded: Recorded) -> Float32[np.ndarray, "tokens image_tokens"]:
    """Return the rows unchanged. They must be recorded with the localization heads only (see `choose_heads`).

        values[t] = 1/n sum_(l,h) attention[l, h, t]    over the n chosen heads

    Source: "Your Large Vision-Language Model Only Needs A Few Attention Heads For Visual Grounding" (arXiv 2503.06287).
    The paper sums the heads' maps, which differs only by the factor 1/n. Its row is that of the prompt's last token,
    which predicts the first token here. Its Gaussian smoothing is left out, because rows do not hold the positions of
    their image tokens. The paper smooths a map before thresholding it at its mean; no mask is cut from the map here.
    """
    return recorded.rows


def sink_filtered(recorded: Recorded) -> Float32[np.ndarray, "tokens image_tokens"]:
    """Center the rows, and remove the image tokens that draw attention from every query (attention sinks).

        sink[j] = every row t has rows[t, j] > 10 median_i rows[t, i]
        values = mean-centered rows; a sink gets the lowest value of the other image tokens in its row

    With the lowest value, a sink is not the only peak of a row or of an average over rows, and painted maps stay
    finite. If an answer has few tokens and all attend strongly to one thing, that thing cannot be distinguished from a
    sink.

    Source: "See What You Are Told: Visual Attention Sink in Large Multimodal Models" (arXiv 2503.03321). The paper
    finds sinks by massive activations in hidden dimensions that must be known for every language model. This function
    uses their defining property, attention that does not depend on the query. It needs only the rows and works for any
    model.
    """
    rows = recorded.rows
    known = rows[~np.isnan(rows).any(axis=1)]
    if not len(known):
        return rows
    sinks = (known > _SINK_RATIO * np.median(known, axis=1, keepdims=True)).all(axis=0)
    centered = _centered(rows)
    # At most half of a row exceeds its median, so some image token is not a sink.
    least = centered[:, ~sinks].min(axis=1, keepdims=True)
    return np.where(sinks, least, centered)


def value_norm(recorded: Recorded) -> Float32[np.ndarray, "tokens image_tokens"]:
    """Center the rows. They must be recorded as attention times the norm of the value vector.

        rows[t, j] = mean_(l,h) attention[l, h, t, j] |value[l, h, j]|

    Source: Kobayashi et al., "Attention is Not Only a Weight" (arXiv 2004.10102). The paper's vector has passed through
    the head's part of the output projection. The value vector here has not.
    """
    return _centered(recorded.rows)


def tam(recorded: Recorded) -> Float32[np.ndarray, "tokens image_tokens"]:
    """Token activation map: what a token activates in the image beyond what its context does. It uses no attention.

        A[t] = max(activations[t], 0),  I[t] = interference[t]
        s[t] = <A[t], I[t]> / <I[t], I[t]>    the least-squares scale of I[t] to A[t], or 0 if I[t] = 0
        values[t] = max(A[t] - s[t] I[t], 0)

    Source: "Token Activation Map to Visually Explain Multimodal LLMs" (arXiv 2506.23270), estimated causal inference.
    The paper's rank Gaussian filter is left out. It needs an image token's neighbors on a grid, which rows do not hold.

    Raises:
        ValueError: if activations or interference are missing, or differ in shape.
    """
    activations, interference = recorded.activations, recorded.interference
    if activations is None or interference is None or activations.shape != interference.shape:
        got = [None if values is None else values.shape for values in (activations, interference)]
        raise ValueError(f"reducer 'tam' expects activations and interference of one shape, but got {got}")
    positive = np.maximum(activations, 0)
    power = (interference**2).sum(axis=1, keepdims=True)
    shared = (positive * interference).sum(axis=1, keepdims=True)
    scale = np.divide(shared, power, out=np.zeros_like(power), where=power != 0)
    return np.maximum(positive - scale * interference, 0)


def _centered(rows: Float32[np.ndarray, "tokens image_tokens"]) -> Float32[np.ndarray, "tokens image_tokens"]:
    known = ~np.isnan(rows).any(axis=1)
    return rows - rows[known].mean(axis=0) if known.any() else rows


class Reducer(NamedTuple):
    """A reducer and what it needs recorded in addition to plain rows.

    `needs` is a subset of "value_norm", "end", "generic", "heads" and "activations".
    """

    function: Callable[[Recorded], Float32[np.ndarray, "tokens image_tokens"]]
    needs: frozenset[str] = frozenset()


_REDUCERS = {
    "mean_centered": Reducer(mean_centered),
    "study": Reducer(study, frozenset({"end"})),
    "mean": Reducer(mean),
    "relative": Reducer(relative, frozenset({"generic"})),
    "heads": Reducer(heads, frozenset({"heads"})),
    "sink_filtered": Reducer(sink_filtered),
    "value_norm": Reducer(value_norm, frozenset({"value_norm"})),
    "tam": Reducer(tam, frozenset({"activations"})),
}
REDUCERS: Registry[Reducer] = Registry(
    "a reducer", "pixfound_tasks.reducers", _REDUCERS, lambda record: isinstance(record, Reducer)
)


def register_reducer(name: str, reducer: Reducer) -> Reducer:
    """Add a reducer, and return it.

    Raises ValueError if another reducer has the name.
    """
    return REDUCERS.register(name, reducer)
