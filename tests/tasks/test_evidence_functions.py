"""Made-up models on PixMini's images, and flips counted by hand."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from untrusted import OUTPUTS

from pixfound_tasks import benchmarks, masks
from pixfound_tasks.prompts.evidence import ablations
from pixfound_tasks.response import Response, to_text
from pixfound_tasks.tasks import aggregations
from pixfound_tasks.tasks.evidence import (
    Asking,
    evidence_score,
    flip_control,
    flip_evidence,
    flips,
    image,
    score_evidence,
)


@pytest.fixture(scope="module")
def askings():
    return list(ablations(benchmarks.load("pixmini")["test"]))


def run(askings, model) -> dict[str, list]:
    """Every value that the hook gives for a model's answers, by metric."""
    scores = [score_evidence(doc, [model(doc, np.asarray(image(doc)[0]))]) for doc in askings]
    return {name: [score[name] for score in scores] for name in ("score", "flip_evidence", "flip_control", "accuracy")}


def metrics(found: dict[str, list]) -> tuple[float, float, float]:
    score, evidence, control = (found[name] for name in ("score", "flip_evidence", "flip_control"))
    return evidence_score(score), flip_evidence(evidence), flip_control(control)


def looks_at_the_region(doc, pixels):
    original = np.asarray(doc["image"].convert("RGB"))
    region = masks.decode(doc["mask"])
    return "A" if (pixels[region] == original[region]).all() else "B"


def test_a_model_that_looks_at_the_region_alone_always_flips_on_evidence_and_never_on_control(askings):
    found = run(askings, looks_at_the_region)
    assert metrics(found) == (1.0, 1.0, 0.0)
    # It says A to every unpainted image.
    assert aggregations.mean(found["accuracy"]) == sum(doc["answer"] == "a" for doc in askings[::3]) / 225


def test_a_model_that_ignores_the_image_never_flips(askings):
    assert metrics(run(askings, lambda doc, pixels: doc["id"][-1] + " A")) == (0.0, 0.0, 0.0)


def test_a_model_that_looks_everywhere_else_flips_on_control_alone(askings):
    def looks_elsewhere(doc, pixels):
        original, region = np.asarray(doc["image"].convert("RGB")), masks.decode(doc["mask"])
        return "A" if (pixels[~region] == original[~region]).all() else "B"

    assert metrics(run(askings, looks_elsewhere)) == (-1.0, 0.0, 1.0)


# Four documents, of which the last lacks its control: of three the evidence flips two and the control one.
BY_HAND = [
    Asking("1", "plain", 0), Asking("1", "evidence", 1), Asking("1", "control", 0),
    Asking("2", "plain", 1), Asking("2", "evidence", None), Asking("2", "control", 0),
    Asking("3", "plain", None), Asking("3", "evidence", None), Asking("3", "control", None),
    Asking("4", "plain", 0), Asking("4", "evidence", 1),
]  # fmt: skip


def test_flips_by_hand_in_any_order_and_as_other_processes_hand_them_back():
    for seed in range(5):
        askings = [list(asking) for asking in BY_HAND]
        random.Random(seed).shuffle(askings)
        assert flips(askings) == {"1": (True, False), "2": (True, True), "3": (False, False)}
        assert (flip_evidence(askings), flip_control(askings)) == (2 / 3, 1 / 3)
        assert evidence_score(askings) == pytest.approx(1 / 3)


def test_without_a_whole_document_rates_are_nan():
    for askings in ([], BY_HAND[-2:]):
        assert all(math.isnan(rate(askings)) for rate in (evidence_score, flip_evidence, flip_control))


@pytest.mark.parametrize(
    ("answer", "chosen", "accuracy"),
    [
        ("A", 0, 1.0),
        ("A) Yes, surely", 0, 0.0),  # the paper's rule wants the letter alone
        ("Yes or no? I cannot tell.", None, 0.0),
        (to_text(Response("B")), 1, 0.0),
    ],
)
def test_answers_are_read_as_elsewhere(askings, answer, chosen, accuracy):
    plain, evidence = askings[:2]
    assert (plain["options"], plain["answer"]) == (["Yes", "No"], "a")
    found = score_evidence(plain, [answer])
    assert found["score"] == found["flip_evidence"] == found["flip_control"] == ("1", "plain", chosen)
    assert found["accuracy"] == accuracy and found["pixfound"] is plain
    painted = score_evidence(evidence, [answer])
    assert painted["score"] == ("1", "evidence", chosen) and painted["accuracy"] is None


@given(output=OUTPUTS)
def test_no_output_raises_or_loses_its_sample(output):
    doc = {"id": "1", "kind": "plain", "options": ["Left", "Right"], "answer": "b", "width": 6, "height": 4}
    found = score_evidence(doc, [output])
    assert found["score"].chosen in (None, 0, 1) and found["accuracy"] in (0.0, 1.0)
