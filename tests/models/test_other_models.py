"""Models of lmms-eval's own, by the real command, on our grounding task."""

from __future__ import annotations

import json

import pytest
from models.tiny_checkpoints import save_qwen, save_sam3
from running import command

from pixfound_tasks import benchmarks, masks
from pixfound_tasks.response import from_text

LIMIT = 6


@pytest.fixture
def run(tmp_path):
    """Run a model on the first documents; returns the task's metrics, and its samples by document id."""

    def run(model, arguments, limit=LIMIT):
        out = tmp_path / "out"
        done = command(
            "lmms-eval", "--model", model, "--model_args", arguments, "--tasks", "pixmini_ground", "--limit", limit,
            "--output_path", out, "--log_samples",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        (results,), (samples,) = out.rglob("*_results.json"), out.rglob("*_samples_*.jsonl")
        found = json.loads(results.read_text())["results"]["pixmini_ground"]
        samples = map(json.loads, samples.read_text().splitlines())
        return found, {sample["pixfound"]["id"]: sample for sample in samples}

    return run


def test_sam3_runs_unchanged(run, tmp_path):
    found, samples = run("sam3", f"pretrained={save_sam3(tmp_path / 'sam3')},threshold=0.0,device=cpu")
    assert found["unparsed,none"] == 0.0 and len(samples) == LIMIT
    for sample in samples.values():
        assert sample["input"] == sample["pixfound"]["expression"]
        printed = json.loads(sample["filtered_resps"])
        assert printed.keys() == {"masks", "boxes", "scores"} and printed["masks"]
        size = tuple(sample["pixfound"]["mask"]["size"])
        assert sample["miou"] == masks.iou(masks.union(printed["masks"], size), sample["pixfound"]["mask"])
        assert "grounded" not in sample


def test_a_model_that_says_nothing_readable_is_unparsed(run, tmp_path):
    # A random model never ends: it writes 256 tokens for each document.
    arguments = f"pretrained={save_qwen(tmp_path / 'qwen')},trust_remote_code=True,device=cpu,device_map=cpu"
    found, samples = run("huggingface", arguments, limit=1)
    assert (found["unparsed,none"], found["miou,none"]) == (1.0, 0.0) and len(samples) == 1
    assert all(sample["input"].startswith("Locate the ") for sample in samples.values())


def test_one_box_for_every_image(run):
    # PaliGemma's syntax says its unit itself: the upper left quarter of the image.
    found, samples = run("dummy", "response=<loc0000><loc0000><loc0512><loc0512> thing")
    assert found["unparsed,none"] == 0.0 and len(samples) == LIMIT
    for identifier, sample in samples.items():
        size = tuple(sample["pixfound"]["mask"]["size"])
        made = from_text(sample["grounded"], size)
        assert made.boxes == ((0.0, 0.0, 0.5, 0.5),) and made.provenance["segmenter"] == "region"
        assert sample["miou"] == masks.iou(made.prediction(size), sample["pixfound"]["mask"])
        assert benchmarks.images("pixmini")[identifier].size == size[::-1]
