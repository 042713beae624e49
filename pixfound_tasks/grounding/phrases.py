"""Finds the noun phrases of an answer with a small rule-based chunker or with spaCy."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_DETERMINERS = frozenset(
    "a an the this that these those no some any each every another both all my your his her its our their "
    "one two three four five six seven eight nine ten several many few".split()
)
_NEGATIONS = frozenset({"no", "not", "without", "neither", "nor"})
# Words that end a noun phrase and are part of none. The words between two of them form a noun phrase.
_CLOSED_CLASS = frozenset(
    "of in on at to by for from with without into onto over under above below between behind beside near next through "
    "across along around against inside outside toward towards up down off out about as like than "
    "and or but nor so if while when where which who whose what why how because although "
    "i you he she it we they me him us them there here itself yes not very also too only just more most "
    "is are was were be been being am do does did has have had having can could will would may might must shall should "
    "shows show showing appears appear seems seem looks look looking stands stand standing sits sit sitting lies lie "
    "lying faces face facing points point pointing holds holding wears wearing contains contain features depicts "
    "depicted shown located seen placed positioned made covered filled surrounded visible present".split()
)
# "a black and white dog" is one phrase.
_COLORS = frozenset("black white red green blue yellow orange purple brown gray grey pink gold golden silver".split())
# Nouns that end in -ing. Other words that end in -ing count as verbs, as in "two dogs playing".
_ING_NOUNS = frozenset(
    "wing ring king thing string spring building ceiling clothing painting railing morning evening wedding".split()
)
# Closed-class words that can also be nouns, as in "the face" and "the dog's face".
_NOUNS_OR_VERBS = frozenset("face faces point points stand stands show shows look looks".split())
_BEFORE_NOUNS = frozenset("a an the my your his her its our their".split())
# Plurals for which the rules in `_singular` are incorrect.
_PLURALS = {
    "men": "man", "women": "woman", "people": "person", "children": "child", "feet": "foot", "teeth": "tooth",
    "mice": "mouse", "geese": "goose", "leaves": "leaf", "knives": "knife", "wolves": "wolf", "shelves": "shelf",
    "shoes": "shoe", "toes": "toe", "cookies": "cookie", "movies": "movie", "lenses": "lens", "lens": "lens",
}  # fmt: skip
_COPULAS = frozenset("is are was were be been being am appears appear seems seem looks look".split())


@dataclass(frozen=True)
class NounPhrase:
    """A noun phrase, its head word in lower case, and its half-open character range in the text."""

    text: str
    root: str
    chars: tuple[int, int]


Chunker = Callable[[str], list[NounPhrase]]


def rule_phrases(text: str) -> list[NounPhrase]:
    """Return the runs of words between punctuation and closed-class words. The last word of a run is its head.

    A run after a copula counts only if it has a determiner: "the star is red" has one noun phrase.
    """
    phrases: list[NounPhrase] = []
    run: list[re.Match[str]] = []
    before = ""
    for match in _WORD.finditer(text):
        word = match[0].lower()
        is_split = run and not text[run[-1].end() : match.start()].isspace()
        is_noun = word in _NOUNS_OR_VERBS and _asks_for_noun(run)
        is_closed = (word in _CLOSED_CLASS and not is_noun) or _is_verb_in_ing(word, run)
        if run and word == "and" and run[-1][0].lower() in _COLORS and not is_split:
            run.append(match)
            continue
        if run and (is_split or is_closed or word in _DETERMINERS):
            phrases += _phrase(text, run, before)
            before, run = "" if is_split else run[-1][0].lower(), []
        if is_closed:
            # "there is ..." introduces an object; it does not describe one.
            before = "there" if before == "there" else word
        else:
            run.append(match)
    return phrases + _phrase(text, run, before)


def _asks_for_noun(run: list[re.Match[str]]) -> bool:
    return bool(run) and (run[-1][0].lower() in _BEFORE_NOUNS or run[-1][0].endswith(("'s", "\u2019s")))


def _is_verb_in_ing(word: str, run: list[re.Match[str]]) -> bool:
    return word.endswith("ing") and bool(run) and word not in _ING_NOUNS


def _phrase(text: str, run: list[re.Match[str]], before: str) -> list[NounPhrase]:
    determined = bool(run) and run[0][0].lower() in _DETERMINERS
    content = run[1:] if determined else run
    if not content or (before in _COPULAS and not determined):
        return []
    chars = (run[0].start(), run[-1].end())
    return [NounPhrase(text[slice(*chars)], content[-1][0].lower(), chars)]


def spacy_phrases(text: str, pipeline: Any) -> list[NounPhrase]:
    """Return the noun chunks of a spaCy pipeline with a parser. Pronouns are included, as in PixFoundation's code."""
    return [
        NounPhrase(chunk.text, chunk.root.text.lower(), (chunk.start_char, chunk.end_char))
        for chunk in pipeline(text).noun_chunks
    ]


def make_chunker(name: str) -> tuple[Chunker, str]:
    """Return a chunker and its name for the provenance.

    Args:
        name: "rules"; "spacy:PACKAGE", such as `spacy:en_core_web_lg`; or "auto", the largest installed English package
            of spaCy, or the rules if none is installed.

    Raises:
        ValueError: the name is unknown, or spaCy or the package is not installed.
    """
    if name == "auto":
        found = next((p for p in ("en_core_web_lg", "en_core_web_md", "en_core_web_sm") if _is_installed(p)), None)
        name = f"spacy:{found}" if found else "rules"
    if name == "rules":
        return rule_phrases, name
    if name.startswith("spacy:"):
        return partial(spacy_phrases, pipeline=load_pipeline(name.removeprefix("spacy:"))), name
    raise ValueError(f"expected phrases to be 'auto', 'rules' or 'spacy:PACKAGE', but got {name!r}")


def load_pipeline(package: str) -> Any:
    """Load a spaCy pipeline from an installed package or a folder. Raises ValueError if it or spaCy is missing."""
    if not _is_installed("spacy") or not (_is_installed(package) or Path(package, "config.cfg").is_file()):
        raise ValueError(
            f"expected spaCy and its package {package!r} to be installed, but they are not; run "
            f"pip install 'pixfound-tasks[spacy]' && python -m spacy download {package}"
        )
    import spacy

    return spacy.load(package)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # not a module name, such as a path
        return False


def is_denied(phrase: str) -> bool:
    """Return whether a phrase says that its object is absent, as "no red circle" does."""
    first = _WORD.search(phrase.lower())
    return first is not None and first[0] in _NEGATIONS


def content_words(phrase: str) -> list[str]:
    """Return the words of a phrase without determiners, in lower case and in the singular."""
    words = [match[0].lower() for match in _WORD.finditer(phrase)]
    return [_singular(word) for word in words if word not in _DETERMINERS]


def named_words(expression: str) -> list[str]:
    """Return the content words of an expression's first noun phrase, or of all of it if there is none, head last."""
    first = rule_phrases(expression)
    return content_words(first[0].text if first else expression)


def _singular(word: str) -> str:
    if word in _PLURALS:
        return _PLURALS[word]
    if word.endswith(("sses", "xes", "shes", "ches", "oes")) or (word.endswith("uses") and not word.endswith("ouses")):
        return word[:-2]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")) else word
