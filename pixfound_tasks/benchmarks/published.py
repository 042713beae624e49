"""What is known of the benchmarks as published: how many there are of what, and the annotations' checksums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pixfound_tasks import masks
from pixfound_tasks.benchmarks.documents import Document

COUNTS = {
    "pixmmvp": {
        "images": 300,
        "pairs": 150,
        "images without an expression": 14,
        "images with an empty mask": 53,
        "images of pattern Presence of Specific Features": 81,
        "images of pattern Positional and Relational Context": 56,
        "images of pattern State and Condition": 38,
        "images of pattern Color and Appearance": 28,
        "images of pattern Viewpoint and Perspective": 24,
        "images of pattern Quantity and Count": 24,
        "images of pattern Orientation and Direction": 23,
        "images of pattern Structural and Physical Characteristics": 14,
        "images of pattern Text": 12,
    },
    "pixcvbench": {
        "images": 1438,
        "images from ADE20K": 633,
        "images from COCO": 805,
        "Count questions": 788,
        "Relation questions": 650,
        "images with an empty mask": 1,
    },
    "pixmini": {"images": 120, "pairs": 60, "images with an empty mask": 7},
}
ANNOTATION_COUNTS = {
    "pixmmvp": {"Segmentations.json": 384},
    "pixcvbench": {"ADE20K/FinalSegmentations.json": 1366, "COCO/FinalSegmentations.json": 1672},
}
WITHOUT_EXPRESSION = ("23", "24", "105", "106", "145", "146", "241", "242", "273", "274", "295", "296", "299", "300")

# SHA-256 of the annotations that this release was tested with. The hub may bring a correction.
CHECKSUMS = {
    "pixmmvp": {
        "Objects.csv": "9d7b4ebcde03b1319cc651aab6eab72e366d374bc297fb0a3a9d9d05556ac816",
        "Segmentations.json": "ca101b1ed12180cc02cdca118bda125f8ccce47630198cba250270c92d2bcb24",
        "visual_patterns.csv": "c1ef6a6a4a361e544ce9c7365ddffcf4b3540b088189f765cc7ee60e9278f8ba",
    },
    "pixcvbench": {
        "Objects.csv": "e47ee51dc7cc963590934a50d7deb1ef43856d63587153670aa66b5bc7790608",
        "ADE20K/FinalSegmentations.json": "6538461659c98aa82f722825276320d9b24618e0f95f58e1f8602a90148cdebe",
        "COCO/FinalSegmentations.json": "4b348d03c4f8677ccc1b3cf03edb992d0362d30b8df9324c60dc461786f40bcb",
    },
}
# `documents.fingerprint` of what is drawn: the same bits on every machine.
PIXMINI_DIGEST = "8589296cc0b2ef5c5a537f2273f9b52a25f50c702e02c9c0efcbb4cbd00f6e46"


def tally(documents: Iterable[Document]) -> dict[str, int]:
    """How many there are of what, under the names in `COUNTS`; images are not looked at."""
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
