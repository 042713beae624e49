"""The study's variants of a benchmark with prompts of its own, against a plain derivation of its generator's rules."""

from __future__ import annotations

import csv
import random
import string

import numpy as np
import pytest
from datasets import Dataset

from pixfound_tasks.benchmarks.documents import features
from pixfound_tasks.prompts import variants

SENTENCE = "Answer with the option's letter from the given choices directly."
# As in the study's table: bars part the three texts, and line breaks are two characters.
TEMPLATES = [
    r"Ques:{}\n|{}\nInstruct:|{}\nAns:", r"{}\n|{}\n|{}\nAnswer:", "{} |{} |{}", "Question-{} |{}. |{}.Answer-",
    r"{}\t|{}\t|{}Answer::", "Question, {} |{}. |{}. Answer,", r"Q: {}\n|{}\n|{}\nA:", r"{}\t|{}\t|{}A:", "{}|{}|{}",
    r"Q::{}|{}\n|{}\nA::",
]  # fmt: skip
QUESTIONS = [
    ("How many wings are in the image?", ["2", "3", "none", "hundreds"]),
    ("Considering the relative positions of the cup and the book, where is the cup?", ["above", "below"]),
    ("How many doors are in the image?", ["1", "0"]),
]


@pytest.fixture(scope="module")
def documents():
    rows = []
    for index in range(12):  # more than there are templates
        question, options = QUESTIONS[index % len(QUESTIONS)]
        listed = "\n".join(f"({letter}) {option}" for letter, option in zip("ABCD", options))
        row = dict.fromkeys(features()) | {"benchmark": "pixcvbench", "id": str(index), "question": question}
        stem = f"{question} Select from the following choices."
        rows.append(row | {"options": options, "prompt": f"{stem}\n{listed}"})
    return Dataset.from_list(rows, features=features())


def altered(text, edits):
    """One kind of edit at places drawn for the original text; the study's generator uses the global streams."""
    kind = np.random.randint(3)
    if len(text) < 5:  # numpy refuses the empty range of places, and the study keeps the text
        return text
    for place in np.random.randint(2, len(text) - 2, edits):
        if kind == 0:
            left = place if text[place + 1] != " " else place - 1
            letters = list(text)
            letters[left : left + 2] = letters[left : left + 2][::-1]
            text = "".join(letters)
        elif kind == 1:
            text = text[:place] + random.choice(string.ascii_letters) + text[place:]
        else:
            text = "".join(letter for index, letter in enumerate(text) if index != place)
    return text


def derived(documents):
    """Every prompt by (type, variation, id), in the order in which the study draws them."""
    found = {}
    for number in range(20):
        if number < 10:
            np.random.seed(2024 + number)
            random.seed(2024 + number)
        for index, row in enumerate(documents):
            question = altered(row["question"], 7) if number < 10 else row["question"]
            sentence = altered(SENTENCE, 7)
            lettered = [f"({'ABCD'[place]}) {option}" for place, option in enumerate(row["options"])]
            options = " ".join(line[:4] + altered(line[4:], 1) for line in lettered)
            if number >= 10:
                question, options, sentence = TEMPLATES[index % 10].format(question, options, sentence).split("|")
            prompt = row["prompt"].replace(row["question"], question).replace("\n".join(lettered), options)
            type = "spelling" if number < 10 else "template"
            found[type, number % 10, row["id"]] = f"{prompt}. {sentence}\n{SENTENCE}"
    return found


def test_the_templates_here_are_those_of_the_studys_table(shared):
    with (shared / "data" / "pixmmvp" / "prompt_templates.csv").open(newline="") as file:
        assert [row["Template"] for row in csv.DictReader(file)] == TEMPLATES


def test_spelling_and_template_variants_are_those_of_the_plain_derivation(documents, monkeypatch):
    monkeypatch.setenv("PIXFOUND_VARIATIONS", "study")
    rows = [row for row in variants.choice_language_10(documents).to_list() if row["variation_type"] != "original"]
    prompts = {(row["variation_type"], row["variation"], row["id"]): row["varied_prompt"] for row in rows}
    expected = derived(documents.to_list())
    assert len(expected) == 240 and prompts == expected
    assert {row["provenance"]["variations"] for row in rows} == {"study"}


def test_one_prompt_by_hand(documents, monkeypatch):
    """The options stand in one line, the misspelled sentence behind them, the usual one on the next line."""
    monkeypatch.setenv("PIXFOUND_VARIATIONS", "study")
    (row,) = [
        row
        for row in variants.choice_language_1(documents).to_list()
        if (row["variation_type"], row["id"]) == ("template", "2")  # the third template has blanks only
    ]
    stem, listed, sentence = row["varied_prompt"].split("\n")
    assert stem == "How many doors are in the image?  Select from the following choices."
    assert listed.startswith("(A) 1 (B) 0 . ") and listed != f"(A) 1 (B) 0 . {SENTENCE}" and sentence == SENTENCE
    assert row["options"] == ["1", "0"]


def test_paraphrases_have_this_layout_too(documents, monkeypatch, tmp_path):
    lines = ["id,paraphrase", *(f"{index},What about it?" for index in range(12))]
    (tmp_path / "texts.csv").write_text("\n".join(lines))
    monkeypatch.setenv("PIXFOUND_VARIATIONS", "study")
    monkeypatch.setenv("PIXFOUND_PARAPHRASES", str(tmp_path / "texts.csv"))
    rows = variants.choice_language_1(documents).to_list()
    (prompt,) = [row["varied_prompt"] for row in rows if (row["variation_type"], row["id"]) == ("paraphrase", "2")]
    stem, listed, sentence = prompt.split("\n")
    assert stem == "What about it? Select from the following choices." and sentence == SENTENCE
    assert listed.startswith("(A) 1 (B) 0. ")
