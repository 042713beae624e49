"""The tasks of prompt sensitivity: their YAMLs, and the embedded model on PixMini's short ones."""

from __future__ import annotations

import json
import math

import pytest
from judges.chat_server import ChatServer, says
from lmms_eval.utils import load_yaml_config
from running import evaluate, metrics

from pixfound_tasks import benchmarks, mini, plugin
from pixfound_tasks.benchmarks.registry import benchmark_names, get_benchmark
from pixfound_tasks.prompts.language_variants import grounding_templates
from pixfound_tasks.tasks import sensitivity

DOCUMENTS = get_benchmark("pixmini").document_count

KINDS = {
    "vqa_lang": ("choice_language", "spelling", "template"),
    "ground_lang": ("referring_language", "prompt", "expression"),
    "ground_visual": ("referring_visual", "crop", "mask_out"),
}
COUNTS = {"": 10, "_lite": 2}
LITE = [f"pixmini_{kind}_lite" for kind in KINDS]
LIMIT = 13  # two documents in all their variations, and three of the third


@pytest.fixture(scope="module")
def run():
    return evaluate("pixfound", f"pretrained={mini.NAME}", LITE, limit=LIMIT)


def test_all_tasks_are_found():
    import lmms_eval.models  # noqa: F401 - loads the plugin
    from lmms_eval.tasks import TaskManager

    names = {f"{benchmark}_{kind}{lite}" for benchmark in benchmark_names() for kind in KINDS for lite in COUNTS}
    manager = TaskManager(include_defaults=False)
    assert len(names) == 18 and names <= set(manager.all_tasks)


@pytest.mark.parametrize("benchmark", benchmark_names())
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lite", COUNTS)
def test_the_metadata_says_the_number_of_variations(monkeypatch, benchmark, kind, lite):
    monkeypatch.setattr(benchmarks, "folder", lambda name: name)
    path = plugin.task_folder() / benchmark / f"{benchmark}_{kind}{lite}.yaml"
    config = load_yaml_config(path, mode="full")
    assert config["task"] == f"{benchmark}_{kind}{lite}" and config["dataset_path"] == benchmark
    assert config["process_docs"].args == (KINDS[kind][0], COUNTS[lite])
    assert config["metadata"]["variations"] == COUNTS[lite]
    assert (config["tag"], config["doc_to_visual"]) == ("pixfoundation_sensitivity", sensitivity.image)
    names = [metric["metric"] for metric in config["metric_list"]]
    types = KINDS[kind][1:]
    assert names == [*sensitivity.metric_names(types), "unparsed"]


@pytest.mark.parametrize("task", LITE)
def test_metrics_are_those_of_the_samples(run, task):
    """Counted again from the samples, variation by variation."""
    values: dict[tuple, list] = {}
    for sample in run["samples"][task]:
        type, number, value = sample["score"]
        values.setdefault((type, number), []).append(value)
    assert len(values) == 5 and sum(map(len, values.values())) == LIMIT
    scores = {variation: own(of_variation) for variation, of_variation in values.items()}
    original = scores.pop(("original", 0))
    for types in ([type for type, _ in scores], *([type] for type in KINDS[task[8:-5]][1:])):
        of_types = [score for (type, _), score in scores.items() if type in types]
        mean = sum(of_types) / len(of_types)
        end = f"_{types[0]}" if len(types) == 1 else ""
        expected = {
            "score": mean, "worst": min(of_types), "drop": original - mean,
            "spread": math.sqrt(sum((score - mean) ** 2 for score in of_types) / len(of_types)),
        }  # fmt: skip
        found = metrics(run, task)
        assert {name: found[f"{name}{end}"] for name in expected} == pytest.approx(expected, abs=1e-12)


def own(values):
    """Of the first pair whether both are right, the third document's pair being cut off; or the mean."""
    if isinstance(values[0], float):
        return sum(values) / len(values)
    return float(all(value.correct for value in values if value.pair == 0))


def test_the_model_is_asked_in_the_variations_and_shown_them(run):
    asked = [sample["arguments"][0] for sample in run["samples"]["pixmini_ground_lang_lite"][:5]]
    docs = [sample["pixfound"] for sample in run["samples"]["pixmini_ground_lang_lite"][:5]]
    first, second = (template.mask.format(docs[0]["expression"]) for template in grounding_templates()[:2])
    altered = [f"Identify {doc['expression']} in the scene." for doc in docs[3:]]
    assert asked == [f"Identify {docs[0]['expression']} in the scene.", first, second, *altered]
    assert len(set(asked)) == 5 and docs[3]["original_expression"] == docs[0]["expression"]
    for sample in run["samples"]["pixmini_ground_visual_lite"]:
        size = [sample["pixfound"]["height"], sample["pixfound"]["width"]]
        response = json.loads(sample["filtered_resps"][0])
        assert all(phrase["candidates"][0]["mask"]["size"] == size for phrase in response["phrases"])
    sizes = {tuple(sample["pixfound"]["mask"]["size"]) for sample in run["samples"]["pixmini_ground_visual_lite"]}
    assert len(sizes) > 1


def test_the_task_without_variations_gives_the_originals(run):
    plain = evaluate("pixfound", f"pretrained={mini.NAME}", ["pixmini_vqa", "pixmini_ground"], limit=2)
    for task in LITE:
        originals = [sample for sample in run["samples"][task] if sample["score"].type == "original"][:2]
        before = plain["samples"]["pixmini_vqa" if "vqa" in task else "pixmini_ground"]
        assert [sample["score"].value for sample in originals] == [sample["score"] for sample in before]
        assert [sample["filtered_resps"] for sample in originals] == [sample["filtered_resps"] for sample in before]


def test_a_model_asked_for_boxes_is_asked_in_the_templates_for_boxes():
    result = evaluate("pixfound", f"pretrained={mini.NAME},grounding=box", ["pixmini_ground_lang_lite"], limit=4)
    samples = result["samples"]["pixmini_ground_lang_lite"]
    prompts = [json.loads(sample["filtered_resps"][0])["provenance"]["prompt"] for sample in samples]
    expressions = [sample["pixfound"]["expression"] for sample in samples]
    assert prompts[1:3] == [template.box.format(expressions[0]) for template in grounding_templates()[:2]]
    for place in (0, 3):
        assert prompts[place].startswith(f"Locate the {expressions[place]} and output all the coordinates in JSON")
    assert expressions[3] != expressions[0]


def test_a_judges_paraphrases_are_asked_and_scored(monkeypatch, tmp_path):
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.setenv("PIXFOUND_PARAPHRASES", str(tmp_path / "made.jsonl"))
    monkeypatch.setenv("PIXFOUND_PARAPHRASER", "openai:m")
    with ChatServer(says("1. Which of these is it?\n2. Say, which?")) as server:
        monkeypatch.setenv("OPENAI_API_URL", server.url)
        task = "pixmini_vqa_lang_lite"
        result = evaluate("pixfound", f"pretrained={mini.NAME}", [task], limit=7)
        questions = {doc["question"] for doc in benchmarks.load("pixmini")["test"].remove_columns("image")}
        assert len(server.received) == len(questions) < DOCUMENTS
    samples = result["samples"][task]
    assert [sample["pixfound"]["variation_type"] for sample in samples[5:]] == ["paraphrase"] * 2
    asked = [sample["arguments"][0].partition(" Options:")[0] for sample in samples[5:]]
    assert asked == ["Which of these is it?", "Say, which?"]
    assert {f"{name}_paraphrase" for name in sensitivity.STATISTICS} <= set(metrics(result, task))
    assert len((tmp_path / "made.jsonl").read_text().splitlines()) == 2 * DOCUMENTS
