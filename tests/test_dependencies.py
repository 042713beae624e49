"""What pyproject.toml declares, what the code imports, and the versions that are locked agree."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from places import REPOSITORY

if sys.version_info < (3, 11):
    import tomli as tomllib
else:
    import tomllib

PROJECT = REPOSITORY / "pyproject.toml"
LOCK, REPORT_LOCK = REPOSITORY / "constraints.txt", REPOSITORY / "requirements-report.txt"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# Imported by the package if an extra is installed.
OPTIONAL = {"spacy", "starlette", "uvicorn", "ms-vlmeval", "openpyxl", "pandas", "inspect-ai"}
HARNESSES = {"vlmevalkit", "inspect"}  # extras that are not locked, see pyproject.toml

NEEDS_RECORDS = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10 does not know the modules of distributions without top_level.txt"
)
pytestmark = pytest.mark.skipif(not LOCK.is_file() or not PROJECT.is_file(), reason="needs the sources")


@pytest.fixture(scope="module")
def declared() -> dict[str, list[Requirement]]:
    """The requirements of the package under an empty name, and those of its extras under theirs."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {group: [Requirement(line) for line in lines] for group, lines in groups.items()}


def locked(file: Path, python: str, platform: str = "linux") -> dict[str, Version]:
    """The version of every package that a lock names for one Python; a package must not be named twice."""
    environment = {
        "python_version": python, "python_full_version": f"{python}.0", "sys_platform": platform,
        "platform_system": platform.title(), "platform_machine": "x86_64", "implementation_name": "cpython",
    }  # fmt: skip
    found: dict[str, Version] = {}
    for requirement in map(Requirement, file.read_text().splitlines()):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            name = canonicalize_name(requirement.name)
            (pin,) = requirement.specifier
            assert pin.operator == "==" and name not in found, f"{name} for Python {python}"
            found[name] = Version(pin.version)
    return found


def runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a file without what stands under `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from runtime_nodes(node)


def imported(folder: Path) -> Iterator[str]:
    """The top-level modules that the files of a folder import at run time, wherever in them."""
    for file in folder.rglob("*.py"):
        for node in runtime_nodes(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def distributions(folder: Path) -> set[str]:
    """The distributions, among all that are installed, that a folder's code imports from."""
    known = packages_distributions()
    modules = {name for name in imported(folder) if name not in sys.stdlib_module_names}
    return {canonicalize_name(name) for module in modules for name in known.get(module, [])} - {"pixfound-tasks"}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_every_direct_dependency_is_locked_within_its_bounds(declared, python, platform):
    versions = locked(LOCK, python, platform)
    marked = {"python_version": python, "sys_platform": platform}
    for requirement in (each for group in declared.keys() - HARNESSES for each in declared[group]):
        if requirement.marker and not requirement.marker.evaluate(marked):
            continue
        name = canonicalize_name(requirement.name)
        assert name in versions, f"{name} is not in {LOCK.name} for Python {python}: run make lock"
        assert requirement.specifier.contains(versions[name]), f"{name} {versions[name]} is outside {requirement}"


@pytest.mark.parametrize("python", PYTHONS)
def test_what_reading_runs_needs_has_the_versions_of_the_lock(python):
    group = tomllib.loads(PROJECT.read_text())["dependency-groups"]["report"]
    versions, report = locked(LOCK, python), locked(REPORT_LOCK, python)
    assert {canonicalize_name(name) for name in group} <= report.keys()
    assert report.items() <= versions.items()
    assert not report.keys() & {"torch", "transformers", "lmms-eval"}


def test_the_locks_name_no_index_and_no_address():
    for file in (LOCK, REPORT_LOCK):
        assert not re.search(r"://|^\s*-|@", file.read_text(), re.MULTILINE), file.name


@NEEDS_RECORDS
def test_what_the_package_imports_is_declared_and_what_is_declared_is_imported(declared):
    names = {canonicalize_name(requirement.name) for requirement in declared[""]}
    assert distributions(REPOSITORY / "pixfound_tasks") - OPTIONAL == names


@NEEDS_RECORDS
@pytest.mark.parametrize("folder", ["tests", "perf", ".ci"])
def test_what_tests_and_tools_import_is_declared(declared, folder):
    names = {canonicalize_name(requirement.name) for group in declared.values() for requirement in group}
    assert distributions(REPOSITORY / folder) - names == set()
