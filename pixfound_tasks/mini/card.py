"""PixMini's data card: `python -m pixfound_tasks.mini.card` prints its tables in Markdown.

They count pairs by pattern, sizes of masks and images, and say what is scored without seeing the images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from pixfound_tasks.benchmarks.documents import Document
from pixfound_tasks.benchmarks.pixmini import build
from pixfound_tasks.masks import area, decode

POINTS = 1000  # random points per image
SEED = 1


def main() -> None:
    """Print all tables."""
    documents = build()
    for lines in (patterns(documents), sizes(documents), chances(documents)):
        print("\n".join(lines), end="\n\n")


def patterns(documents: Sequence[Document]) -> Iterator[str]:
    """Yield a table: pairs, absent targets and the median mask of each pattern."""
    yield "| pattern | pairs | absent | median mask, % of the image | an example |"
    yield "|---|---|---|---|---|"
    for name, count in Counter(document.pattern for document in documents[::2]).items():
        rows = [document for document in documents if document.pattern == name]
        covers = [cover(document) for document in rows]
        median = np.median([each for each in covers if each])
        yield f"| {name} | {count} | {covers.count(0)} | {median:.1%} | {rows[0].question} |".replace("%", "")


def sizes(documents: Sequence[Document]) -> Iterator[str]:
    """Yield a table: how much of the image the masks cover, and the sizes of the images."""
    covers = [cover(document) for document in documents if area(document.mask)]
    points = (0, 10, 25, 50, 75, 90, 100)
    yield "| percentile of masks | " + " | ".join(map(str, points)) + " |"
    yield "|---" * (len(points) + 1) + "|"
    yield "| % of the image | " + " | ".join(f"{100 * each:.1f}" for each in np.percentile(covers, points)) + " |"
    shapes = Counter((document.width, document.height) for document in documents)
    yield ""
    yield "Images: " + ", ".join(f"{count} of {w} x {h}" for (w, h), count in shapes.most_common()) + " pixels."


def chances(documents: Sequence[Document]) -> Iterator[str]:
    """Yield a table: scores of answers and points that do not depend on the image, in percent."""
    present = [document for document in documents if area(document.mask)]
    rng = np.random.RandomState(SEED)
    letter = Counter(document.answer for document in documents).most_common(1)[0]
    by_option = Counter(document.options[ord(document.answer) - ord("a")] for document in documents)
    centers = [decode(document.mask)[document.height // 2, document.width // 2] for document in present]
    rows = {
        f"the most frequent letter ({letter[0].upper()}), images": letter[1] / len(documents),
        "the same, pairs": 0.0,
        "the more frequent of the two options over the benchmark, images": _majority(documents, by_option),
        "a guess, images": 0.5,
        "a guess, pairs": 0.25,
        "a random point in the mask": float(np.mean([_random_hits(document, rng) for document in present])),
        "the image's center in the mask": float(np.mean(centers)),
        "the whole image as the mask, mean IoU": float(np.mean([cover(document) for document in present])),
    }
    yield "| without seeing the image | % |"
    yield "|---|---|"
    for name, value in rows.items():
        yield f"| {name} | {100 * value:.1f} |"


def cover(document: Document) -> float:
    """Return the fraction of an image that its mask covers."""
    return area(document.mask) / (document.width * document.height)


def _majority(documents: Sequence[Document], by_option: Counter[str]) -> float:
    """Return the accuracy of answering, of each question's options, the one that is correct more often overall."""
    correct = 0.0
    for document in documents:
        counts = [by_option[option] for option in document.options]
        right = ord(document.answer) - ord("a")
        correct += 0.5 if counts[0] == counts[1] else counts[right] == max(counts)
    return correct / len(documents)


def _random_hits(document: Document, rng: np.random.RandomState) -> float:
    mask = decode(document.mask)
    return float(mask[rng.randint(document.height, size=POINTS), rng.randint(document.width, size=POINTS)].mean())


if __name__ == "__main__":
    main()
