"""Models as they really answer, behind a chat-completions server and lmms-eval's own backends, by the real command.

The stand-in models know the ground truth. Each answers in its family's form: correctly, but for documents whose number
is a multiple of three (the other option) or of four ("not there"). Their drafts say the opposite.
"""

from __future__ import annotations

import base64
import io
import json
import math

import numpy as np
import pytest
from judges.chat_server import ChatServer, fails, says
from models.tiny_checkpoints import save_thinker
from PIL import Image
from running import command

from pixfound_tasks import benchmarks, masks
from pixfound_tasks.grounding.segmenters.base import make_segmenter
from pixfound_tasks.grounding.selection import highest_scoring_candidate
from pixfound_tasks.response import PromptedMasks

LIMIT = 12


def qwen3_vl(letter, other, box):
    draft = f"Got it, let's look. It may be {other}, at [0, 0, 300, 300]."  # the template opens the thinking
    if letter:
        return f"{draft}</think>\n\n{letter}"
    if box is None:
        return f"{draft}</think>\n\nThere is no such object in the image."
    return f'{draft}</think>\n\n```json\n[{{"bbox_2d": {[round(1000 * x) for x in box]}, "label": "it"}}]\n```'


def harmony(letter, other, box):
    draft = f"<|channel|>analysis<|message|>Maybe {other}, [0.0, 0.0, 0.3, 0.3].<|end|>"
    answer = letter or ("None." if box is None else str([round(x, 4) for x in box]))
    return f"{draft}<|start|>assistant<|channel|>final<|message|>{answer}<|return|>"


def gemini(letter, other, box):
    if letter:
        return f"**{letter}**"
    y_first = [round(1000 * box[index]) for index in (1, 0, 3, 2)] if box else None
    return "```json\n[]\n```" if box is None else f'```json\n[{{"box_2d": {y_first}, "label": "it"}}]\n```'


def glm_4_5v(letter, other, box):
    draft = f"<think>Maybe {other}, <|begin_of_box|>[[0, 0, 300, 300]]<|end_of_box|>.</think>"
    if box is None and not letter:
        return f"{draft}It is not in the image."
    answer = letter or f"[[{','.join(str(round(1000 * x)) for x in box)}]]"
    return f"{draft}<|begin_of_box|>{answer}<|end_of_box|>"


def molmo(letter, other, box):
    if letter:
        return f" {letter}"
    if box is None:
        return "There are none."
    x, y = 50 * (box[0] + box[2]), 50 * (box[1] + box[3])
    return f' <point x="{x:.1f}" y="{y:.1f}" alt="it">it</point>'


def refusing(letter, other, box):
    return "I'm sorry, but I can't help with that."


@pytest.fixture(scope="module")
def documents():
    return list(benchmarks.load("pixmini")["test"])[:LIMIT]


class Model:
    """Answers requests about known images; in `asked` it keeps the prompts."""

    def __init__(self, speak, documents):
        self.speak, self.asked = speak, []
        self.by_pixels = {np.asarray(doc["image"].convert("RGB")).tobytes(): doc for doc in documents}

    def __call__(self, handler):
        content = handler.body["messages"][-1]["content"]
        prompt = " ".join(part["text"] for part in content if part["type"] == "text")
        (url,) = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
        image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        doc = self.by_pixels[np.asarray(image.convert("RGB")).tobytes()]
        self.asked.append(prompt)
        says(self.speak(*truth(doc, "letter" in prompt)))(handler)


def truth(doc, is_choice):
    """The letter that the model says, the other one, and the box that it says; one of letter and box is None."""
    number, options = int(doc["id"]), "ab"
    correct = options.index(doc["answer"])
    said = correct if number % 3 else 1 - correct
    if is_choice:
        return options[said].upper(), options[1 - said].upper(), None
    box = None if number % 4 == 0 or not masks.area(doc["mask"]) else tight_box(doc)
    return None, options[said].upper(), box


def tight_box(doc):
    rows, columns = np.nonzero(masks.decode(doc["mask"]))
    height, width = doc["mask"]["size"]
    corners = (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
    return tuple(map(float, corners))


def evaluated(tmp_path, server, backend, monkeypatch, *more, **variables):
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    out = tmp_path / "out"
    arguments = f"model_version=m,base_url={server.url},max_retries=1,retry_backoff_s=0"
    done = command(
        "lmms-eval", "--model", backend, "--model_args", arguments, "--tasks", "pixmini_vqa,pixmini_ground",
        "--limit", LIMIT, "--output_path", out, "--log_samples", *more,
    )  # fmt: skip
    assert list(out.rglob("*_results.json")), done.stdout + done.stderr
    (results,) = out.rglob("*_results.json")
    return json.loads(results.read_text())["results"], done.stdout + done.stderr, out


def expected_choice(documents):
    """Pair accuracy and accuracy, by hand."""
    is_correct = [int(doc["id"]) % 3 != 0 for doc in documents]
    pairs = [is_correct[index] and is_correct[index + 1] for index in range(0, LIMIT, 2)]
    return sum(pairs) / len(pairs), sum(is_correct) / len(is_correct)


def expected_miou(documents, is_point):
    """Mean IoU of what `region` makes of the boxes or points."""
    segmenter, found = make_segmenter("region"), []
    for doc in documents:
        if doc["expression"] is None:
            continue
        *_, box = truth(doc, is_choice=False)
        prediction = masks.empty(tuple(doc["mask"]["size"]))
        if box is not None:
            segmenter.set_image(np.asarray(doc["image"].convert("RGB")))
            middle = (round(50 * (box[0] + box[2]), 1) / 100, round(50 * (box[1] + box[3]), 1) / 100)
            (candidates,) = segmenter.segment([middle if is_point else box])
            prediction = candidates[highest_scoring_candidate(PromptedMasks(None, candidates))].mask
        found.append(masks.iou(prediction, doc["mask"]))
    return sum(found) / len(found)


@pytest.mark.parametrize(
    ("speak", "backend", "variables", "is_in_paper_rule"),
    [
        (qwen3_vl, "openai", {"PIXFOUND_COORDINATES": "thousand"}, True),
        (harmony, "async_openai", {"PIXFOUND_COORDINATES": "fraction"}, False),  # `B<|return|>` is no letter for it
        (gemini, "openai", {}, False),
        (glm_4_5v, "openai", {}, False),
        (molmo, "openai", {"PIXFOUND_KIND": "point"}, True),
    ],
)
def test_every_form_of_answer_is_read_as_its_family_means_it(
    tmp_path, monkeypatch, documents, speak, backend, variables, is_in_paper_rule
):
    model = Model(speak, documents)
    with ChatServer(model) as server:
        results, log, _ = evaluated(tmp_path, server, backend, monkeypatch, **variables)
    by_pair, by_image = expected_choice(documents)
    vqa, ground = results["pixmini_vqa"], results["pixmini_ground"]
    assert (vqa["unparsed,none"], ground["unparsed,none"]) == (0, 0)
    assert vqa["lenient_accuracy,none"] == pytest.approx(by_image)
    assert vqa["accuracy,none"] == pytest.approx(by_image if is_in_paper_rule else 0)
    assert vqa["pair_accuracy,none"] == pytest.approx(by_pair if is_in_paper_rule else 0)
    assert ground["miou,none"] == pytest.approx(expected_miou(documents, speak is molmo), abs=0.01)
    assert len(model.asked) == 2 * LIMIT
    assert "PIXFOUND_COORDINATES" not in log or not variables.get("PIXFOUND_COORDINATES")


def test_a_model_that_refuses_is_unparsed_and_said(tmp_path, monkeypatch, documents):
    with ChatServer(Model(refusing, documents)) as server:
        results, log, out = evaluated(tmp_path, server, "openai", monkeypatch)
    assert results["pixmini_vqa"]["unparsed,none"] == results["pixmini_ground"]["unparsed,none"] == 1
    assert results["pixmini_vqa"]["accuracy,none"] == 0
    assert "100% of the answers cannot be read" in log
    # Asked for boxes without a declared convention: said before the first request.
    assert log.index("PIXFOUND_COORDINATES") < log.index("100% of the answers")
    report = command("pixfound", "report", out)
    assert report.returncode == 0 and "100% of the answers cannot be read" in report.stdout


def test_failed_requests_are_missing_and_asked_for_again(tmp_path, monkeypatch, documents):
    cache = str(tmp_path / "cache")
    model = Model(molmo, documents)
    with ChatServer(fails(500)) as server:
        results, log, out = evaluated(tmp_path, server, "openai", monkeypatch, "--use_cache", cache)
        server.turns[:] = [model]
        again, *_ = evaluated(tmp_path / "again", server, "openai", monkeypatch, "--use_cache", cache)
    for task, metric in (("pixmini_vqa", "accuracy"), ("pixmini_vqa", "pair_accuracy"), ("pixmini_ground", "miou")):
        assert math.isnan(results[task][f"{metric},none"])
    assert "100% of the answers are missing, because their requests failed" in log
    assert len(model.asked) == 2 * LIMIT and again["pixmini_vqa"]["unparsed,none"] == 0

    row = tmp_path / "row.json"
    report = command("pixfound", "report", out, "--leaderboard", row)
    assert "are missing, because their requests failed" in report.stdout + report.stderr
    assert not row.exists() or json.loads(row.read_text())["partial"]
    assert command("pixfound", "check", out, "--require", "pixmini_ground.miou>=0.0").returncode == 1


def test_a_checkpoint_whose_template_opens_the_thinking(tmp_path, documents):
    checkpoint = save_thinker(tmp_path / "thinker", "It may be A, at [0, 0, 100, 100].</think>B")
    out = tmp_path / "out"
    arguments = f"pretrained={checkpoint},trust_remote_code=True,device=cpu,device_map=cpu"
    done = command(
        "lmms-eval", "--model", "huggingface", "--model_args", arguments, "--tasks", "pixmini_vqa,pixmini_ground",
        "--limit", LIMIT, "--output_path", out,
    )  # fmt: skip
    assert list(out.rglob("*_results.json")), done.stdout + done.stderr
    (results,) = out.rglob("*_results.json")
    found = json.loads(results.read_text())["results"]
    # It always says B, and no place. The box in its thinking is none.
    correct = [doc["answer"] == "b" for doc in documents]
    assert found["pixmini_vqa"]["accuracy,none"] == pytest.approx(sum(correct) / LIMIT)
    assert (found["pixmini_vqa"]["unparsed,none"], found["pixmini_ground"]["unparsed,none"]) == (0, 1)
    absent = [masks.area(doc["mask"]) == 0 for doc in documents if doc["expression"] is not None]
    assert found["pixmini_ground"]["miou,none"] == pytest.approx(sum(absent) / len(absent))
