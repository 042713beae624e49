"""Choose the attention heads that localize what a prompt refers to, without ground truth.

Source: Kang et al., "Your Large Vision-Language Model Only Needs A Few Attention Heads For Visual Grounding" (arXiv
2503.06287).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

_SELECTED = 10  # heads per document, as in the paper


def choose_heads(
    maps: Sequence[Float[np.ndarray, "layers heads _rows _columns"]], count: int = 3
) -> tuple[tuple[int, int], ...]:
    """Return the localization heads as (layer, head) pairs, best first.

    1. A head is a candidate if it attends to the image: its attention, summed over the image and averaged over the
       documents, is at or above the elbow of all heads (see `elbow`).
    2. In every document, the 10 candidates with the lowest `spatial_entropy` are selected.
    3. The `count` heads selected in the most documents are chosen. Ties go to the lower mean entropy, then to the lower
       layer, then to the lower head. (Without the mean entropy, all candidates would tie if step 1 left fewer than 10.)

    Args:
        maps: for each calibration document, the attention of the prompt's last token to the image. Grids may differ in
            size between documents.
        count: how many heads to choose. The paper finds 3 best for all its models.

    Raises:
        ValueError: if there are no documents, the maps differ in layers or heads, a value is not finite, all maps are
            constant, or count exceeds the number of heads that were ever selected.
    """
    _check(maps)
    mass = np.mean([document.sum(axis=(2, 3), dtype=np.float64) for document in maps], axis=0)
    candidates = np.argwhere(mass >= elbow(mass.ravel()))
    entropies = np.array([[spatial_entropy(document[tuple(pair)]) for pair in candidates] for document in maps])
    ranks = entropies.argsort(axis=1, kind="stable").argsort(axis=1)
    frequency = ((ranks < _SELECTED) & np.isfinite(entropies)).sum(axis=0)
    available = int((frequency > 0).sum())
    if not available:
        raise ValueError(
            "expected maps in which some head looks at one place more than at others, but all maps are constant: "
            "calibrate on other images"
        )
    if not 1 <= count <= available:
        raise ValueError(f"expected count in 1..{available}, the heads selected in any document, but got {count}")
    best = np.lexsort((entropies.mean(axis=0), -frequency))[:count]
    return tuple((int(layer), int(head)) for layer, head in candidates[best])


def elbow(values: Float[np.ndarray, " values"]) -> float:
    """Return the value at which the sorted values bend most.

    This is the value farthest from the chord between the smallest and the largest, or the first such value if several
    are equally far. The paper says "maximum curvature"; the chord is how its released code finds it.
    """
    ascending = np.sort(values)
    chord = np.linspace(ascending[0], ascending[-1], len(ascending))
    return float(ascending[np.abs(ascending - chord).argmax()])


def spatial_entropy(grid: Float[np.ndarray, "rows columns"]) -> float:
    """Return how scattered a map is: the entropy of the sizes of its regions above the mean, in nats.

        H = - sum_i P_i log P_i,  P_i = |C_i| / sum_j |C_j|

    The C_i are the 8-connected components of the map binarized at its mean. H is 0 for one component and infinite for a
    constant map.
    """
    above = (grid > grid.mean(dtype=np.float64)).astype(np.uint8)
    _, _, statistics, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    sizes = statistics[1:, cv2.CC_STAT_AREA]
    if not len(sizes):
        return np.inf
    fractions = sizes / sizes.sum()
    return float(-(fractions * np.log(fractions)).sum())


def _check(maps: Sequence[Float[np.ndarray, "layers heads _rows _columns"]]) -> None:
    if not len(maps):
        raise ValueError("expected the maps of at least one calibration document, but got none")
    shapes = [document.shape for document in maps]
    if any(len(shape) != 4 or 0 in shape or shape[:2] != shapes[0][:2] for shape in shapes):
        raise ValueError(f"expected maps (layers, heads, rows, columns) of the same layers and heads, but got {shapes}")
    if not all(np.isfinite(document).all() for document in maps):
        raise ValueError("expected maps with finite attention only, but some values are NaN or infinite")
