"""Installed versions against the declared bounds and the tested versions, from metadata alone."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from pixfound_tasks.doctor.findings import ERROR, NOTE, OK, WARNING, Finding
from pixfound_tasks.hosts.incompatibilities import find_incompatibilities, installed_version

PACKAGE = "pixfound-tasks"
_SECTION = "versions"
_PYTHON_CLASSIFIER = "Programming Language :: Python :: "
_MAIN = (PACKAGE, "lmms-eval", "torch", "transformers", "datasets")
_FOLDER = Path(__file__).parent.parent


def examine_versions() -> Iterator[Finding]:
    """Python, the known incompatibilities, and the direct dependencies."""
    try:
        declared = metadata(PACKAGE)
    except PackageNotFoundError:
        yield Finding(
            _SECTION, PACKAGE, ERROR, "not installed: lmms-eval finds plugins by their installed metadata",
            "pip install . (in the folder of pyproject.toml)",
        )  # fmt: skip
        return
    yield _examine_python(declared["Requires-Python"] or "", declared.get_all("Classifier") or [])
    broken = find_incompatibilities()
    yield from (Finding(_SECTION, each.package, ERROR, each.sentence, each.remedy) for each in broken)
    yield from _examine_dependencies({each.package for each in broken})


def tested_versions() -> dict[str, str]:
    """The version of every package that the release was tested with, for this Python and platform.

    It is empty if the lock is absent from the installation.
    """
    file = next((place for place in (_FOLDER, _FOLDER.parent) if (place / "constraints.txt").is_file()), None)
    if file is None:
        return {}
    pins = map(Requirement, (file / "constraints.txt").read_text(encoding="utf-8").splitlines())
    return {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in pins
        if pin.marker is None or pin.marker.evaluate()
    }


def _examine_python(bounds: str, classifiers: list[str]) -> Finding:
    version = platform.python_version()
    tested = [each.removeprefix(_PYTHON_CLASSIFIER) for each in classifiers if each.startswith(_PYTHON_CLASSIFIER)]
    if not SpecifierSet(bounds).contains(version, prereleases=True):
        return Finding(_SECTION, "Python", ERROR, f"{version} is outside {bounds}", f"use a Python {bounds}")
    if version.rpartition(".")[0] not in tested:
        known = ", ".join(each for each in tested if "." in each)
        return Finding(_SECTION, "Python", NOTE, f"{version}, which was not tested; tested were {known}")
    return Finding(_SECTION, "Python", OK, version)


def _examine_dependencies(reported: set[str]) -> Iterator[Finding]:
    """The direct dependencies but those already reported."""
    needed = [Requirement(line) for line in requires(PACKAGE) or []]
    direct = [each for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
    installed = {each.name: installed_version(each.name) for each in direct}
    if missing := [each for each in direct if installed[each.name] is None]:
        names = ", ".join(each.name for each in missing)
        detail = f"{names}: without them only report, compare, check, leaderboard and data work"
        command = " ".join(f"'{each.name}{each.specifier}'" for each in missing)
        yield Finding(_SECTION, "missing packages", ERROR, detail, f"pip install {command}")
    outside = [
        each
        for each in direct
        if (version := installed[each.name]) and not each.specifier.contains(version, prereleases=True)
    ]
    for each in outside:
        if each.name not in reported:
            detail = f"{installed[each.name]} is outside the tested bounds {each.specifier}"
            yield Finding(_SECTION, each.name, WARNING, detail, f"pip install '{each.name}{each.specifier}'")
    yield _compare_with_tested({name: version for name, version in installed.items() if version})


def _compare_with_tested(installed: dict[str, str]) -> Finding:
    tested = tested_versions()
    others = [
        f"{name} {version} (tested: {tested[key]})"
        for name, version in installed.items()
        if (key := canonicalize_name(name)) in tested and tested[key] != version.partition("+")[0]
    ]
    if not tested:
        return Finding(_SECTION, "tested versions", NOTE, "the list of tested versions is not installed")
    main = ", ".join(f"{name} {version}" for name in _MAIN if (version := installed_version(name)))
    same = f"{len(installed) - len(others)} of {len(installed)} direct dependencies have the tested version ({main})"
    if not others:
        return Finding(_SECTION, "tested versions", OK, same)
    remedy = "to have exactly these: pip install . -c constraints.txt (in the folder of pyproject.toml)"
    return Finding(_SECTION, "tested versions", NOTE, f"{same}; others: {', '.join(others)}", remedy)
