"""What a command says first, and the cause of what cannot be said."""

from __future__ import annotations

from known_run import IDS, ground_sample, grounded_at
from typer.testing import CliRunner
from written_run import write_results, write_samples

from pixfound_tasks.cli import app as command
from pixfound_tasks.report import narrative
from pixfound_tasks.runs.progress import progress_shown
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.summary import summarize


def first_sentence(folder, **changes):
    response = {name: value for name, value in (grounded_at(2) | changes).items() if value is not None}
    write_samples(folder / "model", "pixmini_ground", [ground_sample(id, response, 1.0) for id in IDS])
    write_results(folder / "model", limit=None)
    [run] = read_runs(folder)
    found = summarize(run).when
    assert found is not None
    return narrative.emergence(found)[0]


def test_without_random_points_the_setting_is_named(tmp_path):
    said = first_sentence(tmp_path, control=None)
    assert said.startswith("It is unknown whether grounding emerges above chance: the responses have no random points")
    assert "`control=True`" in said and "replayed predictions have none" in said


def test_nothing_is_said_to_be_read_before_the_run_is_found(tmp_path):
    done = CliRunner().invoke(command.app, ["report", str(tmp_path / "none")])
    assert done.exit_code == 1 and done.stderr.startswith("Error: expected a folder") and done.stdout == ""


def test_a_folder_of_runs_names_one(tmp_path):
    write_samples(tmp_path / "demo" / "model", "pixmini_ground", [ground_sample(id, grounded_at(2), 1.0) for id in IDS])
    done = CliRunner().invoke(command.app, ["report", str(tmp_path)])
    assert done.exit_code == 1 and f"such as {tmp_path / 'demo'}" in done.stderr


def test_progress_is_said_once_when_something_is_read(capsys):
    with progress_shown("reading it") as track:
        assert capsys.readouterr().err == ""
        assert [*track([1], "a"), *track([2], "b")] == [1, 2]
    assert capsys.readouterr().err == "reading it\n"
