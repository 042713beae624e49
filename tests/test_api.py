"""The public names of the package: cheap to import, documented, and their examples are true."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from places import REPOSITORY

import pixfound_tasks as px
from pixfound_tasks.attention.families.registry import GEOMETRIES
from pixfound_tasks.attention.reducers import REDUCERS
from pixfound_tasks.benchmarks import registry as benchmarks
from pixfound_tasks.grounding.coordinates.conventions import CONVENTIONS
from pixfound_tasks.grounding.segmenters.base import SEGMENTERS

sys.path.insert(0, str(Path(__file__).with_name("report")))
from written_run import write_run

PAGE = REPOSITORY / "docs" / "python.md"


@pytest.fixture
def tables_restored():
    """What an example registers is gone after it."""
    tables = (GEOMETRIES, REDUCERS, CONVENTIONS, SEGMENTERS)
    before = [dict(table) for table in tables]
    yield
    for table, records in zip(tables, before):
        for name in set(table) - set(records):
            del table[name]


@pytest.mark.skipif(not PAGE.is_file(), reason="needs the sources")
def test_the_examples_of_the_page_are_true(tmp_path, tables_restored):
    found = doctest.testfile(
        str(PAGE), module_relative=False, globs={"RUN": write_run(tmp_path / "run")},
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL,
    )  # fmt: skip
    assert found.attempted > 25 and found.failed == 0


@pytest.mark.skipif(not PAGE.is_file(), reason="needs the sources")
def test_the_page_shows_every_public_name():
    text = PAGE.read_text()
    assert [name for name in px.__all__ if name not in text and name != "__version__"] == []


def test_every_public_name_is_there():
    assert {name: getattr(px, name) for name in px.__all__}
    assert set(dir(px)) == set(px.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lens'"):
        _ = px.lens


def test_importing_the_package_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import pixfound_tasks; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['pixfound_tasks']"


def test_a_folder_of_several_runs_needs_to_be_told_which(tmp_path):
    run = write_run(tmp_path / "run")
    assert px.load_run(run, "pixmini", "maker/model").benchmark == "pixmini"
    with pytest.raises(ValueError, match=r"0 match; it has maker/model on pixmini: give benchmark= and model="):
        px.load_run(run, model="another")


def test_a_benchmark_is_registered_through_the_public_name(monkeypatch):
    monkeypatch.setattr(benchmarks, "_registered", {})
    whole = benchmarks.get_benchmark("pixmini")
    with pytest.raises(ValueError, match="rename it"):
        px.register_benchmark(whole)


def test_readers_take_any_size_that_is_plainly_one():
    expected = px.read_coordinates("[1, 2, 3, 4]", (8, 16), "pixel")
    for size in ([8, 16], np.array([8, 16]), Image.new("L", (16, 8))):
        assert px.read_coordinates("[1, 2, 3, 4]", size, "pixel") == expected
    for size in (None, 8, (8.0, 16), (8, 16, 3), np.zeros((8, 16)), "8x"):
        for read in (px.read_coordinates, px.parse_response):
            with pytest.raises(TypeError, match=r"^expected a size as \(height, width\) in pixels, but got "):
                read("[1, 2, 3, 4]", size)


@pytest.mark.parametrize("text", [None, b"[1, 2, 3, 4]", 5, ["a"]])
def test_readers_name_an_output_that_is_no_text(text):
    named = f"expected text, but got {type(text).__name__}"
    assert px.parse_response(text, (8, 16)).problems == (named,)
    assert px.read_coordinates(text, (8, 16), "pixel").problems == (named,)


PIXELS = np.random.RandomState(0).randint(0, 256, (40, 60, 3)).astype(np.uint8)
GRAY = PIXELS[..., 0]


def rotated(path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown rotated by 90 degrees clockwise
    Image.fromarray(np.rot90(PIXELS)).save(path, exif=exif)
    return path


def saved(path):
    Image.fromarray(PIXELS).save(path)
    return path


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: PIXELS, PIXELS),
        (lambda path: PIXELS[:, ::-1], PIXELS[:, ::-1]),
        (saved, PIXELS),
        (lambda path: str(saved(path)), PIXELS),
        (rotated, PIXELS),
        (lambda path: Image.open(rotated(path)), PIXELS),
        (lambda path: GRAY, np.stack([GRAY] * 3, -1)),
        (lambda path: GRAY[..., None], np.stack([GRAY] * 3, -1)),
        (lambda path: Image.fromarray(GRAY), np.stack([GRAY] * 3, -1)),
        (lambda path: Image.fromarray(GRAY.astype(np.uint16) * 257), np.stack([GRAY] * 3, -1)),
        (lambda path: Image.fromarray(GRAY > 127), np.stack([(GRAY > 127) * np.uint8(255)] * 3, -1)),
        (lambda path: Image.fromarray(np.dstack([PIXELS, GRAY * 0])), PIXELS * 0 + 255),
        (lambda path: Image.fromarray(np.dstack([PIXELS, GRAY * 0 + 255])), PIXELS),
    ],
    ids=[
        "array", "array with steps", "path", "name", "path, rotated", "rotated", "gray array", "gray array of 3 axes",
        "L", "I;16", "1", "transparent", "RGBA",
    ],
)  # fmt: skip
def test_a_lens_takes_images_of_every_kind(tmp_path, mini_lens, make, expected):
    look = mini_lens.look(make(tmp_path / "image.png"), "Describe the scene.", answer="red")
    np.testing.assert_array_equal(np.asarray(look.images[0]), expected)
    assert look.images[0].mode == "RGB" and look.geometry.size == (40, 60)
    same = mini_lens.look(Image.fromarray(expected), "Describe the scene.", answer="red")
    np.testing.assert_array_equal(look.values, same.values)


def test_a_lens_names_what_it_expects(tmp_path, mini_lens):
    image = Image.fromarray(PIXELS)
    for wrong, got in ((PIXELS / 255, r"float64 \(40, 60, 3\)"), (PIXELS[None], r"uint8 \(1, 40, 60, 3\)")):
        with pytest.raises(TypeError, match=rf"^expected an array of uint8 \(height, width, 3\) .*, but got {got}"):
            mini_lens.look(wrong, "Describe the scene.")
    for wrong, got in ((None, "NoneType"), (b"", "bytes"), ([3], "int")):
        with pytest.raises(
            TypeError, match=f"^expected a Pillow image, the path of an image file, or .* but got {got}"
        ):
            mini_lens.look(wrong, "Describe the scene.")
    with pytest.raises(ValueError, match="^expected an image file, but there is no .*nowhere.png; check the path"):
        mini_lens.look(tmp_path / "nowhere.png", "Describe the scene.")
    with pytest.raises(TypeError, match="^expected prompts as strings, one for each image, but got NoneType"):
        mini_lens.look(image, None)
    with pytest.raises(TypeError, match="^expected answers as strings, one for each image, but got int"):
        mini_lens.look(image, "Describe the scene.", answer=3)
    with pytest.raises(TypeError, match="^expected prompts as strings, one for each image, but got str"):
        mini_lens.answer_all([image], "Describe the scene.")
