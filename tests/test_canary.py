"""The search of `make canary` names what broke, over invented packages; what it tolerates is what is known."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from places import REPOSITORY

CI = REPOSITORY / ".ci"
if not CI.is_dir():
    pytest.skip("needs the sources", allow_module_level=True)
sys.path.append(str(CI))

from bisection import (  # noqa: E402
    LIMIT,
    Culprit,
    Found,
    Group,
    Move,
    beyond_bounds,
    bisect,
    describe,
    direct_requirements,
    find_culprits,
    find_groups,
    moved_packages,
    needed_bounds,
    versions_after,
    without_upper_bounds,
)
from canary import Trial, Verdict, exit_status  # noqa: E402
from environments import Distribution, Tried, error_line, read_lock, table  # noqa: E402
from matrix import without_excluded  # noqa: E402


def groups_of(names: str) -> list[Group]:
    return [(name,) for name in names]


def broken_by(*breakers: str):
    """Fails if all packages of a breaker have moved; counts its calls."""

    def fails(moved: Sequence[Group]) -> bool:
        fails.calls += 1
        names = {name for group in moved for name in group}
        return any(set(breaker) <= names for breaker in breakers)

    fails.calls = 0
    return fails


@pytest.mark.parametrize(
    ("declared", "stripped"),
    [
        ("a<4", "a"),
        ("a<=4,>=1.2,!=1.5", "a!=1.5,>=1.2"),
        ("a~=1.4", "a>=1.4"),
        ("a==1.4", "a>=1.4"),
        ("a==1.4.*", "a>=1.4"),
        ("a>1", "a>1"),
        ("a[b]>=1,<2; python_version >= '3'", "a[b]>=1; python_version >= '3'"),
    ],
)
def test_stripping_leaves_lower_bounds_and_exclusions(declared, stripped):
    requirement = Requirement(declared)
    assert without_upper_bounds(requirement) == Requirement(stripped)
    assert requirement == Requirement(declared)


def test_direct_requirements_are_those_of_the_package_and_its_test_extra():
    lines = ["a<2", "b; extra == 'test'", "c; extra == 'dev'", "d; python_version < '3' and extra == 'test'"]
    assert list(map(str, direct_requirements(map(Requirement, lines)))) == ["a<2", "b"]


def test_moved_packages_are_those_whose_versions_differ():
    moves = moved_packages({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"})
    assert {name: str(move) for name, move in moves.items()} == {"b": "1 -> 2", "c": "1 -> gone", "d": "new -> 1"}
    assert versions_after(moves, [("b",), ("c",)]) == {"b": "2", "c": None, "d": None}


def grouped(locked: dict[str, list], newest: dict[str, list]) -> list[Group]:
    """The groups of two states, a package given as its version and its requirements."""
    states = [
        {name: Distribution(version, tuple(requires)) for name, (version, *requires) in state.items()}
        for state in (locked, newest)
    ]
    versions = [{name: each.version for name, each in state.items()} for state in states]
    return find_groups(moved_packages(*versions), *states)


def test_packages_whose_requirements_exclude_each_other_s_versions_move_together():
    locked = {"torch": ["1", "triton==1", "nvidia_a<2", "six"], "triton": ["1"], "nvidia-a": ["1"], "six": ["1"]}
    newest = {"torch": ["2", "triton>=2", "nvidia_a>=1", "six"], "triton": ["2"], "nvidia-a": ["2"], "six": ["2"]}
    assert grouped(locked, newest) == [("nvidia-a", "torch", "triton"), ("six",)]


def test_what_one_state_lacks_moves_with_those_that_require_it_at_the_other():
    locked = {"a": ["1", "old"], "old": ["1"], "z": ["1"]}
    newest = {"a": ["2", "fresh"], "fresh": ["1"], "z": ["2", "absent; extra == 'x'"]}
    assert grouped(locked, newest) == [("a", "fresh", "old"), ("z",)]


def test_requirements_of_an_extra_count_if_something_asks_for_it():
    kit = ["parts==1; extra == 'all'"], ["parts==2; extra == 'all'"]
    states = [{"kit": [version, *kit[i]], "parts": [version]} for i, version in enumerate("12")]
    assert grouped(*states) == [("kit",), ("parts",)]
    assert grouped(*({**state, "asks": ["1", "kit[all]"]} for state in states)) == [("kit", "parts")]


def test_a_requirement_of_what_has_not_moved_joins_nothing():
    states = [{"host": ["1", "a", "b"], "a": [version], "b": [version]} for version in "12"]
    assert grouped(*states) == [("a",), ("b",)]


@pytest.mark.parametrize("names", ["a", "ab", "abc", "abcdefg", "abcdefgh"])
def test_each_package_is_found_if_it_alone_breaks(names):
    for name in names:
        fails = broken_by(name)
        assert bisect(groups_of(names), fails) == Culprit((name,))
        assert fails.calls <= len(names).bit_length() + 1


def test_a_group_is_found_as_a_whole():
    groups = [("a",), ("b", "torch"), ("c",)]
    assert bisect(groups, broken_by("b")) == Culprit(("b", "torch"))


def test_a_package_that_breaks_only_with_another_is_named_with_what_moved_before_it():
    assert bisect(groups_of("abcde"), broken_by("bd")) == Culprit(("d",), (("a",), ("b",), ("c",)))


def test_a_failure_that_does_not_repeat_has_no_culprit():
    assert bisect(groups_of("abc"), broken_by()) is None


NAMES = "abcdefghi"
breakers_of_names = st.lists(st.sets(st.sampled_from(NAMES), min_size=1, max_size=3), min_size=1, max_size=4)


@given(breakers_of_names)
def test_the_culprit_completes_a_breaker(breakers):
    culprit = bisect(groups_of(NAMES), broken_by(*breakers))
    (name,) = culprit.group
    moved = {name, *(each for group in culprit.before for each in group)}
    assert any(name in breaker and breaker <= moved for breaker in breakers)
    assert (not culprit.before) == ({name} in breakers)


@given(breakers_of_names)
def test_everything_passes_with_the_culprits_held(breakers):
    fails = broken_by(*breakers)
    found = find_culprits(
        groups_of(NAMES), (), lambda moved: () if fails(moved) else None, lambda _, moved: fails(moved)
    )
    held = {name for culprit in found.culprits for name in culprit.group}
    assert found.problem == "" and not fails(groups_of(sorted(set(NAMES) - held)))
    assert len(held) == len(found.culprits) <= len(breakers)


def search(names: str, breakers_of: dict[tuple[str, ...], list[str]]) -> Found:
    """Culprits where every part has its breakers, the first part that fails being the one that is looked into."""

    def fails(part, moved):
        return broken_by(*breakers_of[part])(moved)

    def check(moved):
        return next((part for part in breakers_of if fails(part, moved)), None)

    return find_culprits(groups_of(names), check(groups_of(names)), check, fails)


def test_one_break_does_not_hide_the_next():
    found = search("abcd", {(): ["c"], ("tests/x.py::y",): ["a", "c"]})
    assert found == Found((Culprit(("c",)), Culprit(("a",), part=("tests/x.py::y",))))


def test_the_search_ends_with_the_reason_if_it_cannot_explain_more():
    assert search("ab", {(): [""]}) == Found((), "the locked versions fail too, so the dependencies are not the reason")
    assert search("", {(): [""]}).problem
    many = search("abcdefgh", {(): list("abcdefgh")})
    assert len(many.culprits) == LIMIT and "still fails" in many.problem


def test_what_is_found_is_said():
    moves = {"a": Move("1", "2"), "b": Move(None, "3"), "c": Move("1.0", "1.1")}
    assert describe(Culprit(("a",)), moves) == "a 1 -> 2 alone breaks the demo."
    assert describe(Culprit(("c",), (("a", "b"),), ("t.py::x",)), moves) == (
        "c 1.0 -> 1.1 breaks t.py::x together with what moved before it: a + b."
    )


def test_bounds_that_are_needed_and_bounds_that_could_be_raised():
    direct = [Requirement("a<2"), Requirement("b<3"), Requirement("c")]
    moves = {"a": Move("1", "2"), "b": Move("2", "3.1"), "c": Move("1", "2"), "d": Move("1", "2")}
    culprits = [Culprit(("a", "c")), Culprit(("d",))]
    assert needed_bounds(direct, culprits, moves) == ["a<2", "d<2 (not declared yet)"]
    assert beyond_bounds(direct, {"a": "1", "b": "3.1", "c": "2"}) == {"b<3": "3.1"}


@pytest.mark.parametrize(
    ("row", "passed", "found", "status"),
    [
        ("within", True, Found(), 0),
        ("without", True, Found(), 0),
        ("within", False, Found((Culprit(("filelock",)),)), 1),
        ("without", False, Found((Culprit(("filelock",)),)), 0),
        ("without", False, Found((Culprit(("filelock", "other")),)), 0),
        ("without", False, Found((Culprit(("other",)),)), 1),
        ("without", False, Found((Culprit(("filelock",)), Culprit(("other",)))), 1),
        ("without", False, Found((Culprit(("filelock",)),), "the failure does not repeat"), 1),
    ],
)
def test_only_known_culprits_without_the_bounds_are_tolerated(row, passed, found, status):
    assert exit_status([Verdict("without", True), Verdict(row, passed, found)], {"filelock"}) == status


def test_a_trial_fails_by_the_demo_or_by_tests():
    passed = Tried(True, "passed")
    assert Trial(Tried(False, "failed"), None).failed == ()
    assert Trial(passed, Tried(False, "1 failed", ("t.py::x",))).failed == ("t.py::x",)
    assert Trial(passed, passed).failed is None


def test_the_error_is_found_in_what_a_command_printed():
    output = "Traceback (most recent call last):\n  File\nModuleNotFoundError: No module named 'a'\n\nno results\n"
    assert error_line(output) == "ModuleNotFoundError: No module named 'a'"
    assert error_line("some\nlast words\n\n") == "last words"


def test_the_lock_is_read_for_this_python(tmp_path):
    lock = tmp_path / "lock"
    lock.write_text("A_b==1\nc==2 ; python_version < '3'\nc==3.0.post1 ; python_version >= '3'\n")
    assert read_lock(lock) == {"a-b": "1", "c": "3.0.post1"}


def test_the_lock_gives_way_to_an_older_host():
    lines = ["Host==2", "a-b==3 ; python_version < '3.11'", "a-b==1 ; python_version >= '3.11'", "c==1"]
    requirements = [Requirement("A_b<2"), Requirement("A_b>0"), Requirement("d")]
    assert without_excluded(lines, "host==1", requirements) == lines[2:]


def test_cells_do_not_end_a_table():
    assert table([["a", "b"], ["x|y", "z"]]) == "| a | b |\n| --- | --- |\n| x\\|y | z |"
