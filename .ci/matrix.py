"""The built package in clean environments, with the versions that it is developed and used with: `make matrix`.

Installs the wheel with its test extra into one environment at a time, and runs a short suite. Every Python that is
there tries the versions of the lock. The oldest Python also tries the oldest of each host, and of both, in their place.
The newest Python also tries what pip picks without the lock, and the second one the extras for other harnesses, each in
an environment of its own. Prints a Markdown table of what was installed and how it went, and exits with 1 if anything
failed.

`--here` tries this Python with the lock only: `make wheel-test`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from environments import (
    HOSTS,
    PYTHONS,
    SHOWN,
    SUITE,
    Built,
    Environment,
    build,
    find_pythons,
    install_locked,
    install_newest,
    last_line,
    make_environment,
    progress,
    table,
)
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Extras for other harnesses -> the tests that run them.
HARNESSES = {"vlmevalkit": ("tests/vlmevalkit",), "inspect": ("tests/test_inspect_ai.py",)}
HEAD = ("Python", "versions", *SHOWN, "short suite")


class Row(NamedTuple):
    """What was tried: the Python, which versions, the releases by name, and how the suite went."""

    python: str
    versions: str
    releases: dict[str, str]
    result: str
    passed: bool

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.python, self.versions, *(self.releases.get(name, "") for name in SHOWN), self.result)


def main() -> None:
    """Try every environment, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--here", action="store_true", help="this Python with the lock only")
    chosen.add_argument("--python", action="append", choices=PYTHONS, help="try these only")
    options = parser.parse_args()
    pythons = {"this": sys.executable} if options.here else find_pythons(PYTHONS)
    newest = None if options.here else next(reversed(pythons), None)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="pixfound-") as folder:
        built = build(Path(folder))
        for version, interpreter in pythons.items():
            if options.python and version not in options.python:
                continue
            with make_environment(interpreter, built, Path(folder)) as environment:
                rows += try_locked(environment, version, mixed=version == PYTHONS[0])
            if version == newest:
                with make_environment(interpreter, built, Path(folder)) as environment:
                    rows.append(try_newest(environment, version))
            if not options.here and version == PYTHONS[1]:
                for extra in HARNESSES:
                    with make_environment(interpreter, built, Path(folder)) as environment:
                        rows.append(try_harness(environment, version, extra))
    print(table([HEAD, *(row.cells for row in rows)]))
    if not rows or not all(row.passed for row in rows):
        raise SystemExit(1)


def try_locked(environment: Environment, python: str, mixed: bool) -> Iterator[Row]:
    """The lock; then, if mixed, the oldest of each host and of both in their place."""
    progress(f"Python {python}: locked")
    yield try_suite(environment, python, "locked", install_locked(environment, environment.built.lock))
    for versions, pins in oldest_hosts(environment.built).items() if mixed else ():
        progress(f"Python {python}: {versions}")
        done = install_locked(environment, lock_without_excluded(environment, pins), *pins)
        yield try_suite(environment, python, versions, done)


def try_newest(environment: Environment, python: str) -> Row:
    """What pip picks without the lock."""
    progress(f"Python {python}: newest")
    return try_suite(environment, python, "newest", install_newest(environment, f"{environment.built.wheel}[test]"))


def try_harness(environment: Environment, python: str, extra: str) -> Row:
    """What pip picks with an extra for another harness, whose requirements the lock does not have."""
    progress(f"Python {python}: {extra}")
    done = install_newest(environment, f"{environment.built.wheel}[test,{extra}]")
    return try_suite(environment, python, extra, done, HARNESSES[extra])


def try_suite(
    environment: Environment,
    python: str,
    versions: str,
    done: subprocess.CompletedProcess[str],
    tests: Sequence[str] = SUITE,
) -> Row:
    """Run the suite if the installation succeeded."""
    if done.returncode:
        print(done.stderr[-4000:], file=sys.stderr)
        return Row(python, versions, {}, f"not installed: {last_line(done.stderr)}", False)
    installed = environment.installed()
    tried = environment.run_suite(tests)
    return Row(installed.python, versions, installed.versions, tried.line, tried.passed)


def oldest_hosts(built: Built) -> dict[str, list[str]]:
    """Pins to the lower bounds in the wheel's metadata: of each host, and of both."""
    pins = {
        each.name: f"{each.name}=={bound.version}"
        for each in built.requirements
        for bound in each.specifier
        if each.name in HOSTS and bound.operator == ">="
    }
    return {**{f"oldest {name}": [pin] for name, pin in pins.items()}, "oldest hosts": list(pins.values())}


def lock_without_excluded(environment: Environment, pins: list[str]) -> Path:
    """Write the lock without the pinned hosts, and without the versions that these exclude."""
    lines = environment.built.lock.read_text().splitlines()
    for pin in pins:
        lines = without_excluded(lines, pin, requirements_of(environment, pin))
    file = environment.folder / "constraints.txt"
    file.write_text("\n".join(lines))
    return file


def without_excluded(lines: Iterable[str], pin: str, requirements: Iterable[Requirement]) -> list[str]:
    """The lines of a lock without that of the pinned package, and without those that its requirements exclude."""
    limits: dict[str, list[Requirement]] = {}
    for each in requirements:
        limits.setdefault(canonicalize_name(each.name), []).append(each)
    pinned = canonicalize_name(Requirement(pin).name)

    def is_kept(line: str) -> bool:
        locked = Requirement(line)
        name, (version,) = canonicalize_name(locked.name), (each.version for each in locked.specifier)
        accepted = (each.specifier.contains(version, prereleases=True) for each in limits.get(name, ()))
        return name != pinned and all(accepted)

    return [line for line in lines if is_kept(line)]


def requirements_of(environment: Environment, pin: str) -> list[Requirement]:
    """What a release that need not be installed requires in this environment, without extras."""
    arguments = "install --dry-run --no-deps --ignore-installed --quiet --report -".split()
    done = environment.run("python", "-m", "pip", *arguments, pin)
    if done.returncode:
        raise SystemExit(f"no requirements of {pin}: {last_line(done.stderr)}")
    report = json.loads(done.stdout)
    marked = report["environment"] | {"extra": ""}
    lines = report["install"][0]["metadata"].get("requires_dist", [])
    return [each for each in map(Requirement, lines) if each.marker is None or each.marker.evaluate(marked)]


if __name__ == "__main__":
    main()
