"""Tables that other packages add to."""

from __future__ import annotations

import re

import numpy as np
import pytest
from doctor.broken_environments import distribution

from pixfound_tasks.grounding.segmenters import base
from pixfound_tasks.grounding.segmenters.base import SEGMENTERS, check_segmenter, make_segmenter, register_segmenter
from pixfound_tasks.registry import Registry


@pytest.fixture
def table() -> Registry[int]:
    return Registry("a number", "pixfound_tasks.numbers", {"one": 1}, lambda record: isinstance(record, int))


def test_a_name_is_registered_once(table):
    assert table.register("two", 2) == table.register("two", 2) == 2
    assert list(table) == ["one", "two"] and "two" in table and len(table) == 2
    with pytest.raises(ValueError, match=re.escape("expected a new name for a number, but there is 'one' already")):
        table.register("one", 11)


def test_entry_points_are_loaded_when_the_table_is_read(table, tmp_path, monkeypatch, warnings):
    (tmp_path / "their_numbers.py").write_text("THREE = 3\n")
    points = "three = their_numbers:THREE\nfour = their_numbers:FOUR\none = their_numbers:THREE\n"
    distribution(tmp_path, "their-numbers", "1.0", f"[{table.group}]\n{points}")
    monkeypatch.syspath_prepend(tmp_path)
    assert dict(table) == {"one": 1, "three": 3}
    named = sorted(line.partition(" = ")[0] for line in warnings)
    assert named == ["a number, four", "a number, one"]  # what is missing, and what would replace a record


def test_a_segmenter_of_another_package_is_made_by_its_name(monkeypatch):
    monkeypatch.setattr(base, "SEGMENTERS", Registry("a segmenter", SEGMENTERS.group, dict(SEGMENTERS)))
    made = []

    class Whole:
        def __init__(self, checkpoint, device, dtype):
            made.append((checkpoint, device, dtype))
            self.name = f"whole:{checkpoint}"

        def set_image(self, image: np.ndarray) -> None: ...

        def segment(self, prompts):
            return [() for _ in prompts]

    register_segmenter("whole", Whole)
    assert make_segmenter("whole:their/weights", "cpu").name == "whole:their/weights"
    assert made == [("their/weights", "cpu", "float32")]
    check_segmenter("whole")
    with pytest.raises(ValueError, match="did you mean 'whole'"):
        check_segmenter("whol")
