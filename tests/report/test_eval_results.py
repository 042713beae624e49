"""The hub's `.eval_results`: written from a run, valid by the hub's own reader, and read back as leaderboard rows."""

from __future__ import annotations

import json

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries
from typer.testing import CliRunner
from written_run import IMAGES, ground_sample, vqa_sample, write_results, write_run, write_samples

from pixfound_tasks.cli import app as command
from pixfound_tasks.report.eval_results import write_eval_results
from pixfound_tasks.report.html import pictures
from pixfound_tasks.report.leaderboard import LeaderboardError, read_rows, rows
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.summary import summarize

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    monkeypatch.setattr(pictures, "load", lambda benchmarks: {})


def of_pixmmvp(sample):
    document = {"benchmark": "pixmmvp", "origin": f"IVUlab/pixmmvp @ {SHA}, MMVP/MMVP @ {SHA[::-1]}"}
    return sample | {"pixfound": sample["pixfound"] | document}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run" / "maker__model"
    write_samples(folder, "pixmmvp_vqa", (of_pixmmvp(vqa_sample(id)) for id in IMAGES))
    write_samples(folder, "pixmmvp_ground", (of_pixmmvp(ground_sample(id)) for id in IMAGES))
    write_results(folder, limit=5)
    return tmp_path / "run"


@pytest.fixture
def file(run, tmp_path):
    (written,) = write_eval_results(tmp_path / "hub", map(summarize, read_runs(run)))
    return written


def invoke(*arguments):
    return CliRunner().invoke(command.app, list(map(str, arguments)))


def test_entries_are_valid_by_the_hubs_own_reader(run, file, tmp_path):
    assert file.relative_to(tmp_path) == (tmp_path / "hub/maker__model/.eval_results/pixmmvp.yaml").relative_to(
        tmp_path
    )
    entries = parse_eval_result_entries(yaml.safe_load(file.read_text()))
    (summary,) = map(summarize, read_runs(run))
    values = {"pixmmvp": summary.score, "pixmmvp_vqa": summary.answering, "pixmmvp_ground": summary.grounding}
    assert {entry.task_id: entry.value for entry in entries} == values
    for entry in entries:
        assert (entry.dataset_id, entry.dataset_revision, entry.date) == ("IVUlab/pixmmvp", SHA, "2026-01-02")
        notes = json.loads(entry.notes)
        assert notes["settings"]["choice_prompt"] == "Is it?"
        assert notes["partial"] is True
        assert "null" not in entry.notes


def test_the_leaderboard_reads_them_as_the_rows_that_they_came_from(run, file):
    assert read_rows(file) == rows(map(summarize, read_runs(run)))
    shown = invoke("leaderboard", file)
    assert shown.exit_code == 0 and "maker/model" in shown.stdout


def test_the_report_writes_them_beside_its_page(run, tmp_path):
    done = invoke("report", run, "--out", tmp_path / "page", "--eval-results")
    assert done.exit_code == 0, done.output
    assert read_rows(tmp_path / "page/maker__model/.eval_results/pixmmvp.yaml")


def test_a_benchmark_that_the_hub_does_not_have_is_one_line(tmp_path):
    done = invoke("report", write_run(tmp_path / "run"), "--out", tmp_path / "page", "--eval-results")
    assert done.exit_code == 1
    assert "pixmini has none; use --leaderboard FILE" in " ".join(done.output.split())


def changed(file, change):
    entries = yaml.safe_load(file.read_text())
    change(entries)
    file.write_text(yaml.safe_dump(entries))
    return file


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda entries: entries[0].update(value=0.99), "expected the value .* of the notes for 'pixmmvp'"),
        (lambda entries: entries[0].update(notes="no tools"), "ask its author for the run's row"),
        (lambda entries: entries[0]["dataset"].pop("task_id"), "got KeyError"),
        (lambda entries: entries.insert(0, "text"), "got AttributeError"),
        (lambda entries: entries[1]["dataset"].update(task_id="pixcvbench_vqa"), "for 'pixcvbench_vqa'"),
    ],
)
def test_entries_that_are_not_ours_or_were_changed_are_refused(file, change, expected):
    with pytest.raises(LeaderboardError, match=expected):
        read_rows(changed(file, change))


@pytest.mark.parametrize("text", ["", "{", "a: [b", "- 1\n", "!!python/object/apply:os.getcwd []", "&a [*a]"])
def test_hostile_files_are_an_error(tmp_path, text):
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(LeaderboardError):
        read_rows(file)


def test_changed_notes_are_checked_like_any_row(file):
    def change(entries):
        for entry in entries:
            entry["notes"] = entry["notes"].replace('"partial": true', '"partial": false')

    with pytest.raises(LeaderboardError, match="partial"):
        read_rows(changed(file, change))


def test_a_models_name_is_no_way_out_of_the_folder(run, tmp_path):
    summaries = [summarize(each) for each in read_runs(run)]
    object.__setattr__(summaries[0], "model", "../../x")
    (written,) = write_eval_results(tmp_path / "hub", summaries)
    assert written.resolve().is_relative_to((tmp_path / "hub").resolve())
