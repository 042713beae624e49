"""A convention is one record: registered here, or brought by another package."""

from __future__ import annotations

import re

import lmms_eval.models as host
import pytest
from doctor.broken_environments import distribution
from places import REPOSITORY

from pixfound_tasks.grounding.coordinates import conventions
from pixfound_tasks.grounding.coordinates import reading as coordinates
from pixfound_tasks.grounding.coordinates.conventions import CONVENTIONS, Axis, Convention, Grid
from pixfound_tasks.grounding.coordinates.reading import read_coordinates, register_convention
from pixfound_tasks.registry import Registry
from pixfound_tasks.tasks import backends, model_profiles

SIZE = (100, 200)
DOCS = REPOSITORY / "docs" / "models.md"


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


def test_every_backend_of_the_host_is_declared_or_named_as_undeclared():
    registered = {*host.AVAILABLE_SIMPLE_MODELS, *host.AVAILABLE_CHAT_TEMPLATE_MODELS}
    listed = backends.listed_backends() - {"pixfound", "pixfound_pixel", "pixfound_replay"}
    hint = "add it to the lists in pixfound_tasks/tasks/backends.py, or give it a convention"
    assert registered - listed - {"pixfound", "pixfound_pixel", "pixfound_replay"} == set(), (
        f"lmms-eval has a new backend: {hint}"
    )
    assert listed - registered == set(), "lmms-eval has these backends no more: remove them from tasks/backends.py"


def test_the_documented_backends_are_the_table():
    assert backends.backend_table() in DOCS.read_text(encoding="utf-8"), "docs/models.md: paste backend_table() again"
    rows = [line.split(" | ") for line in backends.backend_table().splitlines()]
    names = [name for name, *_ in rows[2:]]
    assert len(names) == len(set(names)) and {len(row) for row in rows[2:]} == {5}


@pytest.mark.parametrize(
    ("text", "convention", "box"),
    [
        ("[10, 20, 40, 50]", "pixel_xywh", (0.05, 0.2, 0.25, 0.7)),
        ("[100, 250, 400, 500]", "thousand_xywh", (0.1, 0.25, 0.5, 0.75)),
        ("[0.1, 0.25, 0.4, 0.5]", "thousand_xywh", (0.1, 0.25, 0.5, 0.75)),
        ('{"bbox_xyxy": [100, 250, 500, 750]}', "thousand_xywh", (0.1, 0.25, 0.5, 0.75)),
        ("<loc_99><loc_249><loc_499><loc_749>", "thousand_xywh", (0.0995, 0.2495, 0.4995, 0.7495)),
        ('{"xywh": [250, 100, 500, 400]}', "thousand_yx", (0.25, 0.1, 0.75, 0.5)),  # the key names the axes too
    ],
)
def test_a_list_is_a_corner_and_an_extent_where_that_is_declared_or_stated(text, convention, box):
    reading = read_coordinates(text, SIZE, convention)
    assert (reading.boxes, reading.problems) == ((pytest.approx(box),), ())


@pytest.mark.parametrize(
    ("entry", "is_warned"),
    [
        ({"kind": "box"}, True),
        ({"kind": "point"}, True),
        ({"kind": "box", "coordinates": "thousand"}, False),
        ({"kind": "attention"}, False),
    ],
)
def test_an_undeclared_convention_is_said_before_the_first_request_and_once(entry, is_warned, monkeypatch, warnings):
    monkeypatch.setattr(model_profiles, "_profiles", {})
    for _ in range(3):
        model_profiles.set_profile("pixmini", entry)
    assert len(warnings) == is_warned
    for hint in ("PIXFOUND_COORDINATES=thousand", "PIXFOUND_COORDINATES=pixel"):
        assert all(hint in line for line in warnings)
