"""A run of the adapter in the commands that read runs: its page in a browser, and beside lmms-eval's run."""

from __future__ import annotations

import json

import pytest
from report.browser import chromium, complaints, open_page, requests
from running import command
from typer.testing import CliRunner
from vlmevalkit.host_runs import SETTINGS, on_standin, write_config
from vlmevalkit.odd_replies import GROUND, VQA, odd_replies

from pixfound_tasks.cli.app import app


@pytest.fixture(scope="module")
def run(tmp_path_factory, own_cache):
    folder = tmp_path_factory.mktemp("reported")
    done = on_standin(folder, *write_config(folder, odd_replies(), VQA, GROUND))
    assert done.returncode == 0, done.stderr
    return folder / "out"


def invoke(*arguments):
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.output


def test_the_report_opens_in_the_browser(run, tmp_path):
    invoke("report", run, "--out", tmp_path / "page")
    with chromium(tmp_path / "profile") as driver:
        open_page(driver, tmp_path / "page" / "index.html")
        assert "reads" in driver.find_element("tag name", "body").text
        assert "VLMEvalKit ms-vlmeval 0.0.20" in driver.page_source
        assert complaints(driver) == []
        assert all(url.startswith("file:") for url in requests(driver))


def test_check_and_leaderboard_take_it(run, tmp_path):
    assert invoke("check", run, "--require", "pixmini.score>=0.2").startswith("ok")
    invoke("report", run, "--out", tmp_path / "page", "--leaderboard", tmp_path / "row.json")
    assert "VLMEvalKit ms-vlmeval 0.0.20" in invoke("leaderboard", tmp_path / "row.json")


def test_there_is_no_difference_to_lmms_evals_run_of_the_same_replies(run, tmp_path, monkeypatch):
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    lines = [{"question_id": int(name), "answer": text, "gt_answer": ""} for name, text in odd_replies()[VQA].items()]
    (tmp_path / "vqa.jsonl").write_text("\n".join(map(json.dumps, lines)))
    options = ["--output_path", tmp_path / "theirs", "--log_samples", "--tasks", "pixmini_vqa"]
    command("lmms-eval", "--model", "pixfound_replay", "--model_args", f"answers={tmp_path / 'vqa.jsonl'}", *options)
    assert "no difference: all scores are equal" in " ".join(invoke("compare", tmp_path / "theirs", run).split())
    changed = tmp_path / "changed" / "reads"
    changed.mkdir(parents=True)
    for file in run.glob("reads/*_samples_pixmini_vqa.jsonl"):
        first, *rest = file.read_text().splitlines()
        sample = json.loads(first)
        sample |= {"accuracy": 1.0 - sample["accuracy"], "pair_accuracy": [0, not sample["accuracy"]]}
        (changed / file.name).write_text("\n".join([json.dumps(sample), *rest]))
    assert "no difference" not in invoke("compare", run, tmp_path / "changed")
