"""What a phrase of an answer is about: one of six concepts (PixFoundation, arXiv 2502.04192).

PIXFOUND_CONCEPTS names who says so in the tasks that ask when grounding emerges: a form of `make_classifier`, or a
judge's name in its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

from loguru import logger

from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.phrases import content_words, load_pipeline, make_chunker
from pixfound_tasks.judges.base import FORMS, Judge, JudgeDown, check_judge_name, is_judge_form, make_judge
from pixfound_tasks.scoring.best_phrase import ConceptClassifier
from pixfound_tasks.scoring.concept_words import HEADS, MODIFIERS, NAMES, NO_PARTICIPLES
from pixfound_tasks.settings import made_once, read_setting

VARIABLE = "PIXFOUND_CONCEPTS"
CONCEPTS = {
    "appearance": "its color, material, pattern or shape",
    "location": "where it is, its position or direction",
    "part": "a part of an object, an animal or a person",
    "context": "the setting: the background, a place, the weather, the image as a whole",
    "object": "an object, an animal or a person as a whole",
    "state": "its condition, pose, expression or movement",
}
# Of a head's concept those of modifiers that take its place, the first one first: "an open mouth", "a lying position".
_MODIFIED = {"object": ("state", "appearance", "location"), "part": ("state",), "location": ("state",)}
_NOUNS, _PARTICIPLES = ("NOUN", "PROPN"), ("VBN", "VBG")  # of spaCy
_PARTICIPLE = re.compile(r"\w{3,}(ing|ed)")
_LETTERS = "ABCDEF"
_QUESTION = """A model described an image: "{answer}"
What is the phrase "{phrase}" about?
{choices}
Reply with one of these letters alone."""


@dataclass(frozen=True)
class WordLists:
    """Offline: by lists of words; other modifiers in -ing or -ed are taken for participles, and so for a state.

    The head decides where it is a place, a setting, a look or a state. Else a modifier of state does; then a part is a
    part; then a modifier of looks decides, or one of place; what is left is an object. Words it does not know make
    objects of settings and states: see the agreement with hand labels in `tests/analysis/test_concept_agreement.py`.
    """

    name: str = "word list"

    def classify(self, phrase: str, answer: str = "") -> str | None:
        words = content_words(phrase)
        return _concept(words, len(words) - 1, [_is_participle(word) for word in words]) if words else None


@dataclass(frozen=True)
class TaggedWordLists:
    """Offline: as `WordLists`, the head and the participles found by a spaCy pipeline with a tagger and a parser."""

    pipeline: Any
    name: str
    _lock: Any = field(
        default_factory=Lock, init=False, repr=False, compare=False
    )  # pipelines are not made to be shared

    def classify(self, phrase: str, answer: str = "") -> str | None:
        with self._lock:
            tagged = self.pipeline(phrase)
        # spaCy splits "dog's" and "half-eaten"; determiners have no content word.
        tokens = [token for token in tagged if token.tag_ != "POS" and content_words(token.text)]
        if not tokens:
            return None
        words = [content_words(token.text)[-1] for token in tokens]
        head = next(
            (i for i, token in enumerate(tokens) if token.dep_ == "ROOT" and token.pos_ in _NOUNS), len(tokens) - 1
        )
        said = [token.tag_ in _PARTICIPLES and word not in NO_PARTICIPLES for token, word in zip(tokens, words)]
        return _concept(words, head, said)


@dataclass(frozen=True)
class ConceptJudge:
    """By a judge, who is asked in text and replies with a letter.

    None where the reply is anything else, or the judge is down.
    """

    judge: Judge

    @property
    def name(self) -> str:
        return f"judge {self.judge.name}"

    def classify(self, phrase: str, answer: str = "") -> str | None:
        choices = "\n".join(f"{letter}. {about}" for letter, about in zip(_LETTERS, CONCEPTS.values()))
        try:
            reply = self.judge.ask(_QUESTION.format(answer=answer or phrase, phrase=phrase, choices=choices))
        except JudgeDown:
            return None
        found = re.fullmatch(r"\(?([A-F])[).:]?", reply.strip().upper())
        return list(CONCEPTS)[_LETTERS.index(found[1])] if found else None


def make_classifier(name: str = "auto", judge: Judge | None = None) -> ConceptClassifier:
    """A classifier by name.

    Args:
        name: "words" for the word list alone, "spacy:PACKAGE" for it with spaCy's tags, "auto" for the latter where
            one of spaCy's English packages is installed, or "judge".
        judge: who is asked with "judge", and only then.

    Raises:
        ValueError: for any other name, where spaCy or its package is missing, or name and judge do not go together.
    """
    if not name.startswith("spacy:"):
        check_choice("the classifier of concepts", name, ("auto", "words", "spacy:PACKAGE", "judge"))
    if (name == "judge") != (judge is not None):
        raise ValueError(f"expected a judge with the classifier 'judge' and only then, but got {name!r}; give both")
    if judge is not None:
        return ConceptJudge(judge)
    if name == "auto":
        name = make_chunker("auto")[1].replace("rules", "words")
    if name == "words":
        return WordLists()
    return TaggedWordLists(load_pipeline(name.removeprefix("spacy:")), f"word list, tags of {name}")


def classifier_from_environment() -> ConceptClassifier:
    """The classifier that PIXFOUND_CONCEPTS names, "words" by default; made once per process and name.

    Raises ValueError for a name that is none, and what `make_classifier` and `make_judge` raise.
    """
    return _made(read_setting(VARIABLE))


@made_once
def _made(name: str) -> ConceptClassifier:
    check_classifier(name)
    classifier = make_classifier("judge", make_judge(name)) if is_judge_form(name) else make_classifier(name)
    logger.info(f"what phrases are about is said by: {classifier.name} ({VARIABLE})")
    return classifier


def check_classifier(name: str) -> None:
    """Raise ValueError unless this can be the value of PIXFOUND_CONCEPTS."""
    kind, _, package = name.partition(":")
    if is_judge_form(name):
        check_judge_name(name)
    elif kind != "spacy" or not package:
        check_choice(VARIABLE, name, ("words", "auto", "spacy:PACKAGE", *FORMS))


class Classified(NamedTuple):
    """What a phrase is about, None where it could not be told, and who said so, None where nobody was asked."""

    concept: str | None
    classified_by: str | None


def classified(phrase: str | None, answer: str) -> Classified:
    """A phrase of an answer, classified as PIXFOUND_CONCEPTS says; without a phrase nobody is asked. Never raises."""
    if phrase is None:
        return Classified(None, None)
    try:
        classifier = classifier_from_environment()
        return Classified(classifier.classify(phrase, answer), classifier.name)
    except Exception as error:  # of any kind that a pipeline may raise: no sample is worth the run
        logger.warning(f"a phrase has no concept: {type(error).__name__}: {error}")
        return Classified(None, None)


def _concept(words: Sequence[str], head: int, participles: Sequence[bool]) -> str:
    """The concept of a phrase of these words, by the word that is the head and those that are participles."""
    is_name = " ".join(words[max(0, head - 1) : head + 1]) in NAMES
    of_head = next((c for c, listed in HEADS.items() if words[head] in listed and not is_name), "object")
    if of_head not in _MODIFIED:
        return of_head
    before = list(zip(words, participles))[: head - is_name]
    said = {_of_modifier(part, is_participle) for word, is_participle in before for part in _parts(word)}
    return next((concept for concept in _MODIFIED[of_head] if concept in said), of_head)


def _of_modifier(word: str, is_participle: bool) -> str | None:
    listed = next((concept for concept, words in MODIFIERS.items() if word in words), None)
    return listed or ("state" if is_participle else None)


def _parts(word: str) -> list[str]:
    """A word and, of one with hyphens, its last part: "half-eaten", "Renaissance-style"."""
    return [word, *word.split("-")[1:][-1:]]


def _is_participle(word: str) -> bool:
    last = word.rpartition("-")[2]
    return last not in NO_PARTICIPLES and bool(_PARTICIPLE.fullmatch(last))
