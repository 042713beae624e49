"""The public names of the package: cheap to import, documented, and their examples are true."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest
from places import REPOSITORY

import pixfound_tasks as px
from pixfound_tasks.attention.families.registry import GEOMETRIES
from pixfound_tasks.attention.reducers import REDUCERS
from pixfound_tasks.benchmarks import registry as benchmarks
from pixfound_tasks.grounding.coordinates.conventions import CONVENTIONS
from pixfound_tasks.grounding.segmenters.base import SEGMENTERS

sys.path.insert(0, str(Path(__file__).with_name("report")))
from written_run import write_run

PAGE = REPOSITORY / "docs" / "python.md"


@pytest.fixture
def tables_restored():
    """What an example registers is gone after it."""
    tables = (GEOMETRIES, REDUCERS, CONVENTIONS, SEGMENTERS)
    before = [dict(table) for table in tables]
    yield
    for table, records in zip(tables, before):
        for name in set(table) - set(records):
            del table[name]


@pytest.mark.skipif(not PAGE.is_file(), reason="needs the sources")
def test_the_examples_of_the_page_are_true(tmp_path, tables_restored):
    found = doctest.testfile(
        str(PAGE), module_relative=False, globs={"RUN": write_run(tmp_path / "run")},
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL,
    )  # fmt: skip
    assert found.attempted > 25 and found.failed == 0


@pytest.mark.skipif(not PAGE.is_file(), reason="needs the sources")
def test_the_page_shows_every_public_name():
    text = PAGE.read_text()
    assert [name for name in px.__all__ if name not in text and name != "__version__"] == []


def test_every_public_name_is_there():
    assert {name: getattr(px, name) for name in px.__all__}
    assert set(dir(px)) == set(px.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lens'"):
        _ = px.lens


def test_importing_the_package_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import pixfound_tasks; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['pixfound_tasks']"


def test_a_folder_of_several_runs_needs_to_be_told_which(tmp_path):
    run = write_run(tmp_path / "run")
    assert px.load_run(run, "pixmini", "maker/model").benchmark == "pixmini"
    with pytest.raises(ValueError, match=r"0 match; it has maker/model on pixmini: give benchmark= and model="):
        px.load_run(run, model="another")


def test_a_benchmark_is_registered_through_the_public_name(monkeypatch):
    monkeypatch.setattr(benchmarks, "_registered", {})
    whole = benchmarks.get_benchmark("pixmini")
    with pytest.raises(ValueError, match="rename it"):
        px.register_benchmark(whole)
