"""What a phrase of an answer is about: one of six concepts (PixFoundation, arXiv 2502.04192).

In the emergence tasks, PIXFOUND_CONCEPTS names the classifier: a name that `make_classifier` takes, or a judge. With
PIXFOUND_JUDGING=study, the judge gets the study's prompt and may give a phrase several concepts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

from loguru import logger

from pixfound_tasks.analysis.best_phrase import ConceptClassifier
from pixfound_tasks.analysis.concept_words import HEADS, MODIFIERS, NAMES, NO_PARTICIPLES
from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.phrases import content_words, load_pipeline, make_chunker
from pixfound_tasks.judges.base import FORMS, Judge, JudgeDown, check_judge_name, is_judge_form, make_judge
from pixfound_tasks.prompts.judge import CONCEPT_QUESTION, CONCEPT_SYSTEM, STUDY, TEMPERATURE, check_judging
from pixfound_tasks.response.final_answer import final_answer, without_draft
from pixfound_tasks.response.plain import plain
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
# For each head concept, the modifier concepts that override it, in order: "an open mouth", "a lying position".
_MODIFIED = {"object": ("state", "appearance", "location"), "part": ("state",), "location": ("state",)}
_NOUNS, _PARTICIPLES = ("NOUN", "PROPN"), ("VBN", "VBG")  # spaCy's tags
_PARTICIPLE = re.compile(r"\w{3,}(ing|ed)")
_LETTERS = "ABCDEF"
_JOINT = ", "  # between the names of a phrase's concepts
_QUESTION = """A model described an image: "{answer}"
What is the phrase "{phrase}" about?
{choices}
Reply with one of these letters alone."""


@dataclass(frozen=True)
class WordLists:
    """An offline classifier by word lists.

    A head noun that names a setting, an appearance or a state decides. Any other head is overridden by a modifier of
    state. Otherwise a location is a location and a part is a part. Any other head is an object, unless a modifier of
    appearance, or else of location, decides. Unlisted modifiers in -ing or -ed count as participles, and so as states.
    Unlisted head nouns count as objects, even if they name a setting or a state.
    `tests/analysis/test_concept_agreement.py` measures the agreement with hand labels.
    """

    name: str = "word list"

    def classify(self, phrase: str, answer: str = "") -> str | None:
        words = content_words(phrase)
        return _concept(words, len(words) - 1, [_is_participle(word) for word in words]) if words else None


@dataclass(frozen=True)
class TaggedWordLists:
    """`WordLists` with the head and participles found by a spaCy pipeline that has a tagger and a parser."""

    pipeline: Any
    name: str
    _lock: Any = field(default_factory=Lock, init=False, repr=False, compare=False)  # pipelines are not thread-safe

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
    """A classifier by a judge, which gets a text prompt and replies with a letter.

    The concept is None if its final answer is anything else or the judge is unavailable.
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
        found = re.fullmatch(r"\(?([A-F])[).:]?", plain(final_answer(reply).text).upper())
        return list(CONCEPTS)[_LETTERS.index(found[1])] if found else None


@dataclass(frozen=True)
class StudyConceptJudge:
    """A classifier by the study's judge, which replies with one or two letters; both are concepts of the phrase.

    Letters are read as by the study's script: separated by commas, with or without parentheses. What follows a letter
    after a blank is ignored: "a and c" is "a". What the script fails on is left out. The concept is None if no letter
    is left, or the judge is unavailable.
    """

    judge: Judge

    @property
    def name(self) -> str:
        return f"judge {self.judge.name} (study's prompt)"

    def classify(self, phrase: str, answer: str = "") -> str | None:
        try:
            reply = self.judge.ask(CONCEPT_QUESTION.format(phrase=phrase, answer=answer or phrase))
        except JudgeDown:
            return None
        parts = (re.sub("[()]", "", part).split() for part in without_draft(reply).upper().split(","))
        letters = [words[0].rstrip(".:") for words in parts if words]
        found = [list(CONCEPTS)[_LETTERS.index(letter)] for letter in letters if letter in tuple(_LETTERS)]
        return _JOINT.join(dict.fromkeys(found)) or None


def split_concepts(concept: object) -> tuple[str, ...]:
    """Return a phrase's concepts from the text that a classifier gave. Names that are no concept are left out."""
    names = concept.split(_JOINT) if isinstance(concept, str) else ()
    return tuple(dict.fromkeys(name for name in names if name in CONCEPTS))


def make_classifier(name: str = "auto", judge: Judge | None = None, judging: str = "default") -> ConceptClassifier:
    """A classifier by name.

    Args:
        name: "words" for the word lists alone; "spacy:PACKAGE" for the word lists with spaCy's tags; "auto" for the
            latter if an English spaCy package is installed, else "words"; or "judge".
        judge: the judge for "judge"; None for all other names.
        judging: "study" for a judge with the study's prompt.

    Raises:
        ValueError: if the name is unknown, spaCy or its package is missing, or `name` and `judge` do not go together.
    """
    if not name.startswith("spacy:"):
        check_choice("the classifier of concepts", name, ("auto", "words", "spacy:PACKAGE", "judge"))
    if (name == "judge") != (judge is not None):
        raise ValueError(
            f"expected a judge with the classifier 'judge' and only then, but got {name!r}; give both or neither"
        )
    if judge is not None:
        return StudyConceptJudge(judge) if judging == STUDY else ConceptJudge(judge)
    if name == "auto":
        name = make_chunker("auto")[1].replace("rules", "words")
    if name == "words":
        return WordLists()
    return TaggedWordLists(load_pipeline(name.removeprefix("spacy:")), f"word list, tags of {name}")


def classifier_from_environment() -> ConceptClassifier:
    """The classifier that PIXFOUND_CONCEPTS names, "words" by default; made once per process and name.

    Raises ValueError for an unknown name, and whatever `make_classifier` and `make_judge` raise.
    """
    name, judging = read_setting(VARIABLE), read_setting("PIXFOUND_JUDGING")
    check_judging(judging)
    return _made(f"{STUDY} {name}" if is_judge_form(name) and judging == STUDY else name)


@made_once
def _made(name: str) -> ConceptClassifier:
    """The classifier with this name, which may follow "study "."""
    is_study, name = name.startswith(f"{STUDY} "), name.removeprefix(f"{STUDY} ")
    check_classifier(name)
    if is_study:
        judge = make_judge(name, system=CONCEPT_SYSTEM, temperature=TEMPERATURE)
        classifier = make_classifier("judge", judge, STUDY)
    else:
        classifier = make_classifier("judge", make_judge(name)) if is_judge_form(name) else make_classifier(name)
    logger.info(f"phrases are classified by {classifier.name} ({VARIABLE})")
    return classifier


def check_classifier(name: str) -> None:
    """Raise ValueError unless `name` is a valid value of PIXFOUND_CONCEPTS."""
    kind, _, package = name.partition(":")
    if is_judge_form(name):
        check_judge_name(name)
    elif kind != "spacy" or not package:
        check_choice(VARIABLE, name, ("words", "auto", "spacy:PACKAGE", *FORMS))


class Classified(NamedTuple):
    """A phrase's concept, None if unknown, and the classifier's name, None without a phrase or on an error.

    Several concepts are joined by ", ", see `split_concepts`.
    """

    concept: str | None
    classified_by: str | None


def classified(phrase: str | None, answer: str) -> Classified:
    """Classify a phrase of an answer as PIXFOUND_CONCEPTS says. Never raises.

    Without a phrase, no classifier is made or called.
    """
    if phrase is None:
        return Classified(None, None)
    try:
        classifier = classifier_from_environment()
        return Classified(classifier.classify(phrase, answer), classifier.name)
    except Exception as error:  # a pipeline may raise anything, and one sample must not end the run
        logger.warning(f"a phrase has no concept: {type(error).__name__}: {error}")
        return Classified(None, None)


def _concept(words: Sequence[str], head: int, participles: Sequence[bool]) -> str:
    """The concept of a phrase with these words, given the index of its head and which words are participles."""
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
    """A word and, if it has hyphens, its last part: "half-eaten", "Renaissance-style"."""
    return [word, *word.split("-")[1:][-1:]]


def _is_participle(word: str) -> bool:
    last = word.rpartition("-")[2]
    return last not in NO_PARTICIPLES and bool(_PARTICIPLE.fullmatch(last))
