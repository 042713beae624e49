"""How far a classifier of concepts agrees with a person; the classifiers themselves stand in `scoring.concepts`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from pixfound_tasks.scoring.best_phrase import ConceptClassifier
from pixfound_tasks.scoring.concepts import CONCEPTS, make_classifier

__all__ = ["CONCEPTS", "Agreement", "agreement", "make_classifier"]


class Agreement(NamedTuple):
    """How often, of how many, a classifier says what a person said; and Cohen's kappa, at most 1, 0 for chance.

    Kappa is NaN where both say one and the same of everything, or there is nothing.
    """

    right: int
    total: int
    kappa: float


def agreement(classifier: ConceptClassifier, labelled: Iterable[tuple[str, str]]) -> Agreement:
    """Compare with phrases and the concepts that a person gave them."""
    pairs = [(concept, classifier.classify(phrase)) for phrase, concept in labelled]
    right = sum(given == found for given, found in pairs)
    given, found = (Counter(concepts) for concepts in zip(*pairs)) if pairs else (Counter(), Counter())
    by_chance = sum(given[concept] * found[concept] for concept in CONCEPTS)
    total = len(pairs)
    kappa = (right * total - by_chance) / (total**2 - by_chance) if by_chance < total**2 else math.nan
    return Agreement(right, total, kappa)
