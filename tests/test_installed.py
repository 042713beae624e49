"""What a user has after installing: one evaluation and its report by the commands, and archives that hold it all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from places import REPOSITORY
from running import command

import pixfound_tasks

needs_sources = pytest.mark.skipif(
    not (REPOSITORY / "pixfound_tasks").is_dir(), reason="needs the sources, which have been taken away here"
)


def test_the_tests_are_of_the_installed_package_where_the_sources_are_away():
    assert (REPOSITORY / "pixfound_tasks").is_dir() == Path(pixfound_tasks.__file__).is_relative_to(REPOSITORY)


def test_an_evaluation_and_its_report(tmp_path):
    done = command(
        "lmms-eval", "--model", "pixfound", "--model_args", "pretrained=pixfound/mini", "--tasks", "pixmini",
        "--limit", 40, "--output_path", tmp_path, "--log_samples",
    )  # fmt: skip
    reported = command("pixfound", "report", tmp_path)
    assert done.returncode == reported.returncode == 0, done.stdout + done.stderr + reported.stderr
    (results,) = tmp_path.rglob("*_results.json")
    scores = json.loads(results.read_text())["results"]
    # Guessing has a quarter of the pairs.
    assert scores["pixmini_vqa"]["pair_accuracy,none"] > 0.5 and scores["pixmini_vqa"]["unparsed,none"] == 0.0
    (report,) = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["grounding"] == pytest.approx(scores["pixmini_ground"]["miou,none"], abs=1e-12)
    assert report["oracle_miou"] > 1.5 * report["chance_miou"] > 0 and report["documents"] == 40
    assert "data:image/png;base64," in (tmp_path / "report" / "index.html").read_text()


def build(source: Path, folder: Path) -> dict[str, bytes]:
    """The archives built from a folder of sources, by name."""
    arguments = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(arguments, cwd=source, check=True, capture_output=True)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build(REPOSITORY, folder)
    return folder


@needs_sources
def test_the_wheel_holds_tasks_weights_and_the_page(built):
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        "pixfound_tasks/task_yamls/pixmmvp/pixmmvp_vqa.yaml",
        "pixfound_tasks/task_yamls/pixmini/pixmini.yaml",
        "pixfound_tasks/constraints.txt",
        "pixfound_tasks/mini/weights/model.safetensors",
        "pixfound_tasks/mini/weights_seg/model.safetensors",
        "pixfound_tasks/mini/words.txt",
        "pixfound_tasks/mini/chat_template.jinja",
        "pixfound_tasks/report/html/page.html.jinja",
        "pixfound_tasks/report/html/gallery.js",
    }
    assert expected <= names
    assert not [name for name in names if name.startswith(("tests/", "task_yamls/"))]


@needs_sources
def test_the_sdist_builds_itself_again_byte_for_byte(built, tmp_path):
    # Elsewhere, later, and by somebody whose new files are readable to nobody else.
    (sdist,) = built.glob("*.tar.gz")
    mask = os.umask(0o077)
    try:
        with tarfile.open(sdist) as archive:
            archive.extractall(tmp_path, filter="data")
        (source,) = tmp_path.iterdir()
        for file in source.rglob("*"):
            os.utime(file)
        again = build(source, tmp_path / "again")
    finally:
        os.umask(mask)
    assert again == {file.name: file.read_bytes() for file in built.iterdir()}
    assert {"tests", "perf", "docs", "Makefile", "CITATION.cff", ".ci"} <= {path.name for path in source.iterdir()}
