"""`--model pixfound_pixel` in lmms-eval, with a tiny random LISA."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pixel.tiny_lisa import make
from running import environment, evaluate, metrics

from pixfound_tasks import Look, masks
from pixfound_tasks.models.pixel_arguments import read_pixel_arguments
from pixfound_tasks.pixel.families.registry import load_pixel_model
from pixfound_tasks.prompts.text import REFERRING
from pixfound_tasks.response import from_text
from pixfound_tasks.tasks.open import open_prompt

TASKS = ["pixmini_ground", "pixmini_vqa", "pixmini_vqa_open", "pixmini_when"]
LIMIT = 4


@pytest.fixture(scope="module")
def lisa(tmp_path_factory):
    return make(tmp_path_factory.mktemp("lisa") / "tiny")


@pytest.fixture(scope="module")
def own(lisa):
    return evaluate("pixfound_pixel", f"{arguments(lisa)}", TASKS, limit=LIMIT)


def arguments(lisa) -> str:
    return f"pretrained={lisa.checkpoint},max_new_tokens=12"


def texts(run, task):
    return [sample["filtered_resps"][0] for sample in run["samples"][task]]


def responses(run, task):
    """What each sample's text holds, with masks of the size of its image: PixMini has several."""
    sizes = [tuple(sample["pixfound"]["mask"]["size"]) for sample in run["samples"][task]]
    return [from_text(text, size) for text, size in zip(texts(run, task), sizes, strict=True)]


def test_its_masks_are_the_answers_of_referring_prompts_and_open_questions(lisa, own):
    model = load_pixel_model(lisa.checkpoint)
    for task in ("pixmini_ground", "pixmini_vqa_open", "pixmini_when"):
        for response, sample in zip(responses(own, task), own["samples"][task]):
            document = sample["pixfound"]
            is_open = task == "pixmini_vqa_open"
            prompt = open_prompt(document) if is_open else REFERRING["lisa"].format(expr=document["expression"])
            image = document["image"].convert("RGB")
            (answer,) = model.answer_all([image], [prompt], max_new_tokens=12)
            assert response.text == answer.text and response.tokens == len(answer.ids)
            assert list(response.masks) == [masks.encode(mask) for mask in answer.masks]
            assert response.provenance.get("prompt") == (None if is_open else prompt)
            assert response.provenance["family"] == "lisa" and response.provenance["grounding"] == "own"
    assert {len(response.masks) > 1 for response in responses(own, "pixmini_ground")} == {True}


def test_choice_questions_are_answered_with_text(own):
    assert all(text and not text.startswith("{") for text in texts(own, "pixmini_vqa"))


def test_the_score_is_that_of_the_union(own):
    targets = [sample["pixfound"]["mask"] for sample in own["samples"]["pixmini_ground"]]
    ious = [
        masks.iou(response.prediction(tuple(target["size"])), target)
        for response, target in zip(responses(own, "pixmini_ground"), targets, strict=True)
    ]
    assert metrics(own, "pixmini_ground")["miou"] == pytest.approx(sum(ious) / LIMIT)
    assert metrics(own, "pixmini_ground")["unparsed"] == 0.0


def test_batches_give_the_same_responses(lisa, own):
    again = evaluate("pixfound_pixel", arguments(lisa), TASKS, limit=LIMIT, batch_size=4)
    assert texts(again, "pixmini_vqa") == texts(own, "pixmini_vqa")
    for task in TASKS[:1] + TASKS[2:]:
        for response, alone in zip(responses(again, task), responses(own, task), strict=True):
            assert (response.text, response.tokens) == (alone.text, alone.tokens)
            for mask, other in zip(response.masks, alone.masks, strict=True):
                assert (masks.decode(mask) != masks.decode(other)).sum() <= 5  # where a logit is almost 0


def test_the_first_mask_alone_as_in_the_study(lisa, own):
    first = evaluate("pixfound_pixel", f"{arguments(lisa)},mask=first", ["pixmini_ground"], limit=2)
    for response, whole in zip(responses(first, "pixmini_ground"), responses(own, "pixmini_ground")):
        assert response.masks == whole.masks[:1]


def test_both_record_what_was_drawn_and_what_was_attended_to(lisa, own, tmp_path):
    given = f"{arguments(lisa)},grounding=both,segmenter=region,phrases=rules,save_attention={tmp_path}"
    both = evaluate("pixfound_pixel", given, ["pixmini_ground", "pixmini_vqa"], limit=2, batch_size=2)
    alone = responses(own, "pixmini_ground")
    for number, response in enumerate(responses(both, "pixmini_ground")):
        assert response.text == alone[number].text and response.masks == alone[number].masks
        assert response.selected.by == "similarity" and len(response.control) == len(response.phrases) > 0
        assert response.provenance["grounding"] == "both" and response.provenance["segmenter"] == "region"
        look = Look.load(tmp_path / f"pixmini_ground_{number}.safetensors")
        assert look.text == response.text and look.settings["prompt"].startswith("Can you segment")
        for phrase in response.phrases:
            assert phrase.point is None or phrase.point == look.peak(phrase.chars)
    assert texts(both, "pixmini_vqa") == texts(own, "pixmini_vqa")[:2]


def test_attention_alone_is_grounded_as_by_pixfound(lisa):
    given = f"{arguments(lisa)},grounding=attention,segmenter=region,phrases=rules,mask=third,control=False"
    run = evaluate("pixfound_pixel", given, ["pixmini_ground"], limit=2)
    for response in responses(run, "pixmini_ground"):
        assert response.provenance["grounding"] == "attention" and response.provenance["mask"] == "third"
        assert response.provenance["prompt"].startswith("Identify ") and not response.control
        chosen = response.selected
        assert list(response.masks) == (
            [] if chosen.phrase is None else [response.phrases[chosen.phrase].candidates[chosen.candidate].mask]
        )


def test_prompts_that_are_set_or_varied_stay(lisa, monkeypatch):
    task = "pixmini_ground_lang_lite"
    run = evaluate("pixfound_pixel", arguments(lisa), [task], limit=3)
    kinds = [sample["pixfound"]["variation_type"] for sample in run["samples"][task]]
    changed = ["prompt" in response.provenance for response in responses(run, task)]
    assert changed == [kind == "original" for kind in kinds] == [True, False, False]
    monkeypatch.setenv("PIXFOUND_KIND", "grounded")
    run = evaluate("pixfound_pixel", arguments(lisa), ["pixmini_ground"], limit=1)
    assert "prompt" not in responses(run, "pixmini_ground")[0].provenance


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "pretrained=NAME"),
        ({"grounding": "box"}, "grounding to be one of .*'attention', 'both', 'own'"),
        ({"mask": "third"}, "mask to be one of .*'all', 'first'"),
        ({"reducer": "mean"}, "grounding=attention or both with reducer"),
        ({"preset": "paper"}, "a model argument to be one of"),
        ({"famly": "lisa"}, "did you mean 'family'"),
        ({"trust_remote_code": True}, "a model argument to be one of"),
    ],
)
def test_arguments_are_checked(given, message):
    values = {"pretrained": "somewhere"} | given if given else {}
    with pytest.raises(ValueError, match=message):
        read_pixel_arguments(values)
    with pytest.raises(ValueError, match="dtype as float32"):
        _ = read_pixel_arguments({"pretrained": "somewhere", "dtype": "float31"}).dtype


def test_a_killed_run_is_finished_by_two_processes(lisa, own, tmp_path):
    options = [
        "--model", "pixfound_pixel", "--model_args", arguments(lisa), "--tasks", ",".join(TASKS), "--limit", str(LIMIT),
        "--output_path", str(tmp_path / "out"), "--log_samples", "--use_cache", str(tmp_path / "cache"),
    ]  # fmt: skip
    variables = environment() | {"PIXFOUND_CACHE": str(tmp_path / "data")}
    programs = Path(sys.executable).parent

    def answered():
        return sum(len(log.read_bytes().splitlines()) for log in tmp_path.glob("cache/runs/*/*.jsonl"))

    run = subprocess.Popen(
        [programs / "lmms-eval", *options], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    while answered() < 3:
        assert run.poll() is None, "it ended before 3 responses"
        time.sleep(random.random() / 20)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    together = [programs / "torchrun", "--nproc_per_node", "2", "-m", "lmms_eval", *options]
    done = subprocess.run(together, env=variables, capture_output=True, text=True, check=False)
    assert list(tmp_path.glob("out/*/*_results.json")), done.stdout + done.stderr
    for task in TASKS:
        (file,) = tmp_path.glob(f"out/*/*_samples_{task}.jsonl")
        samples = sorted(map(json.loads, file.read_text().splitlines()), key=lambda sample: sample["doc_id"])
        assert [sample["filtered_resps"] for sample in samples] == texts(own, task)
