"""`pixfound doctor`: what it says of versions, data, caches and variables, and its exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from doctor.broken_environments import distribution, filelock_4
from running import command
from typer.testing import CliRunner

import pixfound_tasks
from pixfound_tasks.cli import app as commands
from pixfound_tasks.doctor import examination, versions
from pixfound_tasks.doctor.findings import Finding
from pixfound_tasks.doctor.places import examine_places
from pixfound_tasks.doctor.variables import examine_variables
from pixfound_tasks.hosts.incompatibilities import KNOWN, find_incompatibilities
from pixfound_tasks.settings import OWN


@pytest.fixture
def nothing_set(tmp_path, monkeypatch):
    """No variable of ours is set, and the hub's cache is empty."""
    for name in [each for each in os.environ if each.startswith("PIXFOUND_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return monkeypatch


def by_name(findings) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_the_command_says_that_evaluations_can_run_here():
    done = command("pixfound", "doctor", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["can_evaluate"] and found["schema"] == examination.SCHEMA
    assert {each["section"] for each in found["findings"]} >= {"versions", "lmms-eval", "devices", "data", "caches"}
    assert [each for each in found["findings"] if each["status"] == "error"] == []


def test_filelock_4_is_named_with_its_remedy_by_all_commands(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(filelock_4(tmp_path)))
    done = command("pixfound", "doctor")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "Evaluations cannot run. To repair it: pip install 'filelock<4'"
    assert done.stdout.count("error ") == 1  # what follows from it is not an error of its own

    evaluated = command(
        "lmms-eval", "--model", "pixfound", "--tasks", "pixmini_vqa", "--limit", 1, "--output_path", tmp_path / "run"
    )
    assert evaluated.returncode == 1 and "Traceback" not in evaluated.stdout + evaluated.stderr
    assert "filelock 4.3.1 breaks lmms-eval" in evaluated.stderr.splitlines()[-1]

    reported = command("pixfound", "report", tmp_path / "run")
    checked = command("pixfound", "check", tmp_path / "run", "--require", "pixmini.score>0")
    for text in (reported.stderr, checked.stdout):
        assert "pip install 'filelock<4'" in text


def test_as_a_library_the_known_breakage_is_an_error_of_one_line(tmp_path):
    code = "from lmms_eval import models; from lmms_eval.tasks import TaskManager; TaskManager(include_defaults=False)"
    environment = os.environ | {"PYTHONPATH": str(filelock_4(tmp_path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].startswith("RuntimeError: pixfound-tasks: filelock 4.3.1 breaks")


@pytest.mark.parametrize(
    ("filelock", "host", "broken"),
    [("3.32.7", "0.7.3", False), ("4.0.0", "0.7.3", True), ("4.1.0rc1", "0.7.1", True), ("4.0.0", "0.7", False),
     ("4.0.0", None, False), (None, "0.7.3", False)],
)  # fmt: skip
def test_incompatibilities_are_known_by_both_versions(filelock, host, broken):
    found = find_incompatibilities({"filelock": filelock, "lmms-eval": host}.get)
    assert [each.remedy for each in found] == [KNOWN[0].remedy] * broken


def test_the_versions_of_this_environment_are_within_bounds():
    assert {each.status for each in versions.examine_versions()} <= {"ok", "note"}
    assert "lmms-eval" in versions.tested_versions()


def test_other_versions_and_missing_packages_are_named(monkeypatch):
    installed = {"numpy": "9.0", "torch": None, "rich": "13.0+local"}
    tested = versions.tested_versions()
    monkeypatch.setattr(
        versions, "installed_version", lambda name: installed.get(name, tested[name]) if name in tested else "1"
    )
    found = by_name(versions.examine_versions())
    assert found["missing packages"].status == "error"
    assert "torch" in found["missing packages"].detail and found["missing packages"].remedy.startswith(
        "pip install 'torch"
    )
    assert found["numpy"].status == "warning" and "9.0 is outside the tested bounds" in found["numpy"].detail
    assert "numpy 9.0" in found["tested versions"].detail and "rich 13.0+local" in found["tested versions"].detail


def test_a_package_that_is_not_installed_is_an_error(monkeypatch):
    monkeypatch.setattr(versions, "PACKAGE", "pixfound-tasks-nowhere")
    (found,) = versions.examine_versions()
    assert found.status == "error" and "pip install" in found.remedy


def test_without_data_the_command_that_gets_it_is_named(nothing_set):
    found = by_name(examine_places())
    assert found["pixmini"].status == "ok"
    for name in ("pixmmvp", "pixcvbench"):
        assert found[name].status == "warning" and found[name].remedy.startswith(f"pixfound data fetch {name}")


def test_a_data_folder_that_is_not_there_is_a_warning(nothing_set, tmp_path):
    nothing_set.setenv("PIXFOUND_DATA", str(tmp_path / "nowhere"))
    found = by_name(examine_places())["pixmmvp"]
    assert found.status == "warning" and str(tmp_path / "nowhere") in found.detail


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that nobody can write to")
def test_a_read_only_cache_is_an_error_until_pixmini_is_in_it(nothing_set):
    nothing_set.setenv("PIXFOUND_CACHE", "/proc/pixfound")
    found = by_name(examine_places())["PIXFOUND_CACHE"]
    assert found.status == "error" and "/proc/pixfound cannot be written to" in found.detail
    assert found.remedy == "let PIXFOUND_CACHE name a folder that can be written to"


def test_a_cache_below_a_file_is_an_error(nothing_set, tmp_path):
    (tmp_path / "file").touch()
    nothing_set.setenv("PIXFOUND_CACHE", str(tmp_path / "file" / "cache"))
    assert by_name(examine_places())["PIXFOUND_CACHE"].status == "error"


def test_variables_are_shown_and_checked(nothing_set):
    values = {
        "PIXFOUND_ANSWERS": "corected", "PIXFOUND_JUDGE": "openai:gpt", "PIXFOUND_KIND": "boxes",
        "PIXFOUND_COORDINATES": "thousand", "PIXFOUND_SEGMENTER": "sam:", "PIXFOUND_DATE": "x",
        "PIXFOUND_REVISION": "pixmvp=1", "PIXFOUND_CONCEPTS": "spacy:", "HF_TOKEN": "hf_secret",
    }  # fmt: skip
    nothing_set.delenv("OPENAI_API_KEY", raising=False)
    for name, value in values.items():
        nothing_set.setenv(name, value)
    found = by_name(examine_variables())
    errors = {name for name, finding in found.items() if finding.status == "error"}
    assert errors == values.keys() - {"PIXFOUND_COORDINATES", "PIXFOUND_DATE", "HF_TOKEN"}
    assert "did you mean 'corrected'" in found["PIXFOUND_ANSWERS"].detail
    assert "OPENAI_API_KEY" in found["PIXFOUND_JUDGE"].detail
    assert found["PIXFOUND_DATE"].remedy == "rename it to PIXFOUND_DATA, or unset it"
    assert found["HF_TOKEN"].detail == "is set"
    assert "hf_secret" not in str(found)


def test_the_table_of_variables_has_all_that_the_code_reads():
    folder = Path(pixfound_tasks.__file__).parent
    texts = [path.read_text() for path in folder.rglob("*.py") if path.name != "settings.py" or path.parent != folder]
    named = {name for text in texts for name in re.findall(r"\"(PIXFOUND_[A-Z]+)\"", text)}
    assert named == {setting.name for setting in OWN}


def test_an_examination_that_fails_is_a_finding():
    def fails():
        yield Finding("a", "b", "ok", "c")
        raise KeyError("surprise")

    first, second = examination._findings("a", fails)
    assert first.status == "ok"
    assert (second.status, second.detail) == ("warning", "KeyError: 'surprise'")


def test_a_command_without_its_package_says_so_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [each for each in sys.modules if each.startswith("pixfound_tasks.attention")]:
        monkeypatch.delitem(sys.modules, name)
    done = CliRunner().invoke(commands.app, ["explain"])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: pixfound explain needs torch, which is not installed; `pixfound doctor`")


def test_metadata_of_another_python_is_an_error(tmp_path, monkeypatch):
    distribution(tmp_path, "pixfound-tasks", "0.1.0")
    (metadata,) = tmp_path.rglob("METADATA")
    metadata.write_text(metadata.read_text() + "Requires-Python: >=3.99\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert by_name(versions.examine_versions())["Python"].status == "error"


def test_a_broken_benchmark_of_another_package_hides_nothing(tmp_path, nothing_set):
    (tmp_path / "boomer.py").write_text("raise SystemExit('bye')\n")
    distribution(tmp_path, "other-lab", "1.0", "[pixfound_tasks.benchmarks]\nboomer = boomer:BENCHMARK\n")
    nothing_set.setenv("PYTHONPATH", str(tmp_path))
    done = command("pixfound", "doctor", "--json")
    found = by_name(Finding(**each) for each in json.loads(done.stdout)["findings"])
    assert found["boomer"].status == "warning" and "pip uninstall other-lab" in found["boomer"].detail
    assert found["pixmini"].status == "ok" and found["PIXFOUND_CACHE"].status in ("ok", "note") and done.returncode == 0
    listed = command("pixfound", "data", "info")
    assert listed.returncode == 0 and "pixmini" in listed.stdout and "bye" in listed.stderr
    named = command("pixfound", "data", "verify", "boomer")
    assert named.returncode == 1 and "Traceback" not in named.stderr and "pip uninstall other-lab" in named.stderr


def test_the_version_is_printed():
    done = CliRunner().invoke(commands.app, ["--version"])
    assert done.exit_code == 0 and done.stdout.strip() == f"pixfound-tasks {pixfound_tasks.__version__}"
