"""What the authors' own generator gave, draw for draw."""

from __future__ import annotations

import csv
import hashlib
import json

import numpy as np
import pytest
import standins
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.benchmarks import pixmmvp
from pixfound_tasks.prompts.language_variants import (
    CHOICE_TEMPLATES,
    GROUNDING_TEMPLATES,
    expressions_with_typos,
    grounding_templates,
)
from pixfound_tasks.prompts.visual_variants import visual_changes


@pytest.fixture(scope="module")
def examples(shared):
    return json.loads((shared / "data" / "sensitivity_examples.json").read_text())


@pytest.fixture(scope="module")
def documents(shared, tmp_path_factory):
    folder = standins.make(shared / "data" / "pixmmvp", tmp_path_factory.mktemp("pixmmvp"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PIXFOUND_DATA", str(folder.parent))
        return pixmmvp.join(pixmmvp.find())


@pytest.mark.parametrize(("kind", "variation"), [("crop", 0), ("maskout", 10)])
def test_the_visual_variants_are_the_studys(examples, documents, kind, variation):
    # The other variation of the same call draws from a stream of its own.
    changes = [change for _, change in visual_changes([document.mask for document in documents], [1, variation])]
    found = [described(document, change) for document, change in zip(documents, changes)]
    assert len(found) == 300 and found == examples["visual"][kind][str(variation)]


def described(document, change):
    image = change.image(Image.new("RGB", (document.width, document.height), (7, 7, 7)))
    mask = change.mask(document.mask)
    assert image.size == tuple(mask["size"][::-1])
    return {
        "id": int(document.id),
        "size": mask["size"],
        "area": masks.area(mask),
        "blacked": int((np.asarray(image) == 0).all(-1).sum()),
        "rle_sha1": hashlib.sha1(mask["counts"].encode()).hexdigest()[:12],
    }


def test_the_grounding_templates_are_the_studys(examples):
    templates = grounding_templates()
    assert len(templates) == 14
    for kind in ("mask", "box"):
        expected = examples[f"{kind}_templates"]
        assert [getattr(template, kind) for template in templates][: len(expected)] == expected


def test_the_expressions_are_the_studys(examples, documents):
    variants = [variant for (variant,) in expressions_with_typos(document.expression for document in documents)]
    # The study writes a blank before the expression and one after every word, and "None" where we have None.
    assert [f" {variant} " for variant in variants[:150]] == examples["expressions"]


def test_the_templates_are_those_of_the_studys_tables(shared):
    def column(name):
        with (shared / "data" / "pixmmvp" / name).open(newline="") as file:
            return [row["Template"] for row in csv.DictReader(file)]

    # In the table bars part what is for question, options and sentence; line ends and tabs are written out.
    written = [
        template.replace("|", "").replace(r"\n", "\n").replace(r"\t", "\t")
        for template in column("prompt_templates.csv")
    ]
    parts = {"question": "{}", "options": "{}", "sentence": "{}"}
    assert [template.format(**parts) for template in CHOICE_TEMPLATES] == written
    assert list(GROUNDING_TEMPLATES) == column("lang_grounding_prompt_templates.csv")
