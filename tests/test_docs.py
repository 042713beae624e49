"""The recipes of docs/recipes.md run as they are printed, and docs/architecture.md names what there is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest
from doctor.broken_environments import distribution
from places import REPOSITORY
from running import environment

DOCS = REPOSITORY / "docs"
GROUPS = {
    "pixfound_tasks.conventions",
    "pixfound_tasks.segmenters",
    "pixfound_tasks.geometries",
    "pixfound_tasks.reducers",
    "pixfound_tasks.pixel_families",
    "pixfound_tasks.text_profiles",
}
pytestmark = pytest.mark.skipif(not (DOCS / "recipes.md").is_file(), reason="needs the sources")


class Block(NamedTuple):
    """A block of code: its language, the file that its first line names if any, and the lines after that."""

    language: str
    file: str
    text: str


def recipe(title: str) -> list[Block]:
    """The blocks below a heading of docs/recipes.md, in order."""
    _, _, rest = (DOCS / "recipes.md").read_text().partition(f"## {title}\n")
    found = []
    for language, text in re.findall(r"```(\w+)\n(.*?)```", rest.partition("\n## ")[0], flags=re.DOTALL):
        first, _, others = text.partition("\n")
        named = re.fullmatch(r"# ([\w/.]+\.\w+)", first)
        found.append(Block(language, named[1], others) if named else Block(language, "", text))
    return found


def entry_points(toml: str) -> str:
    """The entry points of a pyproject.toml, as installing writes them."""
    groups = re.findall(r"\[project\.entry-points\.\"([\w.]+)\"\]\n((?:\w+ = \"[^\"]+\"\n)+)", toml)
    return "".join(f"[{group}]\n{lines}".replace('"', "") for group, lines in groups)


def run(command: str, folder: Path) -> None:
    """Run one printed command in a folder, whose packages go before all others."""
    if command.startswith("pip install --editable ."):
        toml = (folder / "pyproject.toml").read_text()
        (name,) = re.findall(r"^name = \"(\w+)\"$", toml, re.MULTILINE)
        distribution(folder, name, "0.1", entry_points(toml))
        return
    variables = environment()
    variables["PYTHONPATH"] = os.pathsep.join([str(folder), variables["PYTHONPATH"]])
    variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), variables["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


def follow(blocks: list[Block], folder: Path) -> None:
    """Write the files and run the commands, in the printed order; a file whose name begins with try is run."""
    for block in blocks:
        if block.file:
            file = folder / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
            if file.name.startswith("try"):
                run(f"python {file.name}", folder)
        else:
            for command in block.text.splitlines():
                run(command, folder)


def test_add_a_benchmark(tmp_path):
    follow(recipe("Add a benchmark"), tmp_path)
    page = (tmp_path / "runs" / "sides" / "report" / "index.html").read_text()
    assert "What fails, in pairs" in page
    assert len(list((tmp_path / "mylab" / "task_yamls").glob("sides*.yaml"))) == 13


def test_add_a_model_family(tmp_path):
    follow(recipe("Add a model family"), tmp_path)


def test_add_a_model_that_draws_masks(tmp_path):
    follow(recipe("Add a model that draws masks"), tmp_path)
    numbers = (tmp_path / "runs" / "red" / "report" / "report.json").read_text()
    assert '"family": "reddest"' in numbers and '"least": "60"' in numbers


def test_add_a_coordinate_convention(tmp_path):
    follow(recipe("Add a coordinate convention"), tmp_path)


def test_add_a_metric(tmp_path):
    for name in ("pixfound_tasks", "task_yamls"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for block in recipe("Add a metric"):
        if not block.file:
            for command in block.text.splitlines():
                run(command, tmp_path)
            continue
        file = tmp_path / block.file
        lines = file.read_text().splitlines()
        below = [i for i, line in enumerate(lines, 1) if re.match(r"\s+(Metric\()?\"precision_50\"[,:]", line)]
        place = below[0] if block.text.startswith(" ") else len(lines)
        lines[place:place] = block.text.splitlines() if place < len(lines) else ["", "", *block.text.splitlines()]
        file.write_text("\n".join(lines) + "\n")
    assert "precision_75" in (tmp_path / "task_yamls" / "pixmini" / "pixmini_ground.yaml").read_text()
    found = tmp_path / "runs" / "metric"
    for name in ("report/report.json", "report/metrics.csv", "report/index.html", "compare.json"):
        assert "precision_75" in (found / name).read_text(), name


def test_the_architecture_names_what_there_is():
    text = (DOCS / "architecture.md").read_text()
    places = set(re.findall(r"`(pixfound_tasks(?:\.\w+)+)`", text)) - GROUPS
    assert len(places) > 30
    for place in places - {"pixfound_tasks.benchmarks.PIXMMVP"}:
        assert resolve(place) is not None, place


def test_the_architecture_names_every_folder():
    named = set(re.findall(r"^\| `(\w+)/` \|", (DOCS / "architecture.md").read_text(), re.MULTILINE))
    folders = {path.name for path in (REPOSITORY / "pixfound_tasks").iterdir() if (path / "__init__.py").is_file()}
    assert named == folders


def resolve(place: str) -> object:
    """What a dotted name stands for; raises if there is no such thing."""
    parts = place.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for name in parts[length:]:
            found = getattr(found, name)
        return found
    raise ModuleNotFoundError(place)
