from __future__ import annotations

import math
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from grounding.tiny_sams import save
from hypothesis import HealthCheck, given, settings
from lmms_eval.models import AVAILABLE_CHAT_TEMPLATE_MODELS, AVAILABLE_SIMPLE_MODELS
from PIL import Image
from rectangles import SIZE, rectangle
from untrusted import OUTPUTS

from pixfound_tasks import masks
from pixfound_tasks.response import Candidate, Phrase, PromptedMasks, Response, from_text, to_text
from pixfound_tasks.tasks import aggregations, answer_masks, choice, emergence, model_profiles, referring
from pixfound_tasks.tasks import open as open_task

PIXELS = np.full((4, 6, 3), 255, np.uint8)
PIXELS[:, 3:] = 0
LEFT, TOP_LEFT = rectangle(0, 0, 3, 4), rectangle(0, 0, 3, 2)


@pytest.fixture
def doc(monkeypatch):
    """A document of an image that is white on the left, black on the right."""
    monkeypatch.setattr(answer_masks, "_images", lambda benchmark: {"3": Image.fromarray(PIXELS)})
    return {
        "benchmark": "pixmini", "id": "3", "file": "3.png", "prompt": None, "pair": 1, "question": "Open or closed?",
        "options": ["Open", "Closed"],
        "options_text": "(a) Open (b) Closed", "answer": "b", "pattern": "State and Condition",
        "expression": "the wings", "mask": LEFT, "width": 6, "height": 4,
    }  # fmt: skip


def test_choice_prompt_is_the_papers(doc):
    assert choice.choice_prompt(doc) == (
        "Open or closed? Options:\nA. Open\nB. Closed\nAnswer with the option's letter from the given choices directly."
    )


def test_a_benchmarks_own_prompt_takes_the_place_of_ours(doc):
    doc["prompt"] = "Open or closed? Select from the following choices.\n(A) Open\n(B) Closed"
    assert open_task.open_prompt(doc) == doc["prompt"]
    assert (
        choice.choice_prompt(doc)
        == f"{doc['prompt']}\nAnswer with the option's letter from the given choices directly."
    )


def test_without_pairs_the_score_is_the_answers(doc):
    doc["pair"] = None
    found = choice.score_choice(doc, ["B."])
    assert (found["score"], found["pair_accuracy"], found["accuracy"]) == (1.0, None, 1.0)
    assert open_task.score_open(doc, ["It is open."])["score"].answer == 0.0


def test_open_scores_by_the_rule(doc):
    assert open_task.open_prompt(doc) == "Open or closed? (a) Open (b) Closed"
    correct = open_task.score_open(doc, ["They are closed."])
    assert (correct["accuracy"], correct["unjudged"], correct["pair_accuracy"]) == (1.0, 0.0, (1, True))
    assert correct["judgement"] == {"by": "rule", "verdict": True, "reply": "b"}
    assert correct["miou"] == (0.0, False)
    both = open_task.score_open(doc, ["They may be open or closed."])
    assert (both["accuracy"], both["unjudged"], both["judgement"]["verdict"]) == (0.0, 1.0, None)


def test_the_masks_of_an_open_answer_are_scored(doc):
    found = open_task.score_open(doc, [to_text(Response("Closed.", masks=(TOP_LEFT,)))])
    assert (found["accuracy"], found["miou"]) == (1.0, (0.5, True))
    assert found["score"] == ((1, True), (0.5, True))
    doc["expression"] = None
    assert open_task.score_open(doc, [to_text(Response("Closed.", masks=()))])["miou"] == (None, True)


def test_a_wrong_judge_shows_before_anything_is_answered(doc, monkeypatch):
    monkeypatch.setenv("PIXFOUND_JUDGE", "rules")
    with pytest.raises(ValueError, match="did you mean 'rule'"):
        open_task.open_prompt(doc)


def test_choice_scores(doc):
    correct = choice.score_choice(doc, ["B."])
    assert correct["pair_accuracy"] == correct["score"] == (1, True)
    assert (correct["accuracy"], correct["lenient_accuracy"], correct["unparsed"]) == (1.0, 1.0, 0.0)
    lenient = choice.score_choice(doc, ["B) Closed"])
    assert (lenient["accuracy"], lenient["lenient_accuracy"], lenient["unparsed"]) == (0.0, 1.0, 0.0)
    unread = choice.score_choice(doc, ["Hm."])
    assert (unread["accuracy"], unread["lenient_accuracy"], unread["unparsed"]) == (0.0, 0.0, 1.0)


def test_a_grounded_answer_to_a_choice_question_is_read_by_its_text(doc):
    assert choice.score_choice(doc, [to_text(Response("B", masks=(LEFT,)))])["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("kind", "prompt"),
    [
        (None, "Identify the wings in the scene."),
        ("mask", "Can you please segment the wings in the given image"),
        ("phrase", "the wings"),
    ],
)
def test_referring_prompts_by_kind_of_model(doc, kind, prompt):
    assert referring.referring_prompt(doc, kind and {"kind": kind}) == prompt


def test_an_unknown_kind_of_prompt_is_an_error(doc):
    with pytest.raises(ValueError, match="one of .*'attention'.*, but got 'sketch'"):
        referring.referring_prompt(doc, {"kind": "sketch"})


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [("PIXFOUND_COORDINATES", "thousands", "'thousand'"), ("PIXFOUND_SEGMENTER", "regions", "'region'")],
)
def test_a_wrong_setting_shows_before_anything_is_answered(doc, monkeypatch, variable, value, hint):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=f"did you mean {hint}"):
        referring.referring_prompt(doc)


def test_every_declared_model_is_one_of_the_hosts_and_its_convention_known():
    hosts = {
        *AVAILABLE_SIMPLE_MODELS,
        *AVAILABLE_CHAT_TEMPLATE_MODELS,
        "pixfound",
        "pixfound_pixel",
        "pixfound_replay",
        "default",
    }
    for model, entry in model_profiles.BY_MODEL.items():
        assert model_profiles.set_profile("pixmini", entry) == (entry["kind"], entry.get("coordinates"))
        assert model in hosts


def test_the_bounds_of_qwen2_5_vl_are_those_of_the_hosts_wrapper():
    source = Path(find_spec("lmms_eval").origin).with_name("models") / "simple" / "qwen2_5_vl.py"
    found = dict(re.findall(r"(m(?:in|ax)_pixels): int = ([0-9* ]+),", source.read_text()))
    bounds = ":".join(str(math.prod(map(int, found[name].split("*")))) for name in ("min_pixels", "max_pixels"))
    assert model_profiles.BY_MODEL["qwen2_5_vl"]["coordinates"] == f"resized:28:{bounds}"


def test_the_environment_declares_what_the_models_name_does_not(doc, monkeypatch):
    monkeypatch.setenv("PIXFOUND_KIND", "point")
    monkeypatch.setenv("PIXFOUND_COORDINATES", "percent")
    assert referring.referring_prompt(doc, {"kind": "box"}).startswith("Point to the the wings")
    assert model_profiles.get_profile("pixmini") == ("point", "percent")
    monkeypatch.setenv("PIXFOUND_KIND", "points")
    with pytest.raises(ValueError, match="did you mean 'point'"):
        referring.referring_prompt(doc)


@pytest.mark.parametrize(
    ("model", "reply"),
    [
        # The left half of an image of 6 x 4 pixels, which Qwen2.5-VL sees as 560 x 364 pixels.
        ("qwen2_5_vl", '```json\n[{"bbox_2d": [0, 0, 280, 364], "label": "wings"}]\n```'),
        ("qwen3_vl", '[{"bbox_2d": [0, 0, 500, 1000]}]'),
        ("gemini", '[{"box_2d": [0, 0, 1000, 500]}]'),
        ("internvl3", "<ref>wings</ref><box>[[0, 0, 500, 1000]]</box>"),
        ("vllm", "<loc0000><loc0000><loc1023><loc0512> wings"),
        ("vllm", '{"boxes": [[0.0, 0.0, 0.5, 1.0]]}'),
    ],
)
def test_boxes_become_masks_by_what_is_declared_of_the_model(doc, model, reply):
    referring.referring_prompt(doc, model_profiles.BY_MODEL.get(model, model_profiles.BY_MODEL["default"]))
    scores = referring.score_grounding(doc, [reply])
    assert (scores["unparsed"], scores["miou"]) == (0.0, 1.0)
    made = from_text(scores["grounded"], SIZE)
    assert made.masks == (LEFT,) and made.provenance["segmenter"] == "region"


def test_points_become_masks(doc, monkeypatch):
    monkeypatch.setenv("PIXFOUND_COORDINATES", "percent")
    referring.referring_prompt(doc, {"kind": "point"})
    scores = referring.score_grounding(doc, ['<point x="25.0" y="50.0" alt="wings">wings</point>'])
    made = from_text(scores["grounded"], SIZE)
    assert (scores["miou"], made.points, made.provenance["coordinates"]) == (1.0, ((0.25, 0.5),), "percent (declared)")


def test_undeclared_boxes_are_unparsed(doc):
    referring.referring_prompt(doc, model_profiles.BY_MODEL["default"])
    scores = referring.score_grounding(doc, ['[{"bbox_2d": [0, 0, 500, 1000]}]'])
    assert (scores["unparsed"], scores["miou"]) == (1.0, 0.0)
    assert "PIXFOUND_COORDINATES" in from_text(scores["grounded"], SIZE).problems[0]


def test_none_in_words_is_no_mask(doc):
    doc["mask"] = masks.empty(SIZE)
    scores = referring.score_grounding(doc, ["The object does not exist in the image."])
    assert (scores["unparsed"], scores["miou"], scores["absent_accuracy"]) == (0.0, 1.0, 1.0)


def test_without_its_segmenter_a_run_has_no_iou_and_no_answer_is_lost(doc, monkeypatch, tmp_path):
    save("sam", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    monkeypatch.setenv("PIXFOUND_SEGMENTER", f"sam:{tmp_path}")
    scores = referring.score_grounding(doc, ['{"boxes": [[0.0, 0.0, 0.5, 1.0]]}'])
    assert math.isnan(scores["miou"]) and math.isnan(scores["score"]) and scores["unparsed"] == 0.0
    assert from_text(scores["grounded"], SIZE).boxes == ((0.0, 0.0, 0.5, 1.0),)
    # What needs no segmenter is scored, but is no mean of the run.
    denied = referring.score_grounding(doc, ["There is no such object."])
    assert denied["miou"] == 0.0
    assert math.isnan(aggregations.mean([scores["miou"], denied["miou"]]))
    assert math.isnan(aggregations.cumulative_iou([scores["ciou"], denied["ciou"]]))


def test_a_reply_in_a_models_own_json_is_read_as_it_stands(doc):
    reply = '{"answer": "closed", "boxes": [[1, 2, 3, 4]]}'
    assert open_task.score_open(doc, [reply])["judgement"]["reply"] == "b"
    assert from_text('{"masks": [], "boxes": [], "scores": []}', SIZE).text == ""


def test_pairs_in_prose_are_no_answer_to_a_question_for_boxes(doc):
    referring.referring_prompt(doc, {"kind": "box", "coordinates": "thousand"})
    assert referring.score_grounding(doc, ["Its wing (0, 0) and its beak (500, 1000)."])["unparsed"] == 1.0
    assert referring.score_grounding(doc, ["Top-left (0, 0) and bottom-right (500, 1000)."])["miou"] == 1.0


def test_grounding_scores(doc):
    scores = referring.score_grounding(doc, [to_text(Response(masks=(TOP_LEFT,)))])
    assert scores["miou"] == scores["score"] == scores["oracle_miou"] == 0.5
    assert scores["ciou"] == (6, 12)
    assert (scores["precision_50"], scores["absent_accuracy"], scores["unparsed"]) == (0.0, None, 0.0)


def test_the_oracle_looks_at_all_candidates(doc):
    phrases = (Phrase(candidates=(Candidate(LEFT),)),)
    scores = referring.score_grounding(doc, [to_text(Response(masks=(), phrases=phrases))])
    assert (scores["miou"], scores["oracle_miou"]) == (0.0, 1.0)


def test_when_by_hand(doc):
    """Two phrases of an answer of ten tokens; the second, at token six, has the best mask; the control finds half."""
    phrases = (
        Phrase(candidates=(Candidate(TOP_LEFT),), text="a bird", root="bird", chars=(0, 6), tokens=(0, 2)),
        Phrase(candidates=(Candidate(LEFT),), text="its wings", root="wings", chars=(10, 19), tokens=(6, 8)),
    )
    control = (PromptedMasks((0.5, 0.5), (Candidate(TOP_LEFT),)),)
    response = Response("a bird and its wings", (LEFT,), phrases=phrases, control=control, tokens=10)
    found = emergence.score_when(doc, [to_text(response)])
    assert [found[name] for name in ("oracle_miou", "chance_miou", "exact_phrase_rate", "median_location")] == [
        1.0, 0.5, 1.0, 0.6
    ]  # fmt: skip
    # By the word list: wings are a part.
    assert (found["concept"], found["classified_by"]) == ("part", "word list")
    doc["expression"] = "the bird"
    assert emergence.score_when(doc, [to_text(response)])["exact_phrase_rate"] == 0.0
    # Nothing was said: chance had no point to try, which is its finding only where the run has controls.
    mute = Response("", (), tokens=0)
    silent = emergence.score_when(doc, [to_text(mute)])
    assert (silent["chance_miou"], silent["concept"], silent["classified_by"]) == (None, None, None)
    controlled = replace(mute, provenance={"control": True})
    assert emergence.score_when(doc, [to_text(controlled)])["chance_miou"] == 0.0
    doc["expression"] = None
    nothing_asked = emergence.score_when(doc, [to_text(response)])
    assert (nothing_asked["oracle_miou"], nothing_asked["concept"]) == (None, None)


def test_a_wrong_classifier_of_concepts_shows_before_anything_is_answered(doc, monkeypatch):
    assert emergence.when_prompt(doc) == referring.referring_prompt(doc) == "Identify the wings in the scene."
    monkeypatch.setenv("PIXFOUND_CONCEPTS", "word")
    with pytest.raises(ValueError, match="expected PIXFOUND_CONCEPTS to be one of .* did you mean 'words'?"):
        emergence.when_prompt(doc)


def test_an_absent_object(doc):
    doc["mask"] = masks.empty(SIZE)
    empty = referring.score_grounding(doc, [to_text(Response(masks=()))])
    assert (empty["miou"], empty["absent_accuracy"], empty["precision_50"]) == (1.0, 1.0, 1.0)
    alarm = referring.score_grounding(doc, [to_text(Response(masks=(LEFT,)))])
    assert (alarm["miou"], alarm["absent_accuracy"]) == (0.0, 0.0)


def test_unreadable_output_is_counted_and_scored_as_no_mask(doc):
    wrong_size = '{"masks": [{"size": [6, 4], "counts": "0"}]}'
    with_boxes = '{"masks": [{"size": [6, 4], "counts": "0"}], "boxes": [[0, 0, 0.5, 1]], "scores": [0.9]}'
    for text in ("The wings are orange.", wrong_size, with_boxes, "", '{"masks": 3}'):
        scores = referring.score_grounding(doc, [text])
        assert (scores["unparsed"], scores["miou"]) == (1.0, 0.0)


def test_an_image_without_expression_has_no_iou(doc):
    doc["expression"] = None
    scores = referring.score_grounding(doc, [to_text(Response(masks=(LEFT,)))])
    assert scores["miou"] is None and scores["ciou"] is None and scores["unparsed"] == 0.0
    assert referring.referring_prompt(doc) == "Identify None in the scene."


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(output=OUTPUTS)
def test_no_output_raises_or_loses_its_sample(doc, output):
    grounding, answered = referring.score_grounding(doc, [output]), choice.score_choice(doc, [output])
    assert open_task.score_open(doc, [output])["accuracy"] in (0.0, 1.0)
    assert 0.0 <= emergence.score_when(doc, [output])["oracle_miou"] <= 1.0
    assert 0.0 <= grounding["miou"] <= 1.0 and grounding["unparsed"] in (0.0, 1.0)
    assert answered["accuracy"] in (0.0, 1.0) and answered["unparsed"] in (0.0, 1.0)
