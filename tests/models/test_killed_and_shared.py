"""A run that is killed at random moments and finished by two processes, against one that nothing happened to."""

from __future__ import annotations

import json
import math
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from judges.chat_server import ChatServer, says
from running import environment, evaluate, metrics

from pixfound_tasks import Look, mini

# Of every kind; as many requests for each of two processes: lmms-eval fills one that has fewer up with its last.
LIMIT = 10
ATTENDED = ["pixmini_vqa_open", "pixmini_ground", "pixmini_when", "pixmini_ground_visual_lite"]
TASKS = ["pixmini_vqa", "pixmini_vqa_evidence", "pixmini_vqa_lang_lite", *ATTENDED]
KILLED_AFTER = (0, 10), (15, 40)  # responses, of 70


@pytest.fixture(scope="module")
def judged():
    """A judge that says yes, for this module's runs; what it was asked."""
    with ChatServer(says("Yes")) as server, pytest.MonkeyPatch.context() as variables:
        variables.setenv("PIXFOUND_JUDGE", "openai:agreeable")
        variables.setenv("OPENAI_API_KEY", "key")
        variables.setenv("OPENAI_API_URL", server.url)
        yield server.received


@pytest.fixture(scope="module")
def folder(judged, tmp_path_factory):
    """What the killed runs and the last one leave: `cache`, `attention`, `out`, and `data`, at first not there."""
    place = tmp_path_factory.mktemp("runs")
    options = [
        "--model", "pixfound", "--model_args", f"pretrained={mini.NAME},save_attention={place / 'attention'}",
        "--tasks", ",".join(TASKS), "--limit", str(LIMIT), "--output_path", str(place / "out"), "--log_samples",
        "--use_cache", str(place / "cache"),
    ]  # fmt: skip
    variables = environment() | {"PIXFOUND_CACHE": str(place / "data")}
    programs = Path(sys.executable).parent
    for least, most in KILLED_AFTER:
        run = subprocess.Popen([programs / "lmms-eval", *options], env=variables, stdout=subprocess.DEVNULL,
                               stderr=subprocess.STDOUT)  # fmt: skip
        wanted = random.SystemRandom().randint(least, most)
        while len(logged(place)) < wanted or not list(place.glob("cache/runs/*/*.jsonl")):
            assert run.poll() is None, f"it ended before {wanted} responses"
            time.sleep(random.random() / 20)
        run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
    together = [programs / "torchrun", "--nproc_per_node", "2", "-m", "lmms_eval", *options]
    done = subprocess.run(together, env=variables, capture_output=True, text=True, check=False)
    assert list(place.glob("out/*/*_results.json")), done.stdout + done.stderr
    return place


@pytest.fixture(scope="module")
def undisturbed(judged, folder):
    asked = len(judged)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as torchrun has it
    run = evaluate("pixfound", f"pretrained={mini.NAME}", TASKS, limit=LIMIT)
    torch.set_num_threads(threads)
    return run, asked


def logged(place):
    """The whole lines of all logs of responses."""
    lines = [line for log in place.glob("cache/runs/*/*.jsonl") for line in log.read_bytes().splitlines(keepends=True)]
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def samples_of(place, task):
    """A task's samples by document; an earlier or later file of the same would be one too many."""
    (file,) = place.glob(f"out/*/*_samples_{task}.jsonl")
    samples = map(json.loads, file.read_text().splitlines())
    return {sample["doc_id"]: sample for sample in samples}


def test_no_response_is_asked_for_twice(folder):
    asked = Counter(record["cache_key"] for record in logged(folder))
    assert len(asked) == LIMIT * len(TASKS) and set(asked.values()) == {1}
    ranks = Counter(log.stem for log in folder.glob("cache/runs/*/rank_*.audit.jsonl") if log.stat().st_size)
    assert set(ranks) == {"rank_0.audit", "rank_1.audit"}


@pytest.mark.parametrize("task", TASKS)
def test_samples_and_metrics_are_the_same_digit_for_digit(folder, undisturbed, task):
    run, _ = undisturbed
    samples, before = samples_of(folder, task), {sample["doc_id"]: sample for sample in run["samples"][task]}
    assert set(samples) == set(before) == set(range(LIMIT))
    for number, sample in samples.items():
        assert sample["filtered_resps"] == before[number]["filtered_resps"][0]
    (results,) = folder.glob("out/*/*_results.json")
    found = metrics({"results": json.loads(results.read_text())["results"]}, task)
    expected = metrics(run, task)
    numbers = [name for name, value in expected.items() if isinstance(value, float)]
    assert len(numbers) >= 4
    for name in numbers:
        assert found[name] == expected[name] or (math.isnan(expected[name]) and math.isnan(float(found[name]))), name


def test_the_attention_of_every_document_is_there_and_nothing_beside(folder):
    expected = {f"{task}_{number}.safetensors" for task in ATTENDED for number in range(LIMIT)}
    assert {file.name for file in folder.glob("attention/*")} == expected
    for task in ATTENDED:
        for number, sample in samples_of(folder, task).items():
            look = Look.load(folder / "attention" / f"{task}_{number}.safetensors")
            assert look.text == json.loads(sample["filtered_resps"])["text"]


def test_the_judge_is_asked_once_for_each_answer_and_the_benchmark_saved_once(folder, judged, undisturbed):
    _, asked = undisturbed
    assert asked == LIMIT  # of the one task of open answers, by both processes together
    kept = list(folder.glob("data/judgements/*/*"))
    assert len(kept) == LIMIT and {json.loads(file.read_text())["reply"] for file in kept} == {"Yes"}
    assert {place.name.partition("-")[0] for place in folder.glob("data/*")} == {"geometry", "judgements", "pixmini"}
