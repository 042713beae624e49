"""Counts the documents of a benchmark by kind, for comparison with the published counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pixfound_tasks import masks
from pixfound_tasks.benchmarks.documents import Document


def tally(documents: Iterable[Document]) -> dict[str, int]:
    """Count the documents of each kind, by the names in `Published.counts`. Omits zeros. Does not read the images."""
    counts: Counter[str] = Counter()
    pairs = set()
    for document in documents:
        pairs.add(document.pair)
        counts["images"] += 1
        counts["images without an expression"] += document.expression is None
        counts["images with an empty mask"] += masks.area(document.mask) == 0
        counts[f"images of pattern {document.pattern}"] += bool(document.pattern)
        counts[f"images from {document.source}"] += bool(document.source)
        counts[f"{document.task} questions"] += bool(document.task)
    counts["pairs"] = len(pairs - {None})
    return {name: count for name, count in counts.items() if count}
