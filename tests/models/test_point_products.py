"""`candidates=products` and `enlarge` of `--model pixfound`, in runs of lmms-eval on drawings."""

from __future__ import annotations

import json

import pytest
from running import evaluate, metrics

from pixfound_tasks import Lens, masks, mini
from pixfound_tasks.attention.lens import Answer
from pixfound_tasks.models.arguments import read_arguments
from pixfound_tasks.response import from_text

TWO_POINTS = '<point x="25" y="50">thing</point><point x="75" y="50">thing</point>'


@pytest.fixture
def said(monkeypatch):
    """Puts an answer into the model's mouth, and keeps what it was prompted with."""
    prompted = []

    def say(text):
        def answer_all(lens, images, texts, **options):
            prompted.extend(zip(images, texts))
            return [Answer(text, 7)] * len(texts)

        monkeypatch.setattr(Lens, "answer_all", answer_all)
        return prompted

    return say


def samples(arguments, limit=3):
    result = evaluate("pixfound", f"pretrained={mini.NAME},{arguments}", ["pixmini_ground"], limit=limit)
    return result, result["samples"]["pixmini_ground"]


def size_of(sample):
    """The (height, width) of a sample's image."""
    return tuple(sample["pixfound"]["mask"]["size"])


def test_points_become_products_that_the_oracle_selects_from(said, monkeypatch):
    prompted = said(TWO_POINTS)
    monkeypatch.setenv("PIXFOUND_COORDINATES", "percent")
    result, found = samples("grounding=point,candidates=products")
    assert all(text.startswith("Point to the ") for _, text in prompted)
    assert [image.size[::-1] for image, _ in prompted] == [size_of(sample) for sample in found]
    _, plain = samples("grounding=point")
    for sample, other in zip(found, plain):
        size = size_of(sample)
        response, usual = (from_text(each["filtered_resps"][0], size) for each in (sample, other))
        (phrase,) = response.phrases
        assert len(phrase.candidates) == 9 and response.selected.by == "mask=highest"
        # The product of the highest-scoring masks is what those masks are without products.
        assert response.prediction(size) == usual.prediction(size) and len(usual.masks) == 2
        best = max(masks.iou(candidate.mask, sample["pixfound"]["mask"]) for candidate in phrase.candidates)
        assert sample["oracle_miou"] in (best, 1.0) and sample["oracle_miou"] >= sample["miou"] == other["miou"]
        made = response.provenance
        assert (made["grounding"], made["candidates"], made["select"]) == ("point", "products", "mask")
        assert "candidates" not in usual.provenance and "enlarge" not in made
    assert metrics(result, "pixmini_ground")["unparsed"] == 0.0


def test_the_model_judges_products(said, monkeypatch):
    said(TWO_POINTS)
    monkeypatch.setenv("PIXFOUND_COORDINATES", "percent")
    _, (sample,) = samples("grounding=point,candidates=products,select=judge,judge=self,mask=third", 1)
    response = json.loads(sample["filtered_resps"][0])
    assert response["selected"]["by"] == "judge" and response["provenance"]["judge"]["name"] == "self"
    assert (response["provenance"]["select"], response["provenance"]["mask"]) == ("judge", "third")


def test_the_model_sees_the_image_enlarged(said, monkeypatch):
    prompted = said('[{"bbox_2d": [0, 0, 120, 160]}]')
    monkeypatch.setenv("PIXFOUND_COORDINATES", "pixel")
    _, (enlarged,) = samples("grounding=box,enlarge=2", 1)
    _, (plain,) = samples("grounding=box", 1)
    assert [image.size for image, _ in prompted] == [(240, 320), (120, 160)]
    responses = [from_text(each["filtered_resps"][0], size_of(each)) for each in (enlarged, plain)]
    assert [response.boxes for response in responses] == [((0.0, 0.0, 0.5, 0.5),), ((0.0, 0.0, 1.0, 1.0),)]
    assert [response.provenance.get("enlarge") for response in responses] == [2, None]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"candidates": "product"}, r"candidates to be one of .*, but got 'product'"),
        ({"candidates": "products"}, "expected grounding=point with candidates=products, but got grounding=attention"),
        ({"candidates": "products", "grounding": "box"}, "expected grounding=point with candidates=products"),
        ({"enlarge": 2}, "expected grounding=box or point with enlarge=2, but got grounding=attention"),
        ({"enlarge": 0, "grounding": "box"}, "expected enlarge as a whole number of at least 1"),
        ({"candidates": "products", "grounding": "point", "select": "phrase"}, "select, with candidates=products,"),
        ({"candidates": "products", "grounding": "point", "select": "judge"}, "expected a judge with select=judge"),
    ],
)
def test_what_does_not_fit_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        read_arguments(given)


def test_the_studys_judge_can_select_a_product():
    given = {"grounding": "point", "candidates": "products", "select": "judge", "judge": "openai:m"}
    assert read_arguments(given | {"judging": "study"}).of_prompting == {
        "candidates": "products", "select": "judge", "judging": "study"
    }  # fmt: skip
    assert read_arguments({}).of_prompting == {} and read_arguments({"grounding": "box"}).select == "similarity"
