"""Measures how similar a phrase of an answer is to a referring expression."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.phrases import content_words, load_pipeline, named_words

Similarity = Callable[[str, str], float]
Embedding = Callable[[str], np.ndarray]

_HEAD_WEIGHT = 2  # the head says what the object is, a modifier only which one
_ARTICLES = ("the ", "an ", "a ")
_REMEMBERED = 4096  # texts; an expression is compared with many phrases, and phrases recur


def lexical_similarity(phrase: str, expression: str) -> float:
    """Return the number of shared words divided by the number of words of the shorter text, in 0..1.

    The head counts twice. Only the first noun phrase of the expression counts. "the circle" and "a large red circle"
    agree (1); "the red circle" and "a blue circle" do not (0.67).
    """
    named, asked = content_words(phrase), named_words(expression)
    if not named or not asked:
        return 0.0
    weights = [{word: 1 for word in words} | {words[-1]: _HEAD_WEIGHT} for words in (named, asked)]
    shared = sum(min(weights[0][word], weights[1][word]) for word in weights[0].keys() & weights[1].keys())
    return shared / min(sum(weight.values()) for weight in weights)


def vector_similarity(embed: Embedding) -> Similarity:
    """Return a function that gives the cosine, in -1..1, of two texts' vectors.

    `embed` returns the vector of a text, float (dimensions,). It gets texts in lower case without a leading article,
    each of them once. The cosine is 1 for equal texts, and otherwise 0 if a text has no vector (all zeros). Source:
    PixFoundation, section 3.
    """

    @lru_cache(_REMEMBERED)
    def unit(text: str) -> np.ndarray:
        vector = np.asarray(embed(text), np.float64)
        norm = np.linalg.norm(vector)
        return vector / norm if norm else vector

    def similarity(phrase: str, expression: str) -> float:
        first, second = (_without_article(text.lower()) for text in (phrase, expression))
        return 1.0 if first == second else float(np.clip(unit(first) @ unit(second), -1, 1))

    return similarity


def _without_article(text: str) -> str:
    return next((text[len(article) :] for article in _ARTICLES if text.startswith(article)), text)


def make_similarity(chunker_name: str, select: str = "similarity") -> tuple[Similarity, str]:
    """Return the function that compares phrases with the expression, and its name for the provenance.

    The selection's threshold is the same for all similarities, although the cosines of sentence models have their own
    scale.

    Args:
        chunker_name: the chunker's name, as `make_chunker` returns it.
        select: "similarity:lexical"; "similarity:spacy:PACKAGE", spaCy's vectors (PixFoundation uses en_core_web_lg);
            or "similarity:sentence:NAME", a sentence-transformers model from the hub or a folder. If no similarity is
            named, it is the chunker's spaCy package if that has vectors (the small packages have none), else lexical.

    Raises:
        ValueError: the similarity is unknown, or its package or model is missing or has no vectors.
    """
    named, _, wanted = select.partition(":")
    if named != "similarity" or not wanted:
        package = chunker_name.removeprefix("spacy:")
        pipeline = load_pipeline(package) if package != chunker_name else None
        if pipeline is None or not pipeline.vocab.vectors_length:
            return lexical_similarity, "lexical"
        return vector_similarity(_spacy_embedding(pipeline)), chunker_name
    if wanted == "lexical":
        return lexical_similarity, wanted
    kind, _, model = wanted.partition(":")
    check_choice("the similarity", kind, _EMBEDDINGS if model else ("lexical", *_EMBEDDINGS))
    if not model:
        raise ValueError(
            f"expected select=similarity:{kind}:NAME, but got {select!r}; name a "
            + ("package, such as spacy:en_core_web_lg" if kind == "spacy" else "model, such as all-MiniLM-L6-v2")
        )
    return vector_similarity(_EMBEDDINGS[kind](model)), wanted


def _spacy_vectors(package: str) -> Embedding:
    pipeline = load_pipeline(package)
    if not pipeline.vocab.vectors_length:
        raise ValueError(
            f"expected a spaCy package with word vectors, but got {package!r}, which has none; "
            "run python -m spacy download en_core_web_lg and use select=similarity:spacy:en_core_web_lg"
        )
    return _spacy_embedding(pipeline)


def _spacy_embedding(pipeline: Any) -> Embedding:
    # The vectors need no parser or tagger.
    return lambda text: pipeline.make_doc(text).vector


def _sentence_vectors(name: str) -> Embedding:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ValueError(
            f"expected the package sentence-transformers for {name!r}, but it is not installed; "
            "run pip install sentence-transformers"
        ) from error
    try:
        model = SentenceTransformer(name)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"expected a sentence-transformers model, from the hub or a folder, but got {name!r} "
            f"({type(error).__name__}); give a folder that contains one, or use select=similarity:lexical"
        ) from error
    return lambda text: model.encode(text, show_progress_bar=False)


_EMBEDDINGS = {"spacy": _spacy_vectors, "sentence": _sentence_vectors}
