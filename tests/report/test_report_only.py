"""What reads runs works without torch and lmms-eval: with the packages of requirements-report.txt alone.

Stands for `pip install --no-deps . -r requirements-report.txt`, which takes an index: the installed files of these
packages are linked into a folder that is the only place for packages.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from places import REPOSITORY
from written_run import write_run

import pixfound_tasks

LOCK = REPOSITORY / "requirements-report.txt"
PROGRAM = "from pixfound_tasks.cli.app import app\n\nif __name__ == '__main__':\n    app()\n"

pytestmark = pytest.mark.skipif(not LOCK.is_file(), reason="needs the sources")


def locked_distributions() -> list[Distribution]:
    """The installed distributions that the lock names for this Python."""
    requirements = map(Requirement, LOCK.read_text().splitlines())
    names = [each.name for each in requirements if each.marker is None or each.marker.evaluate()]
    return [distribution(name) for name in names]


def link(package: Distribution, folder: Path) -> None:
    """Link the top-level files and folders of an installed package into a folder."""
    tops = {file.parts[0] for file in package.files or () if not {"..", "__pycache__"} & set(file.parts[:1])}
    for top in tops:
        (folder / top).symlink_to(Path(str(package.locate_file(top))))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The only folder with packages."""
    folder = tmp_path_factory.mktemp("lib") / "site-packages"  # dill knows installed modules by this name
    folder.mkdir()
    try:
        for package in locked_distributions():
            link(package, folder)
    except PackageNotFoundError as error:
        pytest.skip(f"needs the packages of the lock: {error} is not installed")
    (folder / "pixfound_tasks").symlink_to(Path(pixfound_tasks.__file__).parent)
    own = distribution("pixfound-tasks")
    (info,) = {file.parts[0] for file in own.files or () if file.parts[0].endswith(".dist-info")}
    (folder / info).symlink_to(Path(str(own.locate_file(info))))
    (folder / "program.py").write_text(PROGRAM)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A written run, and its row for the leaderboard to come."""
    return Path(write_run(tmp_path_factory.mktemp("written") / "run"))


def command(site: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, "-S", site / "program.py", *map(str, arguments)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_torch_and_lmms_eval_are_away(site):
    code = "import importlib.util as util; print([util.find_spec(name) for name in ('torch', 'lmms_eval', 'cv2')])"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=os.environ | {"PYTHONPATH": str(site)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[None, None, None]"


def test_report_and_leaderboard(site, run, tmp_path):
    row = tmp_path / "row.json"
    reported = command(site, "report", run, "--out", tmp_path / "page", "--leaderboard", row)
    assert reported.returncode == 0, reported.stderr
    assert (tmp_path / "page" / "index.html").stat().st_size > 10_000
    ranked = command(site, "leaderboard", row)
    assert ranked.returncode == 0 and "| # |" in ranked.stdout, ranked.stderr


def test_check(site, tmp_path):
    done = command(site, "check", tmp_path / "nowhere", "--require", "pixmini.score>=0.3")
    assert done.returncode == 1 and done.stdout.startswith("FAIL"), done.stderr


def test_compare(site, run):
    done = command(site, "compare", run, run)
    assert done.returncode == 0 and "adjusted" in done.stdout, done.stderr


@pytest.mark.parametrize("arguments", [("info",), ("verify", "pixmini"), ("fetch", "pixmini")])
def test_data(site, arguments):
    done = command(site, "data", *arguments)
    assert done.returncode == 0 and "pixmini" in done.stdout, done.stderr


def test_data_export(site, tmp_path):
    done = command(site, "data", "export", "pixmini", tmp_path / "parquet")
    assert done.returncode == 0 and list(tmp_path.rglob("*.parquet")), done.stderr


def test_explain_says_in_one_line_what_it_needs(site):
    done = command(site, "explain")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and "pixfound explain needs torch, which is not installed" in line


def test_doctor_names_what_evaluations_need(site):
    done = command(site, "doctor")
    assert done.returncode == 1, done.stderr
    assert "only report, compare, check, leaderboard and data work" in done.stdout
    assert "pip install" in done.stdout.splitlines()[-1] and "torch" in done.stdout.splitlines()[-1]
