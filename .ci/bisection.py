"""Which package broke it? Moves of packages since the lock, those that go together, and a search over them.

All functions are pure: what is installed is passed as values, and what fails is asked of callables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from environments import Distribution
from packaging.requirements import Requirement
from packaging.specifiers import Specifier, SpecifierSet
from packaging.utils import canonicalize_name

LIMIT = 5  # culprits that are looked for

Group = tuple[str, ...]  # packages that move together, by canonical name
Part = tuple[str, ...]  # what failed: the tests, or the demo if there are none


class Move(NamedTuple):
    """The versions of a package under the lock and now; None if it is not installed."""

    locked: str | None
    newest: str | None

    def __str__(self) -> str:
        return f"{self.locked or 'new'} -> {self.newest or 'gone'}"


class Culprit(NamedTuple):
    """Packages whose move breaks a part; and what has to move before them, nothing if they break it alone."""

    group: Group
    before: tuple[Group, ...] = ()
    part: Part = ()


class Found(NamedTuple):
    """The culprits, and why the search ended early; the reason is empty if all passes with the culprits held."""

    culprits: tuple[Culprit, ...] = ()
    problem: str = ""


def direct_requirements(requirements: Iterable[Requirement]) -> list[Requirement]:
    """Those of the package and of its test extra that apply to this Python, without their markers."""
    direct = []
    for each in requirements:
        if each.marker is None or each.marker.evaluate({"extra": "test"}):
            copy = Requirement(str(each))
            copy.marker = None
            direct.append(copy)
    return direct


def without_upper_bounds(requirement: Requirement) -> Requirement:
    """A copy whose specifiers are lower bounds and exclusions only."""
    kept = []
    for each in requirement.specifier:
        if each.operator in (">=", ">", "!="):
            kept.append(each)
        elif each.operator in ("==", "===", "~="):
            kept.append(Specifier(f">={each.version.removesuffix('.*')}"))
    copy = Requirement(str(requirement))
    copy.specifier = SpecifierSet(",".join(map(str, kept)))
    return copy


def moved_packages(locked: Mapping[str, str], newest: Mapping[str, str]) -> dict[str, Move]:
    """The packages whose versions differ, by name."""
    moves = {name: Move(locked.get(name), newest.get(name)) for name in sorted({*locked, *newest})}
    return {name: move for name, move in moves.items() if move.locked != move.newest}


def requirements_within(distributions: Mapping[str, Distribution]) -> Iterator[tuple[str, Requirement]]:
    """Who requires what among installed distributions. Extras count if something installed asks for them."""
    todo = [(name, "") for name in distributions]
    seen = set(todo)
    while todo:
        requirer, extra = todo.pop()
        for requirement in map(Requirement, distributions[requirer].requires):
            if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
                continue
            yield requirer, requirement
            asked = {(canonicalize_name(requirement.name), wanted) for wanted in requirement.extras}
            todo += [each for each in sorted(asked - seen) if each[0] in distributions]
            seen |= asked


def find_groups(
    moves: Mapping[str, Move], locked: Mapping[str, Distribution], newest: Mapping[str, Distribution]
) -> list[Group]:
    """The moved packages, with those in one group that cannot move one by one, sorted by name.

    Two belong together if one's requirement, at either state, excludes the other's version at the other state. A
    package that is not installed at the other state is excluded too.
    """
    group_of = {name: {name} for name in moves}
    for state, other in ((locked, newest), (newest, locked)):
        for requirer, requirement in requirements_within(state):
            name = canonicalize_name(requirement.name)
            if requirer not in moves or name not in moves:
                continue
            if name in other and requirement.specifier.contains(other[name].version, prereleases=True):
                continue
            union = group_of[requirer] | group_of[name]
            group_of |= dict.fromkeys(union, union)
    return sorted({tuple(sorted(group)) for group in group_of.values()})


def bisect(groups: Sequence[Group], fails: Callable[[Sequence[Group]], bool]) -> Culprit | None:
    """The group whose move breaks it, if they move in this order; None if the failure does not repeat.

    `fails` takes the groups that have moved. It is expected to be false of none and true of all.
    """
    passing, failing = 0, len(groups)
    while failing - passing > 1:
        middle = (passing + failing) // 2
        if fails(groups[:middle]):
            failing = middle
        else:
            passing = middle
    *before, group = groups[:failing]
    if not before or fails([group]):
        return Culprit(group)
    return Culprit(group, tuple(before)) if fails([*before, group]) else None


def find_culprits(
    groups: Sequence[Group],
    part: Part | None,
    check: Callable[[Sequence[Group]], Part | None],
    fails: Callable[[Part, Sequence[Group]], bool],
) -> Found:
    """Bisect until all but the culprits may move.

    `part` is what fails if all have moved, or None. `check` takes the groups that have moved and returns what fails,
    or None. `fails` says whether a part fails.
    """
    culprits: list[Culprit] = []
    free = list(groups)
    while part is not None:
        if len(culprits) == LIMIT:
            return Found(tuple(culprits), f"it still fails with {LIMIT} culprits at their locked versions")
        if not free or fails(part, []):
            return Found(tuple(culprits), "the locked versions fail too, so the dependencies are not the reason")
        culprit = bisect(free, partial(fails, part))
        if culprit is None:
            return Found(tuple(culprits), "the failure does not repeat")
        culprits.append(culprit._replace(part=part))
        free.remove(culprit.group)
        part = check(free)
    return Found(tuple(culprits))


def versions_after(moves: Mapping[str, Move], groups: Iterable[Group]) -> dict[str, str | None]:
    """The version of every moved package if these groups have moved and the others are at the lock."""
    moved = {name for group in groups for name in group}
    return {name: move.newest if name in moved else move.locked for name, move in moves.items()}


def beyond_bounds(direct: Iterable[Requirement], versions: Mapping[str, str | None]) -> dict[str, str]:
    """The direct requirements that exclude the version there is, with that version."""
    present = ((each, versions.get(canonicalize_name(each.name))) for each in direct)
    return {
        f"{each.name}{each.specifier}": version
        for each, version in present
        if version is not None and not each.specifier.contains(version, prereleases=True)
    }


def needed_bounds(direct: Sequence[Requirement], culprits: Iterable[Culprit], moves: Mapping[str, Move]) -> list[str]:
    """For every culprit the direct requirements that exclude it, or else the bounds that would."""
    needed = []
    for culprit in culprits:
        newest = {name: moves[name].newest for name in culprit.group}
        declared = list(beyond_bounds(direct, newest))
        missing = [f"{name}<{version}" for name, version in newest.items() if version is not None]
        needed += declared or [f"{' or '.join(missing)} (not declared yet)"]
    return needed


def spell(groups: Iterable[Group]) -> str:
    """Groups in one line: packages that move together joined by a plus sign."""
    return ", ".join(" + ".join(group) for group in groups)


def describe(culprit: Culprit, moves: Mapping[str, Move]) -> str:
    """What breaks what, in a sentence."""
    moved = " with ".join(f"{name} {moves[name]}" for name in culprit.group)
    part = ", ".join(culprit.part) or "the demo"
    if not culprit.before:
        return f"{moved} alone breaks {part}."
    return f"{moved} breaks {part} together with what moved before it: {spell(culprit.before)}."
