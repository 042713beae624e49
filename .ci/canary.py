"""Which release of a dependency breaks the package? `make canary` asks before a user does.

Installs the newest of everything into a fresh environment, once within the bounds of pyproject.toml and once without
the upper ones, and runs the demo and a short suite. If something fails, the packages that moved since the lock go back
to it, and a bisection names the one that breaks it. That one then stays at the lock, so that it does not hide the next.

Prints Markdown, and its progress on stderr. Exits with 1 if anything fails within the bounds, or if anything fails
without the upper ones that is not a known incompatibility.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bisection import (
    Found,
    Group,
    Move,
    Part,
    beyond_bounds,
    describe,
    direct_requirements,
    find_culprits,
    find_groups,
    moved_packages,
    needed_bounds,
    spell,
    versions_after,
    without_upper_bounds,
)
from environments import (
    SHOWN,
    Environment,
    Installed,
    Tried,
    build,
    install_locked,
    install_newest,
    last_line,
    make_environment,
    progress,
    read_lock,
    table,
)
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pixfound_tasks.hosts.incompatibilities import KNOWN

ROWS = {"within": "within bounds", "without": "without upper bounds"}
REASONS = {canonicalize_name(each.package): f"it breaks {each.host}, which {each.reason}" for each in KNOWN}
HEAD = ("Python", "versions", *SHOWN, "demo", "short suite")
OWN = {"pip", "pixfound-tasks"}  # the tool and the package itself: no dependencies


class Trial(NamedTuple):
    """How the demo went, and the suite if the demo passed."""

    demo: Tried
    suite: Tried | None

    @property
    def failed(self) -> Part | None:
        if self.suite is None:
            return ()
        return None if self.suite.passed else self.suite.failed

    @property
    def cells(self) -> tuple[str, str]:
        return self.demo.line, self.suite.line if self.suite else "not run"


class Verdict(NamedTuple):
    """Whether a row passed, and what was found if it did not."""

    row: str
    passed: bool
    found: Found = Found()


def main() -> None:
    """Try the rows, and print what each found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", choices=ROWS, help="try this one only")
    options = parser.parse_args()
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="pixfound-") as folder:
        built = build(Path(folder))
        for row in [options.row] if options.row else ROWS:
            with make_environment(sys.executable, built, Path(folder)) as environment:
                verdicts.append(try_row(row, environment))
    raise SystemExit(exit_status(verdicts, REASONS))


def exit_status(verdicts: Iterable[Verdict], known: Collection[str]) -> int:
    """1 if a row failed within the bounds, or without the upper ones for anything but known culprits."""

    def is_tolerated(verdict: Verdict) -> bool:
        named = all(set(known) & set(culprit.group) for culprit in verdict.found.culprits)
        return verdict.passed or (verdict.row == "without" and not verdict.found.problem and named)

    return int(not all(map(is_tolerated, verdicts)))


def try_row(row: str, environment: Environment) -> Verdict:
    """Install the newest of everything, try it, and look for what breaks it."""
    say(f"## {ROWS[row].capitalize()}")
    direct = direct_requirements(environment.built.requirements)
    progress(f"{ROWS[row]}: install the newest versions")
    done = install_row(environment, row, direct)
    if done.returncode:
        problem = f"the newest versions do not install: {last_line(done.stderr)}"
        say(f"Not explained: {problem}.")
        return Verdict(row, False, Found(problem=problem))
    newest = environment.installed()
    trial = try_all(environment)
    releases = [newest.versions.get(name, "") for name in SHOWN]
    say(table([HEAD, (newest.python, ROWS[row], *releases, *trial.cells)]))
    found, moves = (Found(), {}) if trial.failed is None else explain(environment, newest, trial.failed)
    say(f"Upper bounds that are needed: {', '.join(needed_bounds(direct, found.culprits, moves)) or 'none'}.")
    if row == "without" and not found.problem:
        held = {name: moves[name].locked for culprit in found.culprits for name in culprit.group}
        passing = beyond_bounds(direct, newest.versions | held)
        raised = [f"{bound} (passes with {version})" for bound, version in passing.items()]
        say(f"Upper bounds that could be raised: {', '.join(raised) or 'none'}.")
    return Verdict(row, trial.failed is None, found)


def install_row(environment: Environment, row: str, direct: Iterable[Requirement]) -> subprocess.CompletedProcess[str]:
    """Install the newest versions, and the wheel."""
    if row == "within":
        return install_newest(environment, f"{environment.built.wheel}[test]")
    done = install_newest(environment, *(str(without_upper_bounds(each)) for each in direct))
    return done if done.returncode else environment.install("--no-deps", environment.built.wheel)


def try_all(environment: Environment) -> Trial:
    """The demo, and the suite if the demo passes."""
    progress("run the demo")
    demo = environment.run_demo()
    if not demo.passed:
        return Trial(demo, None)
    progress("run the short suite")
    return Trial(demo, environment.run_suite())


@dataclass
class Bench:
    """Moves packages of an environment between the lock and the newest versions, and tries what that gives."""

    environment: Environment
    moves: Mapping[str, Move]

    def move(self, moved: Iterable[Group]) -> None:
        """Make these groups the newest, and the others as locked."""
        present = self.environment.installed().versions
        wanted = versions_after(self.moves, moved)
        arriving = [
            f"{name}=={version}" for name, version in wanted.items() if version not in (None, present.get(name))
        ]
        leaving = [name for name, version in wanted.items() if version is None and name in present]
        if arriving:
            done = self.environment.install("--no-deps", *arriving)
            if done.returncode:
                raise SystemExit(f"cannot move to {' '.join(arriving)}: {last_line(done.stderr)}")
        if leaving:
            self.environment.run("python", "-m", "pip", "uninstall", "--quiet", "--yes", *leaving)

    def fails(self, part: Part, moved: Sequence[Group]) -> bool:
        """Whether what failed still fails."""
        progress(f"try with {len(moved)} moved: {spell(moved) or 'all is locked'}")
        self.move(moved)
        tried = self.environment.run_suite(part) if part else self.environment.run_demo()
        progress("passed" if tried.passed else "failed")
        return not tried.passed

    def check(self, moved: Sequence[Group]) -> Part | None:
        """What fails of all."""
        progress("move everything but the culprits")
        self.move(moved)
        trial = try_all(self.environment)
        progress(f"demo {trial.cells[0]}, short suite {trial.cells[1]}")
        return trial.failed


def explain(environment: Environment, newest: Installed, part: Part) -> tuple[Found, dict[str, Move]]:
    """Go back to the lock, search for the culprits among the packages that moved since, and say what was found."""
    lock = read_lock(environment.built.lock)
    moves = moves_of({name: lock[name] for name in newest.versions if name in lock}, newest.versions)
    say("Moved since the lock: " + (", ".join(f"{name} {move}" for name, move in moves.items()) or "nothing") + ".")
    progress("go back to the lock")
    done = install_locked(environment, environment.built.lock)
    if done.returncode:
        found = Found(problem=f"the locked versions do not install: {last_line(done.stderr)}")
    else:
        # pip leaves what only the newest versions need.
        Bench(environment, {name: move for name, move in moves.items() if move.locked is None}).move([])
        locked = environment.installed()
        moves = moves_of(locked.versions, newest.versions)
        groups = find_groups(moves, locked.distributions, newest.distributions)
        bench = Bench(environment, moves)
        found = find_culprits(groups, part, bench.check, bench.fails)
    for culprit in found.culprits:
        reasons = [f"This is known: {REASONS[name]}." for name in culprit.group if name in REASONS]
        say(" ".join([describe(culprit, moves), *(reasons or ["This is not known yet."])]))
    held = ", ".join(f"{name} {moves[name].locked or 'removed'}" for each in found.culprits for name in each.group)
    say(f"Not explained: {found.problem}." if found.problem else f"Everything passes with {held}.")
    return found, moves


def moves_of(locked: Mapping[str, str], newest: Mapping[str, str]) -> dict[str, Move]:
    """The dependencies that moved."""
    return {name: move for name, move in moved_packages(locked, newest).items() if name not in OWN}


def say(text: str) -> None:
    """Print a paragraph at once, since the next one may take an hour."""
    print(text, end="\n\n", flush=True)


if __name__ == "__main__":
    main()
