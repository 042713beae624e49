"""Choose the attention heads that point at what a prompt is about, without knowing where that is.

Source: Kang et al., "Your Large Vision-Language Model Only Needs A Few Attention Heads For Visual Grounding" (arXiv
2503.06287).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_SELECTED = 10  # heads per document, as in the paper


def choose_heads(maps: Sequence[np.ndarray], count: int = 3) -> tuple[tuple[int, int], ...]:
    """The localization heads as (layer, head) pairs, best first.

    1. A head must look at the image: its attention to the image, summed over it and averaged over the documents, is
       at or above the elbow of all heads' (`elbow`).
    2. In every document, the 10 of these with the lowest `spatial_entropy` are selected.
    3. The `count` heads selected in most documents are chosen; ties go to the lower mean entropy, then to the lower
       layer, then to the lower head. (Without the mean entropy, fewer than 10 heads left by step 1 would all tie.)

    Args:
        maps: per calibration document float32 (layers, heads, rows, columns), attention of the prompt's last token to
            the image. The grids of two documents may differ in size.
        count: how many heads; the paper finds 3 best for all its models.

    Raises:
        ValueError: for no documents, maps that are not of the same layers and heads, values that are not finite, or a
            count beyond the heads that were ever selected.
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
            "expected maps in which some head looks at one place more than at others, but all are constant"
        )
    if not 1 <= count <= available:
        raise ValueError(f"expected count in 1..{available}, the heads selected in some document, but got {count}")
    best = np.lexsort((entropies.mean(axis=0), -frequency))[:count]
    return tuple((int(layer), int(head)) for layer, head in candidates[best])


def elbow(values: np.ndarray) -> float:
    """The value where sorted values (n,) bend most: the one farthest from the chord between the least and greatest.

    The paper says "maximum curvature"; the chord is how its released code finds it. The first of equally far ones.
    """
    ascending = np.sort(values)
    chord = np.linspace(ascending[0], ascending[-1], len(ascending))
    return float(ascending[np.abs(ascending - chord).argmax()])


def spatial_entropy(grid: np.ndarray) -> float:
    """How scattered a map (rows, columns) is: the entropy of the sizes of its parts above the mean, in nats.

        H = - sum_i P_i log P_i,  P_i = |C_i| / sum_j |C_j|

    over the 8-connected components C_i of the map binarised at its mean. 0 for one part, infinite for a constant map.
    """
    above = (grid > grid.mean(dtype=np.float64)).astype(np.uint8)
    _, _, statistics, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    sizes = statistics[1:, cv2.CC_STAT_AREA]
    if not len(sizes):
        return np.inf
    shares = sizes / sizes.sum()
    return float(-(shares * np.log(shares)).sum())


def _check(maps: Sequence[np.ndarray]) -> None:
    if not len(maps):
        raise ValueError("expected the maps of at least one calibration document, but got none")
    shapes = [document.shape for document in maps]
    if any(len(shape) != 4 or 0 in shape or shape[:2] != shapes[0][:2] for shape in shapes):
        raise ValueError(f"expected maps (layers, heads, rows, columns) of the same layers and heads, but got {shapes}")
    if not all(np.isfinite(document).all() for document in maps):
        raise ValueError("expected maps of finite attention, but some are not")
