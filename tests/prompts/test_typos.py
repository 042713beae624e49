from __future__ import annotations

import random
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixfound_tasks.prompts.typos import Draws, add_typos

SWAP, INSERT, DROP = 0, 1, 2


class Scripted:
    """Draws what it is told to, and nothing more."""

    def __init__(self, *drawn):
        self.drawn = list(drawn)
        self.asked = []

    def randint(self, *bounds):
        self.asked.append(bounds)
        found = self.drawn.pop(0)
        return np.asarray(found) if isinstance(found, list) else found

    def choice(self, letters):
        assert letters == string.ascii_letters
        return self.drawn.pop(0)


def with_typos(text, kind, places, letters=""):
    numbers = Scripted(kind, places)
    found = add_typos(text, len(places), Draws(numbers, Scripted(*letters)))
    assert numbers.asked == [(3,), (2, len(text) - 2, len(places))]
    return found


@pytest.mark.parametrize(
    ("text", "kind", "places", "letters", "expected"),
    [
        ("abcdefg", SWAP, [3], "", "abcedfg"),  # d and e
        ("ab d fg", SWAP, [2], "", "abd  fg"),  # the blank itself moves on
        ("abcd fg", SWAP, [3], "", "abdc fg"),  # a blank comes next: with the one before
        ("abcdefg", SWAP, [2, 3], "", "abdecfg"),  # c moves on twice: abdcefg, abdecfg
        ("abcdefg", SWAP, [2, 2], "", "abcdefg"),
        ("abcdefg", INSERT, [2, 4], "XY", "abXcYdefg"),  # abXcdefg: the second goes before its d
        ("abcdefg", DROP, [4, 2], "", "abdfg"),
        ("abcdefg", DROP, [2, 3, 3, 4], "", "abdg"),  # abdefg, abdfg, abdg, and a fifth character is not there
    ],
)
def test_edits_are_made_one_after_another(text, kind, places, letters, expected):
    assert with_typos(text, kind, places, letters) == expected


@pytest.mark.parametrize("text", ["", "a", "None", "{}"])
def test_a_text_too_short_draws_its_kind_and_stays(text):
    numbers = Scripted(INSERT)
    assert add_typos(text, 7, Draws(numbers, Scripted())) == text
    assert numbers.asked == [(3,)]


def by_global_streams(texts, count, seed):
    """The same from numpy's and Python's global functions, on lists of characters; a text that raises stays."""
    np.random.seed(seed)
    random.seed(seed)
    found = []
    for text in texts:
        kind, characters = np.random.randint(3), list(text)
        try:
            for place in np.random.randint(2, len(text) - 2, count):
                if kind == INSERT:
                    characters.insert(place, random.choice(string.ascii_letters))
                elif kind == DROP:
                    del characters[place : place + 1]
                else:
                    other = place - 1 if characters[place + 1] == " " else place + 1
                    characters[place], characters[other] = characters[other], characters[place]
        except ValueError:
            pass
        found.append("".join(characters))
    return found


TEXTS = st.lists(st.text("ab cdé\n{}", max_size=40), max_size=12)


@given(TEXTS, st.integers(0, 9), st.integers(0, 2**32 - 1))
def test_the_streams_are_those_of_the_global_functions_and_leave_them_alone(texts, count, seed):
    kept = np.random.get_state(), random.getstate()
    try:
        expected = by_global_streams(texts, count, seed)
        before = np.random.get_state()[1:3], random.getstate()
        draws = Draws.seeded(seed)
        assert [add_typos(text, count, draws) for text in texts] == expected
        after = np.random.get_state()[1:3], random.getstate()
        np.testing.assert_array_equal(before[0][0], after[0][0])
        assert (before[0][1], before[1]) == (after[0][1], after[1])
    finally:
        np.random.set_state(kept[0])
        random.setstate(kept[1])


@given(st.text(max_size=60), st.integers(0, 9), st.integers(0, 99))
def test_the_first_character_stays_and_few_others_change(text, count, seed):
    found = add_typos(text, count, Draws.seeded(seed))
    assert abs(len(found) - len(text)) <= count
    # A swap with the character before takes the second one along; nothing reaches the first.
    assert found[:1] == text[:1]
    if len(found) == len(text):
        assert sorted(found) == sorted(text)
