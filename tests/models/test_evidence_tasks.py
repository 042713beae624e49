"""The evidence tasks in lmms-eval, asked of the embedded model."""

from __future__ import annotations

import pytest
from lmms_eval.utils import load_yaml_config
from running import evaluate, metrics

from pixfound_tasks import mini, plugin
from pixfound_tasks.analysis.evidence import analyse, cross, facts

METRICS = ["score", "flip_evidence", "flip_control", "accuracy"]


@pytest.fixture(scope="module")
def run():
    # 13 askings: four documents, and the first asking of a fifth.
    return evaluate("pixfound", f"pretrained={mini.NAME}", ["pixmini_vqa_evidence"], limit=13, batch_size=4)


@pytest.mark.parametrize("benchmark", ["pixmmvp", "pixcvbench", "pixmini"])
def test_every_benchmark_has_the_task(benchmark):
    task = f"{benchmark}_vqa_evidence"
    config = load_yaml_config(plugin.task_folder() / benchmark / f"{task}.yaml", mode="simple")
    assert [metric["metric"] for metric in config["metric_list"]] == METRICS
    assert (config["task"], config["tag"]) == (task, "pixfoundation")
    # The template's own image is not the painted one.
    assert "evidence" in str(config["doc_to_visual"]) and "hooks" not in str(config["doc_to_visual"])


def test_metrics_are_of_the_documents_that_were_asked_all_three_times(run):
    found, samples = metrics(run, "pixmini_vqa_evidence"), run["samples"]["pixmini_vqa_evidence"]
    assert [sample["pixfound"]["kind"] for sample in samples] == ["plain", "evidence", "control"] * 4 + ["plain"]
    letters = [sample["filtered_resps"][0] for sample in samples]
    assert set(letters) == {"A", "B"}
    whole = [letters[start : start + 3] for start in range(0, 12, 3)]
    assert found["flip_evidence"] == sum(plain != evidence for plain, evidence, _ in whole) / 4
    assert found["flip_control"] == sum(plain != control for plain, _, control in whole) / 4
    assert found["score"] == found["flip_evidence"] - found["flip_control"]
    assert found["accuracy"] == sum(sample["target"] == letter.lower() for sample, letter in zip(samples, letters)
                                    if sample["pixfound"]["kind"] == "plain") / 5  # fmt: skip


def test_the_embedded_model_looks_at_the_evidence(run):
    found = metrics(run, "pixmini_vqa_evidence")
    assert found["flip_evidence"] > found["flip_control"] and found["accuracy"] >= 0.8


def test_samples_hold_what_the_analysis_needs(run):
    samples = run["samples"]["pixmini_vqa_evidence"]
    found = analyse(samples)
    assert (found.overall.documents, found.incomplete) == (4, 1)
    assert found.overall.difference.value == metrics(run, "pixmini_vqa_evidence")["score"]
    assert found.left_out == {"without_region": 13, "without_control": 2}
    one, other, *_ = dict.fromkeys(sample["pixfound"]["id"] for sample in samples)
    crossed = cross(facts(samples), {one: 0.9, other: 0.1})
    assert (crossed.grounded.documents, crossed.ungrounded.documents, crossed.unmeasured) == (1, 1, 2)
