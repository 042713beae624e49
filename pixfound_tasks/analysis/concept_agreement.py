"""Agreement between a classifier of concepts and a person's labels. The classifiers are in `analysis.concepts`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from pixfound_tasks.analysis.best_phrase import ConceptClassifier
from pixfound_tasks.analysis.concepts import CONCEPTS, make_classifier

__all__ = ["CONCEPTS", "Agreement", "agreement", "make_classifier"]


class Agreement(NamedTuple):
    """How many of `total` phrases a classifier labels as the person did, and Cohen's kappa.

    Kappa is at most 1, and 0 for agreement by chance. It is NaN if both give every phrase the same one label, or there
    are no phrases.
    """

    correct: int
    total: int
    kappa: float


def agreement(classifier: ConceptClassifier, labelled: Iterable[tuple[str, str]]) -> Agreement:
    """Compare a classifier with a person's labels, given as (phrase, concept)."""
    pairs = [(concept, classifier.classify(phrase)) for phrase, concept in labelled]
    correct = sum(given == found for given, found in pairs)
    given, found = (Counter(concepts) for concepts in zip(*pairs)) if pairs else (Counter(), Counter())
    by_chance = sum(given[concept] * found[concept] for concept in CONCEPTS)
    total = len(pairs)
    kappa = (correct * total - by_chance) / (total**2 - by_chance) if by_chance < total**2 else math.nan
    return Agreement(correct, total, kappa)
