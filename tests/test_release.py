"""Workflows, the action, the container and the release agree with the package and with each other.

The action's scripts run as GitHub would run them, on four images of PixMini.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from places import REPOSITORY
from running import environment

ACTION = REPOSITORY / "action.yml"
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
if not ACTION.is_file() or not (REPOSITORY / "pixfound_tasks").is_dir():
    pytest.skip("needs the sources", allow_module_level=True)
sys.path.append(str(REPOSITORY / ".ci"))

import release  # noqa: E402


def load(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def steps(file: Path) -> list[dict[str, Any]]:
    """The steps of a workflow's jobs, or of the action."""
    content = load(file)
    jobs = content["jobs"].values() if "jobs" in content else [content["runs"]]
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("file", [ACTION, *WORKFLOWS], ids=lambda file: file.name)
def test_no_script_holds_an_expression_which_would_be_run_as_code(file):
    scripts = [step["run"] for step in steps(file) if "run" in step]
    assert scripts and not [script for script in scripts if "${{" in script]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_may_only_read(file):
    assert load(file)["permissions"] == {"contents": "read"}


def test_only_the_job_that_publishes_may_do_more_and_it_runs_no_code_of_ours():
    jobs = {(file.name, name): job for file in WORKFLOWS for name, job in load(file)["jobs"].items()}
    privileged = {name: job for name, job in jobs.items() if "permissions" in job}
    assert list(privileged) == [("release.yml", "publish")]
    (job,) = privileged.values()
    assert job["permissions"] == {"id-token": "write"} and job["environment"] == "pypi" and job["needs"] == "build"
    assert [step["uses"].partition("@")[0] for step in job["steps"]] == [
        "actions/download-artifact", "pypa/gh-action-pypi-publish"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["action.yml", ".github/workflows/release.yml"])
def test_actions_that_can_change_a_release_or_a_verdict_are_pinned_to_a_commit(name):
    used = [step["uses"] for step in steps(REPOSITORY / name) if "uses" in step]
    assert used and not [each for each in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each)]


def test_the_targets_that_workflows_and_the_checklist_name_are_in_the_makefile():
    targets = set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    texts = [step["run"] for file in WORKFLOWS for step in steps(file) if "run" in step]
    texts += re.findall(r"`(make [\w-]+)`", (REPOSITORY / "docs" / "release.md").read_text())
    named = {name for text in texts for name in re.findall(r"\bmake (?:--?[\w-]+ )*([\w-]+)", text)}
    assert {"dist", "wheel-test", "lock", "matrix", "canary", "fuzz"} <= named <= targets


def test_the_readme_gives_the_action_inputs_and_reads_outputs_that_it_has():
    (example,) = re.findall(r"```yaml\n(# .github.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    (job,) = yaml.safe_load(example)["jobs"].values()
    (used,) = (step for step in job["steps"] if step["uses"].startswith("OWNER/pixfound-tasks@"))
    action = load(ACTION)
    assert used["with"].keys() <= action["inputs"].keys()
    needed = {name for name, each in action["inputs"].items() if each.get("required")}
    assert needed <= used["with"].keys()
    outputs = set(re.findall(rf"steps\.{used['id']}\.outputs\.(\w+)", example))
    assert outputs and outputs <= action["outputs"].keys()


def test_what_the_container_gets_builds_a_wheel_that_is_typed(tmp_path):
    source = tmp_path / "source"
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    for line in lines:
        path = REPOSITORY / line.removeprefix("!")
        if line.startswith("!") and path.is_dir():
            shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif line.startswith("!"):
            source.mkdir(exist_ok=True)
            shutil.copy(path, source)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert "pixfound_tasks/py.typed" in zipfile.ZipFile(wheel).namelist()
    # pip installs these before the sources are there.
    copied = re.findall(r"^COPY (.+) \./$", (REPOSITORY / "Containerfile").read_text(), re.MULTILINE)
    assert [name for line in copied for name in line.split()] == ["pyproject.toml", "constraints.txt"]


# The release's version


FILES = {
    "pixfound_tasks/__init__.py": '"""A package."""\n\n__version__ = "1.2.3"\n',
    "CITATION.cff": "cff-version: 1.2.0\nversion: 1.2.3\n",
    "README.md": "- uses: OWNER/pixfound-tasks@v1.2.3\n",
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-12-01\n\n### Added\n\n- One.\n",
}


def write(folder: Path, changed: dict[str, tuple[str, str]]) -> Path:
    """The files, in each of some a text in another's place."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        old, new = changed.get(name, ("", ""))
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    return folder


def test_this_checkout_names_one_version():
    assert release.disagreements(REPOSITORY) == []


@pytest.mark.parametrize("tag", [None, "v1.2.3"])
def test_files_that_agree_can_be_released(tmp_path, tag):
    assert release.disagreements(write(tmp_path, {}), tag) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("CITATION.cff", "1.2.3", "1.2.2", "expected version: 1.2.3 in CITATION.cff, but got 1.2.2"),
        ("CITATION.cff", "version: 1.2.3", "", "in CITATION.cff, but got none"),
        ("README.md", "1.2.3", "1.2.2", "expected pixfound-tasks@v1.2.3 in README.md, but got v1.2.2"),
        ("CHANGELOG.md", "[1.2.3]", "[1.2.2]", "but got [Unreleased], [1.2.2] - 2026-12-01"),
        ("CHANGELOG.md", " - 2026-12-01", "", "expected a section '## [1.2.3] - YYYY-MM-DD'"),
        ("CHANGELOG.md", "- One.", "", "expected entries under [1.2.3] - 2026-12-01 in CHANGELOG.md"),
    ],
)
def test_a_file_that_disagrees_is_named(tmp_path, name, old, new, expected):
    (found,) = release.disagreements(write(tmp_path, {name: (old, new)}))
    assert expected in found


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2.30", "v1.2.3-rc1"])
def test_another_tag_is_refused(tmp_path, tag):
    (found,) = release.disagreements(write(tmp_path, {}), tag)
    assert found == f"expected the tag v1.2.3, because __version__ is 1.2.3, but got {tag}"


def test_entries_left_under_unreleased_stop_a_tag_only(tmp_path):
    write(tmp_path, {"CHANGELOG.md": ("[Unreleased]\n", "[Unreleased]\n\n- Two.\n- Three.\n")})
    assert release.disagreements(tmp_path) == []
    (found,) = release.disagreements(tmp_path, "v1.2.3")
    assert "nothing under [Unreleased] in CHANGELOG.md, but got 2 entries" in found


def test_the_script_exits_with_1_on_a_wrong_tag_and_prints_the_version_without():
    script = [sys.executable, str(REPOSITORY / ".ci" / "release.py")]
    correct, wrong = (
        subprocess.run([*script, *tag], capture_output=True, text=True, check=False) for tag in ([], ["v0.0.0"])
    )
    assert correct.returncode == 0 and correct.stdout.strip() == release.version(REPOSITORY), correct.stderr
    assert wrong.returncode == 1 and "but got v0.0.0" in wrong.stderr


# The action's scripts


@dataclass
class Replay:
    """What came of a replay of the action: the outcome of each step, the outputs, the job summary and the log."""

    outcomes: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    log: str = ""


# The conditions that the action has, of its inputs, of the steps so far and of whether one of these failed.
Condition = Callable[[dict[str, str], dict[str, str], bool], bool]
CONDITIONS: dict[str | None, Condition] = {
    None: lambda inputs, outcomes, failed: not failed,
    "${{ inputs.report == 'true' }}": lambda inputs, outcomes, failed: not failed and inputs["report"] == "true",
    "${{ !cancelled() && steps.evaluate.outcome != 'skipped' }}": (
        lambda inputs, outcomes, failed: outcomes["Evaluate"] != "skipped"
    ),
}


def replay(folder: Path, **given: str) -> Replay:
    """Run the action's scripts after the installation in a folder, as GitHub Actions would."""
    action = load(ACTION)
    inputs = {name: each.get("default", "") for name, each in action["inputs"].items()}
    inputs |= {name.replace("_", "-"): value for name, value in given.items()}
    assert inputs.keys() == action["inputs"].keys()
    outputs, summary = folder.parent / f"{folder.name}-outputs", folder.parent / f"{folder.name}-summary"
    shared = environment() | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "GITHUB_ACTION_PATH": str(REPOSITORY),
        "GITHUB_OUTPUT": str(outputs),
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    folder.mkdir(exist_ok=True)
    done, failed = Replay(), False
    for step in action["runs"]["steps"]:
        if "run" not in step or step["name"] == "Install":
            continue
        if not CONDITIONS[step.get("if")](inputs, done.outcomes, failed):
            done.outcomes[step["name"]] = "skipped"
            continue
        own = {
            name: inputs[re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", value)[1]] for name, value in step["env"].items()
        }
        # As `shell: bash` runs scripts.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        ran = subprocess.run(
            command, cwd=folder, env=shared | own, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        done.log += ran.stdout + ran.stderr
        done.outcomes[step["name"]] = "failure" if ran.returncode else "success"
        failed = failed or ran.returncode != 0
    if outputs.exists():
        done.outputs = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    done.summary = summary.read_text() if summary.exists() else ""
    return done


REACHED = "pixmini.score>=0.3\n\n  pixmini_ground.unparsed<=0.02\n"


def test_the_action_passes_a_run_that_reaches_what_is_required(tmp_path):
    done = replay(tmp_path / "job", args="--limit 4", allow_partial="true", require=REACHED)
    assert set(done.outcomes.values()) == {"success"}, done.log
    assert done.outputs == {"report": "runs/pixfound/report", "passed": "true"}
    assert (tmp_path / "job" / done.outputs["report"] / "index.html").is_file()
    assert done.summary.count("| passed |") == 2 and "**failed**" not in done.summary
    # The same job again: the old results must not pass.
    again = replay(tmp_path / "job", args="--limit 4", allow_partial="true", require=REACHED)
    assert again.outcomes == {
        "Read the inputs": "failure", "Evaluate": "skipped", "Report": "skipped", "Check": "skipped"
    }  # fmt: skip
    assert "::error title=pixfound::expected the folder runs/pixfound to be empty" in again.log


def test_the_action_fails_a_run_that_does_not_and_reports_it(tmp_path):
    required = "pixmini.score>=0.3\npixmini_ground.miou>0.999"
    done = replay(tmp_path / "job", args="--limit 4", allow_partial="true", require=required, output="new/run")
    assert done.outcomes == {
        "Read the inputs": "success", "Evaluate": "success", "Report": "success", "Check": "failure"
    }, done.log  # fmt: skip
    assert done.outputs == {"report": "new/run/report", "passed": "false"}
    assert "::error title=pixfound check::pixmini_ground.miou>0.999" in done.log
    assert done.summary.count("| passed |") == 1 and done.summary.count("**failed**") == 1


def test_the_action_fails_if_the_evaluation_failed(tmp_path):
    done = replay(tmp_path / "job", model_args="pretrained=./no-such-model", require=REACHED)
    assert done.outcomes == {
        "Read the inputs": "success", "Evaluate": "failure", "Report": "skipped", "Check": "failure"
    }, done.log  # fmt: skip
    assert done.outputs == {"passed": "false"} and done.summary.count("**failed**") == 2


@pytest.mark.parametrize(
    ("require", "expected"),
    [
        ("", "expected a requirement per line in require"),
        (" \n\t\n", "expected a requirement per line in require"),
        ("pixmini.score=>0.3", "expected TASK.METRIC, one of"),
        ("pixmini.score>=0.3\n$(touch ran)`touch ran`;touch ran", "expected TASK.METRIC, one of"),
    ],
)
def test_the_action_stops_before_the_evaluation_if_it_cannot_read_a_requirement(tmp_path, require, expected):
    done = replay(tmp_path / "job", require=require, output="$(touch ran)")
    assert done.outcomes["Read the inputs"] == "failure" and done.outcomes["Check"] == "skipped"
    assert expected in done.log
    assert list((tmp_path / "job").iterdir()) == [] and done.summary == "" and done.outputs == {}
