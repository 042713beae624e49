"""What image tokens see of a layout's pixel tensors is measured once, for images of all sizes with that layout."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attention.families import build_family
from attention.measuring import assert_alike, measured, process_of
from attention.zoo.zoo_build import build

from pixfound_tasks.attention.measured import layouts as layouts_module
from pixfound_tasks.attention.measured import measure as measure_module
from pixfound_tasks.attention.measured.errors import NotMeasurable
from pixfound_tasks.attention.measured.layouts import Layouts, layout_of
from pixfound_tasks.attention.measured.measure import measure
from pixfound_tasks.attention.measured.regions import PICTURES, Verdict

SIZES = [(100, 70), (61, 150), (133, 201)]
# Patches, convolutions, a Q-Former, and codes; all resize images to one size.
FIXED = ("janus", "fast_vlm", "florence2", "instructblip", "chameleon")


def measure_toy(name, sizes, layouts=None):
    toy = build(name)
    return measure(toy.model, lambda images: toy.inputs([list(images)], ["ab"]), sizes, layouts)


@pytest.mark.parametrize("name", FIXED)
def test_another_size_of_a_layout_takes_no_gradients_and_gives_the_same_boxes(name):
    layouts = Layouts()
    first = measure_toy(name, SIZES[:1], layouts)
    for size in SIZES[1:]:
        again, anew = measure_toy(name, [size], layouts), measure_toy(name, [size])
        assert_alike(again.geometries, anew.geometries, pixels=1e-6)
        assert (again.ids, again.how) == (anew.ids, anew.how)
        assert again.cost.backwards == 0 and again.cost.forwards < first.cost.forwards


def test_a_grid_that_depends_on_the_size_is_a_layout_of_its_own():
    layouts, family = Layouts(), build_family("qwen2_5_vl")
    for size in [(112, 168), (168, 112), (112, 168)]:
        found = measure(family.model, lambda images: process_of(family, images), [size], layouts)
        assert_alike(found.geometries, measured("qwen2_5_vl", [size]).geometries, pixels=1e-6)
    assert found.cost.backwards == 0


def test_what_a_changed_model_sees_is_proved_again():
    layouts = Layouts()
    measure_toy("janus", SIZES[:1], layouts)
    for key, sight in layouts._kept.items():
        (tokens,) = sight.runs
        turned = {name: np.where(token >= 0, sight.total - 1 - token, -1) for name, token in tokens.items()}
        layouts._kept[key] = sight._replace(runs=(turned,))
    with pytest.raises(NotMeasurable, match="changed regions, but"):
        measure_toy("janus", SIZES[1:2], layouts)


def test_layouts_that_were_not_used_for_longest_are_forgotten(monkeypatch):
    layouts = Layouts()
    measure_toy("janus", SIZES[:1], layouts)
    (kept,) = layouts._kept.values()
    monkeypatch.setattr(layouts_module, "_MOST_NUMBERS", 2 * layouts_module._numbers(kept))
    for index in range(4):
        layouts.keep(str(index), kept)
        assert layouts.find("0") is kept  # used again and again
    assert [layouts.find(str(index)) is kept for index in range(4)] == [True, False, False, True]


def test_a_thin_picture_is_proved_as_if_its_layout_were_new(monkeypatch):
    layouts, pictures, prove = Layouts(), list[int](), measure_module.prove_geometries
    monkeypatch.setattr(measure_module, "prove_geometries", lambda *a: pictures.append(a[4]) or prove(*a))
    for size in [(100, 70), (133, 201), (20, 90)]:
        measure_toy("janus", [size], layouts)
    assert pictures == [PICTURES, 1, PICTURES]


def test_inputs_of_any_kind_have_a_layout():
    values = {"number": torch.tensor(3), "none": torch.empty(0), "flags": torch.tensor([True]), "text": "ab"}
    assert layout_of(values, ()) == layout_of(dict(reversed(values.items())), ())
    assert layout_of(values, ()) != layout_of({**values, "number": torch.tensor(4)}, ())
    assert layout_of({"sizes": [[1, 2], [3]]}, ()) != layout_of({"sizes": [[1], [2, 3]]}, ())
    long = np.zeros(5000), np.eye(1, 5000, 2500)[0]
    assert layout_of({"array": long[0]}, ()) != layout_of({"array": long[1]}, ())
    assert layout_of(values, ["number"]) == layout_of({**values, "number": torch.tensor(4)}, ["number"])


def test_what_is_disproved_is_not_kept(monkeypatch):
    layouts = Layouts()
    with monkeypatch.context() as patch:
        patch.setattr(measure_module, "prove_geometries", lambda *_: Verdict(1, ("a fault",)))
        with pytest.raises(NotMeasurable, match="a fault"):
            measure_toy("janus", SIZES[:1], layouts)
    assert measure_toy("janus", SIZES[1:2], layouts).cost.backwards > 0
