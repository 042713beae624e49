"""The study's own rules for variations: its templates prompt for prompt, and `study_variants`."""

from __future__ import annotations

import json
from io import BytesIO

import numpy as np
import pytest
import standins
from datasets import Dataset
from PIL import Image

from pixfound_tasks import benchmarks
from pixfound_tasks.benchmarks import pixmmvp
from pixfound_tasks.benchmarks.documents import features
from pixfound_tasks.prompts import variants
from pixfound_tasks.prompts.language_variants import grounding_templates
from pixfound_tasks.prompts.text import CHOICE_INSTRUCTION
from pixfound_tasks.prompts.typos import Draws, add_typos


@pytest.fixture(scope="module")
def documents(shared, tmp_path_factory):
    """PixMMVP's documents, with stand-ins for the images."""
    folder = standins.make(shared / "data" / "pixmmvp", tmp_path_factory.mktemp("pixmmvp"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PIXFOUND_DATA", str(folder.parent))
        return Dataset.from_list([document._asdict() for document in pixmmvp.join(pixmmvp.find())], features=features())


@pytest.fixture(scope="module")
def drawn():
    return benchmarks.load("pixmini")["test"].select(range(12))


@pytest.fixture
def study(monkeypatch):
    """Selects the study's rules while a function of `variants` is called."""

    def call(how, documents):
        with monkeypatch.context() as environment:
            environment.setenv("PIXFOUND_VARIATIONS", "study")
            return how(documents)

    return call


def of_type(dataset, type):
    return {(row["id"], row["variation"]): row for row in dataset.to_list() if row["variation_type"] == type}


@pytest.mark.parametrize("rules", ["default", "study"])
def test_template_variants_are_the_studys_prompt_for_prompt(shared, documents, monkeypatch, rules):
    monkeypatch.setenv("PIXFOUND_VARIATIONS", rules)
    expected = json.loads((shared / "data" / "template_variants.json").read_text())
    expected = {(id, int(number)): text for number, prompts in expected.items() for id, text in prompts.items()}
    found = of_type(variants.choice_language_10(documents), "template")
    assert len(expected) == 1000 and len(found) == 3000
    assert {key: found[key]["varied_prompt"] for key in expected} == expected


def test_the_study_compares_answers_with_altered_options(documents, study):
    originals = dict(zip(documents["id"], documents["options"]))
    found = study(variants.choice_language_10, documents)
    changed = [
        altered != original
        for (id, _), row in of_type(found, "spelling").items()
        for altered, original in zip(row["options"], originals[id])
    ]
    assert (sum(changed), len(changed)) == (2626, 6000)
    # The template's text stays with the last option, and a blank at its end does not.
    last = {number: of_type(found, "template")[str(number), 0]["options"][-1] for number in (1, 3, 4)}
    assert last[1].endswith(r"\nInstruct:") and last[4].endswith(".") and not last[3].endswith(" ")


def test_without_the_study_options_stay_the_benchmarks(documents):
    found = variants.choice_language_1(documents)
    assert found["options"] == [options for options in documents["options"] for _ in range(3)]


def test_paraphrased_questions_continue_the_stream_after_the_templates(drawn, study, monkeypatch, tmp_path):
    file = tmp_path / "paraphrases.jsonl"
    lines = [{"id": id, "paraphrase": f"{id}, way {number}?"} for id in drawn["id"] for number in range(10)]
    file.write_text("\n".join(map(json.dumps, lines)))
    monkeypatch.setenv("PIXFOUND_PARAPHRASES", str(file))
    draws, rows = Draws.seeded(2033), drawn.remove_columns("image").to_list()
    for row in rows:
        add_typos(row["question"], 7, draws)
        with_typos(row, draws)
    for row in rows * 10:  # the templates
        with_typos(row, draws)
    expected = {}
    for number in range(10):
        for row in rows:
            sentence, (first, second) = with_typos(row, draws)
            text = f"{row['id']}, way {number}? Options:\nA. {first}\nB. {second}\n{sentence}"
            expected[row["id"], number] = (text, [first, second])
    found = of_type(study(variants.choice_language_10, drawn), "paraphrase")
    assert {key: (row["varied_prompt"], row["options"]) for key, row in found.items()} == expected


def with_typos(row, draws):
    sentence = add_typos(CHOICE_INSTRUCTION, 7, draws)
    return sentence, [add_typos(option, 1, draws) for option in row["options"]]


def test_the_study_has_fourteen_templates_and_one_variant_of_each_expression(drawn, study):
    found = study(variants.referring_language_10, drawn)
    templates = [row["template"] for (id, _), row in of_type(found, "prompt").items() if id == "1"]
    assert templates == [template.mask for template in grounding_templates()] and len(templates) == 14
    ours = of_type(variants.referring_language_1(drawn), "expression")
    assert {key: row["expression"] for key, row in of_type(found, "expression").items()} == {
        key: row["expression"] for key, row in ours.items()
    }


@pytest.mark.parametrize("rules", ["default", "study"])
def test_variants_of_an_expression_with_a_blank_have_outer_blanks(drawn, monkeypatch, rules):
    monkeypatch.setenv("PIXFOUND_VARIATIONS", rules)
    rows = drawn.select(range(1)).to_list()
    rows[0]["expression"] = " the flame of the match"
    (row,) = of_type(
        variants.referring_language_1(Dataset.from_list(rows, features=drawn.features)), "expression"
    ).values()
    draws = Draws.seeded(2024)
    typed = " ".join(add_typos(word, 1, draws) for word in "the flame of the match".split())
    assert (row["expression"], row["original_expression"]) == (f" {typed} ", " the flame of the match")


def test_the_studys_images_are_encoded_as_jpeg_after_the_change(drawn, study):
    ours = variants.referring_visual_10(drawn).to_list()
    studys = study(variants.referring_visual_10, drawn).to_list()
    assert [row["region"] for row in ours] == [row["region"] for row in studys]
    images = dict(zip(drawn["id"], drawn["image"]))
    for our, row in list(zip(ours, studys))[:42]:
        plain, found = (np.asarray(variants.changed_image(images[row["id"]], each)) for each in (our, row))
        if row["variation_type"] == "original":
            assert (found == plain).all()
        else:
            buffer = BytesIO()
            Image.fromarray(plain).save(buffer, "JPEG", quality=95)
            assert (found == np.asarray(Image.open(buffer))).all() and (found != plain).any()


@pytest.mark.parametrize(
    ("question", "asked"),
    [("How many wings?", "How many wings?"), ("How many birds?", "How many wings? Select from the following choices.")],
)
def test_only_the_question_of_a_benchmarks_own_prompt_is_misspelled(question, asked):
    row = dict.fromkeys(features()) | {"benchmark": "pixcvbench", "id": "0", "question": question}
    stem = "How many wings? Select from the following choices."
    row |= {"options": ["2", "hundreds"], "prompt": f"{stem}\n(A) 2\n(B) hundreds"}
    found = variants.choice_language_1(Dataset.from_list([row], features=features()))
    draws = Draws.seeded(2024)
    typed, sentence = add_typos(asked, 7, draws), add_typos(CHOICE_INSTRUCTION, 7, draws)
    two, hundreds = (add_typos(option, 1, draws) for option in row["options"])
    prompt = of_type(found, "spelling")["0", 0]["varied_prompt"]
    assert prompt == f"{typed}{stem.removeprefix(asked)}\n(A) {two}\n(B) {hundreds}\n{sentence}"
    templated = of_type(found, "template")["0", 0]["varied_prompt"].split("\n")
    assert templated[0] == rf"Ques:{asked}\n{stem.removeprefix(asked)}" and templated[1] == "(A) 2"


@pytest.mark.parametrize("how", ["choice_language_2", "referring_language_2", "referring_visual_2"])
def test_the_rules_are_recorded_and_fewer_variations_are_the_first_ones(drawn, study, how):
    few, many = (study(getattr(variants, f"{how[:-2]}_{count}"), drawn).to_list() for count in (2, 10))
    assert few == [row for row in many if row["variation"] < 2]
    assert {row["provenance"]["variations"] for row in few} == {"study"}
    assert set(row["provenance"]["variations"] for row in getattr(variants, how)(drawn)) == {None}


def test_other_rules_are_refused(drawn, monkeypatch):
    monkeypatch.setenv("PIXFOUND_VARIATIONS", "studies")
    with pytest.raises(ValueError, match=r"PIXFOUND_VARIATIONS to be one of \['default', 'study'\], .*mean 'study'"):
        variants.referring_visual_2(drawn)
