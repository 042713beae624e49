"""The embedded pixel-level model answers, draws and attends as a published one would, without a download."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pixfound_tasks import mini
from pixfound_tasks.benchmarks.pixmini import build
from pixfound_tasks.grounding.pipeline import open_lens
from pixfound_tasks.masks import area, decode
from pixfound_tasks.mini.measure import phrase_hits
from pixfound_tasks.pixel.families.registry import load_pixel_model
from pixfound_tasks.prompts.text import choice_question, referring_prompt

CHANCE = 0.026  # mean IoU of the whole image, see task_yamls/pixmini/README.md


@pytest.fixture(scope="module")
def model():
    return load_pixel_model(mini.SEG_NAME)


@pytest.fixture(scope="module")
def documents():
    return build()[:48]


@pytest.fixture(scope="module")
def images(documents):
    return [Image.open(BytesIO(document.image["bytes"])).convert("RGB") for document in documents]


@pytest.fixture(scope="module")
def answers(model, documents, images):
    prompts = [referring_prompt(document.expression, "lisa") for document in documents]
    return model.answer_all(images, prompts, max_new_tokens=32)


def test_it_draws_what_is_referred_to(answers, documents):
    present = [(answer, decode(d.mask).astype(bool)) for answer, d in zip(answers, documents) if area(d.mask)]
    ious = [(a.masks[0] & mask).sum() / (a.masks[0] | mask).sum() if len(a.masks) else 0 for a, mask in present]
    assert np.mean(ious) > 0.3 > 10 * CHANCE


def test_it_draws_nothing_where_it_says_that_nothing_is_there(answers, documents):
    absent = [answer for answer, document in zip(answers, documents) if not area(document.mask)]
    assert sum(not len(answer.masks) for answer in absent) > len(absent) / 2
    for answer in answers:
        assert len(answer.masks) == answer.text.count("[SEG]")


def test_its_lens_is_that_of_the_model_that_draws(model, documents, images):
    prompts = [choice_question(document.question, document.options) for document in documents]
    lens = open_lens(mini.SEG_NAME, "cpu")
    seen = [answer.text for answer in lens.answer_all(images, prompts, max_new_tokens=4)]
    assert seen == [answer.text for answer in model.text_all(images, prompts, max_new_tokens=4)]
    correct = [text.strip().lower() == document.answer for text, document in zip(seen, documents)]
    assert np.mean(correct) > 0.6


def test_its_attention_peaks_inside_what_is_referred_to(documents, images):
    lens = open_lens(mini.SEG_NAME, "cpu")
    prompts = [referring_prompt(document.expression) for document in documents]
    looks = lens.look_all(images, prompts, max_new_tokens=48)
    found = [
        any(hit for _, hit in phrase_hits(look, decode(document.mask).astype(bool)))
        for look, document in zip(looks, documents)
        if area(document.mask)
    ]
    assert np.mean(found) > 0.4  # as many random points as phrases hit in a tenth of the images
