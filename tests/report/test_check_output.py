"""What `pixfound check` prints and loads."""

import json
import subprocess
import sys

import pytest
from written_results import DATE, DOCUMENTS, SCORES, invoke, results, write


@pytest.fixture(autouse=True)
def no_summary(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.fixture
def run(tmp_path):
    write(tmp_path / "run", results(SCORES))
    return tmp_path / "run"


def test_verdict_as_json(run):
    done = invoke(run, "pixmini.score>=0.3", options=["--json"])
    assert json.loads(done.stdout) == {
        "schema": "pixfound-check/1", "run": str(run), "passed": True, "allow_partial": False,
        "requirements": [{
            "requirement": "pixmini.score>=0.3", "task": "pixmini", "metric": "score", "operator": ">=", "bound": 0.3,
            "model": "maker/model", "passed": True, "status": "passed", "value": 0.5, "reason": "",
            "documents": DOCUMENTS, "known_documents": DOCUMENTS,
            "file": str(run / "maker__model" / f"{DATE}_results.json"),
        }],
    }  # fmt: skip


HOSTILE = "evil\n::stop-commands::x\x1b[31m|<b>`[a](b)%0A"


def test_nothing_of_a_name_becomes_a_command_or_markdown(tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    write(tmp_path / "run", results(SCORES, name=HOSTILE))
    done = invoke(tmp_path / "run", "pixmini.score>=0.9", "pixmini.score>=0.1", options=["--github"])
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and "\x1b" not in done.stdout
    assert [line for line in lines if line.startswith("::")] == lines[2:]
    assert lines[2].startswith("::error title=pixfound check::pixmini.score>=0.9 of evil")
    assert "%250A" in lines[2] and "%0A" not in lines[2]
    before, _, heading, rule, failed, passed = summary.read_text(encoding="utf-8").splitlines()
    assert (before, heading, rule) == ("before", "| | requirement | model | |", "|---|---|---|---|")
    assert failed.startswith("| **failed** | pixmini.score&#62;&#61;0.9 | evil") and passed.startswith("| passed |")
    assert failed.count("|") == 5 and not set("<>`[]%") & set(failed)


def test_a_summary_that_cannot_be_written_changes_no_verdict(run, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    done = invoke(run, "pixmini.score>=0.3")
    assert done.exit_code == 0 and "the job summary cannot be written" in done.stderr


HEAVY = {"torch", "numpy", "scipy", "pycocotools", "datasets", "lmms_eval", "matplotlib", "rich", "PIL"}


@pytest.mark.parametrize("arguments", [["--help"], ["check", "RUN", "--require", "pixmini.score>=0.3"]])
def test_help_and_check_import_nothing_heavy(run, arguments):
    code = (
        "import sys\nfrom pixfound_tasks.cli.app import app\n"
        "try:\n    app()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    arguments = [str(run) if each == "RUN" else each for each in arguments]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "typer" in loaded and not HEAVY & loaded
