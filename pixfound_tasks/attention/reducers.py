"""From what was recorded of one answer and one image to one value per generated token and image token.

Every reducer takes a `Recorded` and gives float32 (tokens, image tokens). Rows that were not recorded (NaN) stay NaN
and do not count for the others; `tam` reads no rows. Where a model computed what is not finite, `usable` makes rows of
it that were not recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

GENERIC_PROMPT = "Write a general description of the image."

_GENERIC_FLOOR = 1e-3  # of the generic row's mean: far below what an image token gets, so that it acts on zeros alone
_SINK_RATIO = 10.0  # times the row's median


@dataclass(frozen=True)
class Recorded:
    """What was recorded of one answer.

    Attributes:
        rows: float32 (tokens, image tokens), attention averaged over the chosen layers and heads.
        generic: float32 (image tokens,), the row that predicts the first token of the answer to GENERIC_PROMPT.
        activations: float32 (tokens, image tokens), see `ActivationRecord.values`.
        interference: float32 (tokens, image tokens), see `ActivationRecord.interference`.
    """

    rows: np.ndarray
    generic: np.ndarray | None = None
    activations: np.ndarray | None = None
    interference: np.ndarray | None = None


def usable(recorded: Recorded) -> Recorded:
    """The same with every row NaN that holds a value that is not finite; a generic row that does is NaN as a whole."""
    return replace(
        recorded,
        rows=_finite_or_nan(recorded.rows),
        generic=None if recorded.generic is None else _finite_or_nan(recorded.generic),
        activations=None if recorded.activations is None else _finite_or_nan(recorded.activations),
        interference=None if recorded.interference is None else _finite_or_nan(recorded.interference),
    )


def _finite_or_nan(values: np.ndarray) -> np.ndarray:
    """Rows (..., image tokens) as they are, or NaN."""
    return np.where(np.isfinite(values).all(axis=-1, keepdims=True), values, np.float32(np.nan))


def mean(recorded: Recorded) -> np.ndarray:
    """The rows as they are: attention averaged over layers and heads."""
    return recorded.rows


def mean_centered(recorded: Recorded) -> np.ndarray:
    """What each token looks at beyond what every token looks at: the rows less their mean over the answer's tokens.

        values[t] = rows[t] - mean_s rows[s]

    Source: attend-and-segment, "PixFoundation" (arXiv 2502.04192), section 3.
    """
    return _centered(recorded.rows)


def relative(recorded: Recorded) -> np.ndarray:
    """Attention for the question as a multiple of the attention for a general description of the image.

        values[t, j] = rows[t, j] / max(generic[j], mean(generic) / 1000)

    The floor keeps an image token to which the general description gives no attention from becoming infinite.
    Source: "MLLMs Know Where to Look" (arXiv 2502.17422), relative attention. There the row is that of the prompt's
    last token in one layer of one's choice; here it is every generated token's, over the chosen layers.

    Without a usable generic row (NaN) no value is known.

    Raises:
        ValueError: if the generic row is missing, not one value per image token, or has no positive mean.
    """
    rows, generic = recorded.rows, recorded.generic
    if generic is None or generic.shape != rows.shape[1:] or generic.mean() <= 0:
        got = "nothing" if generic is None else f"shape {generic.shape}, mean {generic.mean() if generic.size else 0}"
        raise ValueError(
            f"reducer 'relative' expects the generic prompt's row, {rows.shape[1:]} and positive, but got {got}"
        )
    return rows / np.maximum(generic, generic.mean() * _GENERIC_FLOOR)


def heads(recorded: Recorded) -> np.ndarray:
    """The rows as they are, recorded with the localization heads alone.

        values[t] = 1/n sum_(l,h) attention[l, h, t]    over the n chosen heads

    Source: "Your Large Vision-Language Model Only Needs A Few Attention Heads For Visual Grounding" (arXiv
    2503.06287), which sums the heads' maps: the same up to the factor. Its Gaussian smoothing is left out, as rows do
    not know where their image tokens lie; there it serves a threshold at the map's mean, here no mask is cut from the
    map. Its row is that of the prompt's last token, which here predicts the first token. See `choose_heads`.
    """
    return recorded.rows


def sink_filtered(recorded: Recorded) -> np.ndarray:
    """The centered rows without the image tokens that draw attention from every query.

        sink[j] = every row t has rows[t, j] > 10 median_i rows[t, i]
        values = mean-centered rows; a sink gets the least value of the other image tokens in its row

    The least value keeps a sink from being the only peak of a row or of an average over rows, and keeps painted maps
    finite. An answer of few tokens that all look hard at one thing cannot be told from a sink.
    Source: "See What You Are Told: Visual Attention Sink in Large Multimodal Models" (arXiv 2503.03321). There sinks
    are found by massive activations in hidden dimensions that have to be known for every language model; here by what
    defines them, attention that does not depend on the query, which needs the rows alone and holds for any model.
    """
    rows = recorded.rows
    known = rows[~np.isnan(rows).any(axis=1)]
    if not len(known):
        return rows
    sinks = (known > _SINK_RATIO * np.median(known, axis=1, keepdims=True)).all(axis=0)
    centered = _centered(rows)
    # At most half of a row exceeds its median: some image token is left.
    least = centered[:, ~sinks].min(axis=1, keepdims=True)
    return np.where(sinks, least, centered)


def value_norm(recorded: Recorded) -> np.ndarray:
    """The centered rows, recorded as attention times the norm of the value vector it fetches.

        rows[t, j] = mean_(l,h) attention[l, h, t, j] |value[l, h, j]|

    Source: Kobayashi et al., "Attention is Not Only a Weight" (arXiv 2004.10102). Their vector has gone through the
    head's part of the output projection; the value vector here has not.
    """
    return _centered(recorded.rows)


def tam(recorded: Recorded) -> np.ndarray:
    """Token activation map: what a token activates in the image beyond what its context already does. No attention.

        A[t] = max(activations[t], 0),  I[t] = interference[t]
        s[t] = <A[t], I[t]> / <I[t], I[t]>    the least-squares scale of I[t] to A[t], 0 where I[t] = 0
        values[t] = max(A[t] - s[t] I[t], 0)

    Source: "Token Activation Map to Visually Explain Multimodal LLMs" (arXiv 2506.23270), estimated causal inference.
    Its rank Gaussian filter is left out: it needs the neighbours of an image token on a grid, which rows do not know.

    Raises:
        ValueError: if activations or interference are missing, or of different shapes.
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


def _centered(rows: np.ndarray) -> np.ndarray:
    known = ~np.isnan(rows).any(axis=1)
    return rows - rows[known].mean(axis=0) if known.any() else rows


class Reducer(NamedTuple):
    """A reducer and, of "value_norm", "generic", "heads", "activations", what it needs recorded beside plain rows."""

    function: Callable[[Recorded], np.ndarray]
    needs: frozenset[str] = frozenset()


REDUCERS: dict[str, Reducer] = {
    "mean_centered": Reducer(mean_centered),
    "mean": Reducer(mean),
    "relative": Reducer(relative, frozenset({"generic"})),
    "heads": Reducer(heads, frozenset({"heads"})),
    "sink_filtered": Reducer(sink_filtered),
    "value_norm": Reducer(value_norm, frozenset({"value_norm"})),
    "tam": Reducer(tam, frozenset({"activations"})),
}
