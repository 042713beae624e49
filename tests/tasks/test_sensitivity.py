from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image
from rectangles import rectangle

from pixfound_tasks import masks
from pixfound_tasks.analysis.metrics import PairPart
from pixfound_tasks.prompts import variants
from pixfound_tasks.prompts.language_variants import grounding_templates
from pixfound_tasks.response import Response, from_text, to_text
from pixfound_tasks.tasks import answer_masks, sensitivity
from pixfound_tasks.tasks.sensitivity import VariantPart

LEFT = rectangle(0, 0, 3, 4)


@pytest.fixture
def doc(monkeypatch):
    """A document as it is, of an image of 6 x 4 pixels that is white on the left, black on the right."""
    pixels = np.full((4, 6, 3), 255, np.uint8)
    pixels[:, 3:] = 0
    monkeypatch.setattr(answer_masks, "_images", lambda benchmark: {"3": Image.fromarray(pixels)})
    return {
        "benchmark": "pixmini", "id": "3", "file": "3.png", "prompt": None, "pair": 1, "question": "Open or closed?",
        "options": ["Open", "Closed"], "answer": "b", "expression": "the wings", "mask": LEFT, "width": 6, "height": 4,
        "variation_type": "original", "variation": 0, "varied_prompt": None, "template": None, "box_template": None,
        "original_expression": None, "region": None,
    }  # fmt: skip


def parts(type, variation, *values):
    return [VariantPart(type, variation, value) for value in values]


MIOUS = [
    *parts("original", 0, 0.9, 0.7, None),  # 0.8
    *parts("crop", 0, 0.8, 0.6),  # 0.7
    *parts("crop", 1, 0.4, None, 0.6),  # 0.5
    *parts("mask_out", 0, 0.0, 0.0),  # 0
    *parts("mask_out", 1, None),  # none
]


def test_the_four_metrics_by_hand():
    """Variations of 0.7, 0.5 and 0: mean 0.4, squared differences 0.09, 0.01 and 0.16."""
    assert sensitivity.score(MIOUS) == pytest.approx(0.4)
    assert sensitivity.spread(MIOUS) == pytest.approx(math.sqrt(0.26 / 3))
    assert sensitivity.worst(MIOUS) == 0.0
    assert sensitivity.drop(MIOUS) == pytest.approx(0.4)


def test_of_one_type():
    crops = [part for part in MIOUS if part.type in ("original", "crop")]
    found = [statistic(crops) for statistic in sensitivity.STATISTICS.values()]
    assert found == pytest.approx([0.6, 0.1, 0.5, 0.2])


def test_pairs_are_of_one_variation_and_incomplete_ones_left_out():
    """Spelling 0: pair 0 right, pair 1 not: 0.5. Spelling 1: pair 0 wrong, pair 1 cut off by a limit: 0."""
    answers = [
        *parts("original", 0, (0, True), (0, True)),
        *parts("spelling", 0, (0, True), (1, True), (0, True), (1, False)),
        *parts("spelling", 1, (0, True), (0, False), (1, True)),
        *parts("template", 0, (1, True)),
    ]
    # As another process may hand them back.
    for given in (answers, [[part.type, part.variation, list(part.value)] for part in answers]):
        found = [statistic(given) for statistic in sensitivity.STATISTICS.values()]
        assert found == [0.25, 0.25, 0.0, 0.75]


def test_the_order_does_not_matter():
    shuffled = [MIOUS[place] for place in np.random.RandomState(0).permutation(len(MIOUS))]
    for statistic in sensitivity.STATISTICS.values():
        assert statistic(shuffled) == pytest.approx(statistic(MIOUS), abs=1e-12)


@pytest.mark.parametrize("name", sensitivity.STATISTICS)
def test_without_a_variation_there_is_no_metric_but_a_reason(name, loguru_lines):
    for given in ([], parts("original", 0, 0.5), parts("crop", 0, None)):
        assert math.isnan(sensitivity.STATISTICS[name](given))
    assert loguru_lines and all(f"{name} is NaN: no variation has a whole pair" in line for line in loguru_lines)


def test_without_the_original_there_is_no_drop(loguru_lines):
    crops = parts("crop", 0, 0.5)
    assert (sensitivity.score(crops), sensitivity.worst(crops)) == (0.5, 0.5) and loguru_lines == []
    assert math.isnan(sensitivity.drop(crops)) and "the original has none" in loguru_lines[0]


def test_what_no_segmenter_could_measure_is_no_mean():
    unmeasured = [*parts("original", 0, 0.5), *parts("crop", 0, 0.5), *parts("crop", 1, math.nan)]
    assert all(math.isnan(statistic(unmeasured)) for statistic in sensitivity.STATISTICS.values())


@pytest.fixture
def loguru_lines():
    from loguru import logger

    lines: list[str] = []
    sink = logger.add(lines.append, level="WARNING", format="{message}")
    yield lines
    logger.remove(sink)


def test_the_original_counts_for_every_type_and_a_variation_for_its_own(doc):
    found = sensitivity.score_wording(doc, [to_text(Response(masks=(LEFT,)))])
    part = ("original", 0, 1.0)
    assert found["score"] == found["drop_prompt"] == found["spread_expression"] == part
    doc |= {"variation_type": "expression", "variation": 4}
    found = sensitivity.score_wording(doc, [to_text(Response(masks=(rectangle(0, 0, 3, 2),)))])
    assert found["worst"] == found["score_expression"] == ("expression", 4, 0.5)
    assert "score_prompt" not in found and found["unparsed"] == 0.0 and found["pixfound"] is doc
    doc["expression"] = None
    assert sensitivity.score_picture(doc, ["no"])["score"].value is None


def test_choices_are_scored_by_pairs_or_without_them_alone(doc):
    doc |= {"variation_type": "spelling", "variation": 1, "varied_prompt": "Opn or closd?"}
    assert sensitivity.choice_prompt(doc) == "Opn or closd?"
    assert sensitivity.score_choice(doc, ["B."])["score_spelling"] == ("spelling", 1, PairPart(1, True))
    doc["pair"] = None
    assert sensitivity.score_choice(doc, ["A"])["score"] == ("spelling", 1, 0.0)
    assert sensitivity.choice_prompt(doc | {"varied_prompt": None}).startswith("Open or closed? Options:\nA. Open")


@pytest.mark.parametrize("kind", ["attention", "mask", "grounded", "box", "point"])
def test_referring_prompts_by_kind_of_model(doc, kind):
    asked = {"kind": kind}
    usual = sensitivity.referring_prompt(doc, asked)
    assert "the wings" in usual
    template = grounding_templates()[3]
    doc |= {"template": template.mask, "box_template": template.box}
    before, after = (template.box if kind in ("box", "point") else template.mask).split("{}")
    assert sensitivity.referring_prompt(doc, asked) == f"{before}the wings{after}" != usual


def test_a_model_that_takes_no_prompt_is_refused(doc):
    with pytest.raises(ValueError, match="prompted with the phrase alone; run it on the task without variations"):
        sensitivity.referring_prompt(doc, {"kind": "phrase"})


def test_boxes_become_masks_on_the_varied_picture(doc, monkeypatch):
    """Of six columns four are kept, of which the truth has three."""
    target = masks.encode(masks.decode(LEFT)[:, :4])
    doc |= {"variation_type": "crop", "region": [0, 0, 4, 4], "width": 4, "mask": target}
    (image,) = sensitivity.image(doc)
    assert image.size == (4, 4)
    monkeypatch.setenv("PIXFOUND_COORDINATES", "percent")
    sensitivity.referring_prompt(doc, {"kind": "point"})
    found = sensitivity.score_picture(doc, ['<point x="25.0" y="50.0" alt="wings">wings</point>'])
    (made,) = from_text(found["grounded"], (4, 4)).masks
    assert (made["size"], masks.area(made), found["score_crop"]) == ([4, 4], 12, ("crop", 0, 1.0))


def test_the_metrics_of_every_type_are_listed(monkeypatch, tmp_path):
    listed = sensitivity.PICTURE_METRICS
    names = [f"{name}{type}" for type in ("", "_crop", "_mask_out") for name in ("score", "spread", "worst", "drop")]
    assert [metric["metric"] for metric in listed] == [*names, "unparsed"]
    assert [metric["higher_is_better"] for metric in listed[:5]] == [True, False, True, False, True]
    assert listed[10]["aggregation"] is sensitivity.worst and sensitivity.PICTURE_METRICS is not listed
    assert len(sensitivity.CHOICE_METRICS) == 13
    monkeypatch.setenv("PIXFOUND_PARAPHRASES", str(tmp_path))
    assert "drop_paraphrase" in [metric["metric"] for metric in sensitivity.CHOICE_METRICS]
    assert variants.choice_types()[-1] == "paraphrase"
