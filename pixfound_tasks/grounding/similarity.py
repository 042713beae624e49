"""How much a phrase of an answer means the same as a referring expression."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pixfound_tasks.grounding.phrases import content_words, load_pipeline, rule_phrases

Similarity = Callable[[str, str], float]

_HEAD_WEIGHT = 2  # the head says what a thing is, a modifier only which
_ARTICLES = ("the ", "an ", "a ")


def lexical_similarity(phrase: str, expression: str) -> float:
    """Shared words over the words of the shorter, in 0..1, the head counting twice; of the expression its first phrase.

    So "the circle" and "a large red circle" agree (1), "the red circle" and "a blue circle" do not (0.67).
    """
    first = rule_phrases(expression)
    named, asked = content_words(phrase), content_words(first[0].text if first else expression)
    if not named or not asked:
        return 0.0
    weights = [{word: 1 for word in words} | {words[-1]: _HEAD_WEIGHT} for words in (named, asked)]
    shared = sum(min(weights[0][word], weights[1][word]) for word in weights[0].keys() & weights[1].keys())
    return shared / min(sum(weight.values()) for weight in weights)


def vector_similarity(phrase: str, expression: str, pipeline) -> float:
    """Cosine of spaCy's vectors in -1..1, a leading article dropped, in lower case (PixFoundation section 3)."""
    first, second = (pipeline(_without_article(text.lower())) for text in (phrase, expression))
    return float(first.similarity(second)) if first.has_vector and second.has_vector else 0.0


def _without_article(text: str) -> str:
    return next((text[len(article) :] for article in _ARTICLES if text.startswith(article)), text)


def make_similarity(chunker_name: str) -> tuple[Similarity, str]:
    """The similarity that goes with a chunker, and its name for the provenance.

    spaCy's vectors where the chunker's package has any (the small packages have none), else the lexical one.
    """
    if chunker_name.startswith("spacy:"):
        package = chunker_name.removeprefix("spacy:")
        pipeline = load_pipeline(package)
        if pipeline.vocab.vectors_length:
            return partial(vector_similarity, pipeline=pipeline), f"vectors:{package}"
    return lexical_similarity, "lexical"
