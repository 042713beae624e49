"""A benchmark from another package: one module, its generated YAMLs and an entry point, and every command works."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from doctor.broken_environments import distribution
from running import command, environment

from pixfound_tasks.benchmarks import registry
from pixfound_tasks.benchmarks.benchmark import Benchmark
from pixfound_tasks.benchmarks.checks import verify
from pixfound_tasks.benchmarks.registry import get_benchmark, register_benchmark
from pixfound_tasks.protocols import find_task, protocol_of

MODULE = Path(__file__).with_name("outside") / "ground_truth_open.py"
NAME = "ground_truth_open"


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A folder with the other package, installed as far as metadata say."""
    folder = tmp_path_factory.mktemp("outside")
    shutil.copy(MODULE, folder)
    distribution(folder, "other-lab", "1.0", f"[{registry.GROUP}]\n{NAME} = {NAME}:BENCHMARK\n")
    return folder


@pytest.fixture(scope="module", autouse=True)
def installed(package):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(package))
        yield


@pytest.fixture(scope="module")
def tasks(package) -> list[str]:
    """The YAMLs that were written for it."""
    done = subprocess.run(
        [sys.executable, "-m", "pixfound_tasks.task_files", NAME, str(package / "task_yamls")],
        capture_output=True, text=True, check=True, env=environment(),
    )  # fmt: skip
    return done.stdout.split()


@pytest.fixture(scope="module")
def run(tasks, tmp_path_factory) -> Path:
    """An evaluation of it with the embedded model, by the command."""
    folder = tmp_path_factory.mktemp("run") / "first"
    names = ",".join(f"{NAME}_{suffix}" for suffix in ("vqa", "vqa_open", "ground", "when", "vqa_lang_lite"))
    done = command(
        "lmms-eval", "--model", "pixfound", "--model_args", "pretrained=pixfound/mini", "--tasks", f"{NAME},{names}",
        "--output_path", folder, "--log_samples",
    )  # fmt: skip
    assert list(folder.rglob("*_results.json")), done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def results(run: Path) -> dict:
    (file,) = run.rglob("*_results.json")
    return json.loads(file.read_text())["results"]


def test_it_has_every_task_and_group(tasks):
    assert len(tasks) == len(list(Path(tasks[0]).parent.iterdir())) == 13


def test_the_evaluation_has_the_metrics_of_a_benchmark_without_pairs(run):
    found = results(run)
    answering = found[f"{NAME}_vqa"]
    assert answering["score,none"] == answering["accuracy,none"]
    assert "pair_accuracy,none" not in answering and "source_mean,none" not in answering
    assert found[f"{NAME}_ground"]["miou,none"] > 0.3
    assert 0 <= found[NAME]["score,none"] <= 1


def test_the_report_counts_images(run, tmp_path):
    done = command("pixfound", "report", run, "--out", tmp_path / "page", "--leaderboard", tmp_path / "row.json")
    assert done.returncode == 0, done.stderr
    (report,) = json.loads((tmp_path / "page" / "report.json").read_text())
    assert (report["benchmark"], report["documents"], report["known_documents"]) == (NAME, 12, 12)
    assert report["grounding"] == pytest.approx(results(run)[f"{NAME}_ground"]["miou,none"], abs=1e-12)
    page = (tmp_path / "page" / "index.html").read_text()
    assert "What fails, in images" in page and "in pairs" not in page
    assert "pairs" not in done.stdout
    ranked = command("pixfound", "leaderboard", tmp_path / "row.json")
    assert ranked.returncode == 0 and NAME in ranked.stdout, ranked.stderr


def test_check_knows_how_many_documents_there_are(run):
    passed = command("pixfound", "check", run, "--require", f"{NAME}_ground.miou>=0.3")
    assert passed.returncode == 0, passed.stdout
    refused = command("pixfound", "check", run, "--require", f"{NAME}_ground.miou>=30")
    assert refused.returncode == 2 and "expected a fraction" in refused.stderr


def test_compare_counts_images(run):
    done = command("pixfound", "compare", run, run)
    assert done.returncode == 0 and " grounded " in done.stdout and "pairs" not in done.stdout, done.stderr


def test_data_commands(tmp_path):
    listed = command("pixfound", "data", "info", "--json")
    assert {each["benchmark"] for each in json.loads(listed.stdout)} == {"pixmmvp", "pixcvbench", "pixmini", NAME}
    verified = command("pixfound", "data", "verify", NAME)
    assert verified.returncode == 0 and "12 documents hold together" in verified.stdout, verified.stderr
    fetched = command("pixfound", "data", "fetch", NAME)
    assert fetched.returncode == 0 and "drawn by code" in fetched.stdout, fetched.stderr
    exported = command("pixfound", "data", "export", NAME, tmp_path / "parquet")
    assert exported.returncode == 0, exported.stderr
    card = (tmp_path / "parquet" / "README.md").read_text()
    assert "# Ground Truth, Open" in card and "license: cc0-1.0" in card


def made(name: str, **changes) -> Benchmark:
    fields = {"title": name, "builder": "nowhere:builder", "document_count": 1, "is_paired": False}
    return Benchmark(name, **{**fields, "segmenter": "region", "licence": "", **changes})


def test_benchmarks_are_registered_in_a_process_too(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    mine = register_benchmark(made("mine_vqa"))
    assert get_benchmark("mine_vqa") is register_benchmark(mine)
    assert find_task("mine_vqa_vqa_open") == ("mine_vqa", protocol_of("mine_vqa_vqa_open"))
    for name in ("pixmini", "mine_vqa"):
        with pytest.raises(ValueError, match=f"there is a '{name}' already"):
            register_benchmark(made(name, title="another"))


@pytest.mark.parametrize("name", ["Pix", "pix-mini", "1st", ""])
def test_names_are_lower_case_words(name):
    with pytest.raises(ValueError, match="rename it"):
        made(name)


@pytest.mark.parametrize(
    ("task", "suffix"),
    [("pixmmvp_vqa", "vqa"), ("pixmini_ground_lang_lite", "ground_lang_lite"), ("my_ground", "ground"),
     ("ground_truth_vqa", "vqa"), ("their_vqa_open", "vqa_open"), ("mmmu_val", None), ("ground", None)],
)  # fmt: skip
def test_the_protocol_of_a_task_is_told_by_the_table(task, suffix):
    found = protocol_of(task)
    assert (found.suffix if found else None) == suffix


def test_an_entry_point_of_another_thing_is_named(monkeypatch, tmp_path):
    distribution(tmp_path, "third-lab", "1.0", f"[{registry.GROUP}]\nthird = json:dumps\nfourth = json:decoder\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry._plugins.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"fourth = json:decoder .* but got module; update or remove"):
            get_benchmark("fourth")
    finally:
        monkeypatch.undo()
        registry._plugins.cache_clear()


def test_a_wrong_count_of_documents_fails_the_check(monkeypatch):
    monkeypatch.syspath_prepend(MODULE.parent)
    whole = import_module(NAME).BENCHMARK
    monkeypatch.setattr(registry, "_registered", {NAME: replace(whole, document_count=9)})
    checks = {check.what: check for check in verify(NAME)}
    assert checks["documents"].status == "failed" and checks["documents"].found == "expected 9, but got 12"
