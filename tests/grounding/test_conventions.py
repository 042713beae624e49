"""A convention is one record: registered here, or brought by another package."""

from __future__ import annotations

import re

import pytest
from doctor.broken_environments import distribution

from pixfound_tasks.grounding.coordinates import conventions
from pixfound_tasks.grounding.coordinates import reading as coordinates
from pixfound_tasks.grounding.coordinates.conventions import CONVENTIONS, Axis, Convention, Grid
from pixfound_tasks.grounding.coordinates.reading import read_coordinates, register_convention
from pixfound_tasks.registry import Registry
from pixfound_tasks.tasks import model_profiles

SIZE = (100, 200)


def half_width(size):
    """0..1 over the left half of the image."""
    return Grid(Axis(1.0, extent=0.5), Axis(1.0))


@pytest.fixture
def own_table(monkeypatch):
    records = dict(CONVENTIONS)
    monkeypatch.setattr(
        conventions, "CONVENTIONS", Registry("a convention", CONVENTIONS.group, records, CONVENTIONS.is_valid)
    )


@pytest.mark.parametrize("keeps_decimals", [True, False])
def test_decimals_are_read_as_the_record_says_whatever_its_name(own_table, keeps_decimals):
    register_convention(Convention("left-half", "0..1 of the left half", half_width, keeps_decimals))
    reading = read_coordinates("[0.2, 0.1, 0.8, 0.5]", SIZE, "left-half")
    expected = (0.1, 0.1, 0.4, 0.5) if keeps_decimals else (0.2, 0.1, 0.8, 0.5)
    assert reading.boxes == (pytest.approx(expected),)
    assert reading.convention.startswith("left-half" if keeps_decimals else "fraction (by syntax)")


def test_the_models_of_a_record_are_declared_by_it(own_table):
    record = Convention("left-half", "", half_width, models=("their_vlm",), architectures=("their_arch",))
    assert register_convention(record) is register_convention(record)
    assert model_profiles.by_model()["their_vlm"] == {"kind": "box", "coordinates": "left-half"}
    assert conventions.convention_of_architecture("their_arch") == "left-half"


def test_a_name_is_taken_once(own_table):
    with pytest.raises(ValueError, match=re.escape("there is 'thousand' already; rename it")):
        register_convention(Convention("thousand", "another", half_width))


def test_another_package_brings_one_and_a_broken_one_harms_nothing(own_table, tmp_path, monkeypatch, warnings):
    (tmp_path / "their_conventions.py").write_text(
        "from pixfound_tasks.grounding.coordinates.conventions import Axis, Convention, Grid\n"
        "HALF = Convention('half', '0..50', lambda size: Grid(Axis(50), Axis(50)))\n"
    )
    points = "half = their_conventions:HALF\nbroken = their_conventions:NOWHERE\n"
    distribution(tmp_path, "their-lab", "1.0", f"[{CONVENTIONS.group}]\n{points}")
    monkeypatch.syspath_prepend(tmp_path)
    assert read_coordinates("[10, 10, 25, 50]", SIZE, "half").boxes == ((0.2, 0.2, 0.5, 1.0),)
    assert [line for line in warnings if "broken = their_conventions:NOWHERE, cannot be loaded" in line]


def test_the_documented_table_names_them_all():
    rows = re.findall(r"^\| `([\w-]+)[\[`]", coordinates.__doc__, re.MULTILINE)
    assert rows == list(CONVENTIONS)
