from __future__ import annotations

import json

import numpy as np
import pytest
from datasets import Dataset

from pixfound_tasks import benchmarks, masks
from pixfound_tasks.benchmarks.documents import features
from pixfound_tasks.prompts import variants
from pixfound_tasks.prompts.language_variants import grounding_templates
from pixfound_tasks.prompts.text import CHOICE_INSTRUCTION
from pixfound_tasks.prompts.typos import Draws, add_typos

DOCUMENTS = 12


@pytest.fixture(scope="module")
def benchmark():
    return benchmarks.load("pixmini")["test"].select(range(DOCUMENTS))


@pytest.fixture(scope="module")
def pictured(benchmark):
    return variants.referring_visual_10(benchmark).to_list()


@pytest.fixture
def cv_row():
    """A document of a benchmark with prompts of its own."""
    question = "How many wings are in the image? Select from the following choices."
    row = dict.fromkeys(features()) | {"benchmark": "pixcvbench", "id": "0", "question": "How many wings?"}
    return row | {"options": ["2", "hundreds"], "prompt": f"{question}\n(A) 2\n(B) hundreds"}


def asked(dataset, id, type, number):
    found = [
        row for row in dataset.to_list() if (row["id"], row["variation_type"], row["variation"]) == (id, type, number)
    ]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("how", "types"),
    [
        ("choice_language", ("spelling", "template")),
        ("referring_language", ("prompt", "expression")),
        ("referring_visual", ("crop", "mask_out")),
    ],
)
@pytest.mark.parametrize("count", [2, 10])
def test_every_document_comes_as_it_is_and_then_in_all_its_variations(benchmark, how, types, count):
    found = getattr(variants, f"{how}_{count}")(benchmark)
    assert len(found) == DOCUMENTS * (1 + 2 * count) and "image" not in found.column_names
    once = [("original", 0), *((type, number) for type in types for number in range(count))]
    expected = [(id, *variation) for id in benchmark["id"] for variation in once]
    assert list(zip(found["id"], found["variation_type"], found["variation"])) == expected
    originals = found.filter(lambda row: row["variation_type"] == "original")
    assert originals.select_columns(benchmark.remove_columns("image").column_names).to_list() == (
        benchmark.remove_columns("image").to_list()
    )


def test_a_smaller_count_gives_the_first_variations(benchmark):
    few, many = variants.choice_language_2(benchmark), variants.choice_language_10(benchmark).to_list()
    assert few.to_list() == [row for row in many if row["variation"] < 2]


def test_choice_prompts_of_two_documents_by_hand(benchmark):
    """One stream over the documents: question (misspelt ones only), sentence, then the options, each in its turn."""
    found = variants.choice_language_2(benchmark)
    spelling, template = Draws.seeded(2025), Draws.seeded(2033)  # of variation 1, and of the last one, which goes on
    for doc in benchmark.remove_columns("image").to_list():
        for text, edits in ((doc["question"], 7), (CHOICE_INSTRUCTION, 7), *((option, 1) for option in doc["options"])):
            add_typos(text, edits, template)
    pieces = (r"Ques:{}\n Options:", r"\nInstruct:", r"\nAns:"), (r"{}\n Options:", r"\n", r"\nAnswer:")
    for index, doc in enumerate(benchmark.select(range(2)).remove_columns("image").to_list()):
        question, sentence = add_typos(doc["question"], 7, spelling), add_typos(CHOICE_INSTRUCTION, 7, spelling)
        first, second = (add_typos(option, 1, spelling) for option in doc["options"])
        prompt = asked(found, doc["id"], "spelling", 1)["varied_prompt"]
        assert prompt == f"{question} Options:\nA. {first}\nB. {second}\n{sentence}"

        sentence = add_typos(CHOICE_INSTRUCTION, 7, template)
        first, second = (add_typos(option, 1, template) for option in doc["options"])
        prompt = asked(found, doc["id"], "template", 0)["varied_prompt"]
        before, between, after = pieces[index]
        assert prompt == f"{before.format(doc['question'])}\nA. {first}\nB. {second}{between}\n{sentence}{after}"
        assert asked(found, doc["id"], "original", 0)["varied_prompt"] is None


def test_a_benchmarks_own_prompt_keeps_its_layout(cv_row):
    found = variants.choice_language_2(Dataset.from_list([cv_row], features=features()))
    draws = Draws.seeded(2024)
    question = add_typos("How many wings are in the image? Select from the following choices.", 7, draws)
    sentence, two, hundreds = (
        add_typos(text, n, draws) for text, n in ((CHOICE_INSTRUCTION, 7), ("2", 1), ("hundreds", 1))
    )
    prompt = asked(found, "0", "spelling", 0)["varied_prompt"]
    assert prompt == f"{question}\n(A) {two}\n(B) {hundreds}\n{sentence}"
    assert two == "2" and hundreds != "hundreds"


def test_a_prompt_that_ends_otherwise_is_varied_as_a_whole(cv_row):
    cv_row["prompt"] += "\nThink."
    found = variants.choice_language_1(Dataset.from_list([cv_row], features=features()))
    draws = Draws.seeded(2024)
    expected = f"{add_typos(cv_row['prompt'], 7, draws)}\n{add_typos(CHOICE_INSTRUCTION, 7, draws)}"
    assert asked(found, "0", "spelling", 0)["varied_prompt"] == expected


def test_referring_variations_of_two_documents_by_hand(benchmark):
    found = variants.referring_language_10(benchmark)
    draws = Draws.seeded(2024)
    for doc in benchmark.select(range(2)).remove_columns("image").to_list():
        row = asked(found, doc["id"], "expression", 0)
        assert row["expression"] == " ".join(add_typos(word, 1, draws) for word in doc["expression"].split())
        assert (row["original_expression"], row["template"]) == (doc["expression"], None)
        row = asked(found, doc["id"], "prompt", 9)
        assert (row["template"], row["box_template"]) == grounding_templates()[9]
        assert (row["expression"], row["original_expression"]) == (doc["expression"], None)


def test_where_no_object_is_asked_about_there_is_still_none(benchmark):
    rows = benchmark.select(range(2)).to_list()
    rows[0]["expression"] = None
    found = variants.referring_language_2(Dataset.from_list(rows, features=features()))
    assert [row["expression"] for row in found.to_list() if row["id"] == rows[0]["id"]] == [None] * 5


def test_pictures_and_masks_change_together(benchmark, pictured):
    before = {doc["id"]: doc for doc in benchmark}
    changed = {"crop": 0, "mask_out": 0}
    for row in filter(lambda row: row["region"], pictured):
        doc, (left, top, correct, bottom) = before[row["id"]], row["region"]
        old = np.asarray(doc["image"].convert("RGB"))
        new, target = np.asarray(variants.changed_image(doc["image"], row)), masks.decode(row["mask"])
        whole = masks.decode(doc["mask"])
        assert new.shape[:2] == target.shape == (row["height"], row["width"])
        if row["variation_type"] == "crop":
            assert (left, top) == (0, 0) and (row["width"], row["height"]) == (correct, bottom)
            assert (new == old[:bottom, :correct]).all() and (target == whole[:bottom, :correct]).all()
            assert target.sum() > 0.2 * whole.sum()
        else:
            inside = np.zeros_like(whole)
            inside[top:bottom, left:correct] = True
            assert (new[inside] == 0).all() and (new[~inside] == old[~inside]).all()
            assert (target == whole & ~inside).all() and (whole & inside).sum() > 0.2 * whole.sum()
        changed[row["variation_type"]] += 1
    assert min(changed.values()) > DOCUMENTS


def test_unchanged_pictures_are_the_benchmarks(benchmark, pictured):
    before = {doc["id"]: doc for doc in benchmark}
    unchanged = [row for row in pictured if row["region"] is None and row["variation_type"] != "original"]
    assert unchanged
    for row in unchanged:
        image = before[row["id"]]["image"].convert("RGB")
        assert row["mask"] == before[row["id"]]["mask"] and (row["width"], row["height"]) == image.size
        assert variants.changed_image(image, row).tobytes() == image.tobytes()


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_paraphrases_are_read_from_the_users_file(benchmark, monkeypatch, tmp_path, suffix):
    file = tmp_path / f"paraphrases.{suffix}"
    rows = [("pixmini", id, f"Where, in {id}, {number}?") for id in benchmark["id"] for number in range(2)]
    rows.insert(0, ("pixmmvp", "1", "Of another benchmark?"))
    if suffix == "csv":
        file.write_text("benchmark,id,paraphrase\n" + "".join(f'{name},{id},"{text}"\n' for name, id, text in rows))
    else:
        lines = [{"benchmark": name, "id": int(id), "paraphrase": text} for name, id, text in rows]
        file.write_text("\n".join(map(json.dumps, lines)))
    monkeypatch.setenv("PIXFOUND_PARAPHRASES", str(file))
    found = variants.choice_language_2(benchmark)
    assert len(found) == DOCUMENTS * 7
    first, second = benchmark[0]["options"]
    prompt = asked(found, "1", "paraphrase", 1)["varied_prompt"]
    assert prompt == f"Where, in 1, 1? Options:\nA. {first}\nB. {second}\n{CHOICE_INSTRUCTION}"
    with pytest.raises(
        ValueError, match="expected 3 paraphrases of document 1 of pixmini in .*, but got 2, and 12 of 12"
    ):
        variants.choice_language_3(benchmark)


@pytest.mark.parametrize("name", ["choice_language_11", "choice_language_0", "choice_language_", "referring_10"])
def test_what_there_is_not_cannot_be_named(name):
    with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
        getattr(variants, name)
