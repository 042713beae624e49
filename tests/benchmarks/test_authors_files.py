"""PIXFOUND_EXPRESSIONS=authors and PIXFOUND_PHOTOGRAPHS: what the study's code reads."""

from __future__ import annotations

import ast

import pytest
import standins
import standins_pixcv
from changed_pixcvbench import replace

from pixfound_tasks import benchmarks
from pixfound_tasks.benchmarks import pixcvbench, pixmmvp
from pixfound_tasks.benchmarks.expressions import authors_expression, authors_names, prompted_expression
from pixfound_tasks.benchmarks.readers import read_table
from pixfound_tasks.benchmarks.sources import DataError
from pixfound_tasks.tasks import referring

MARK = "(annotated by the red box)"


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    for name in ("PIXFOUND_ANSWERS", "PIXFOUND_REVISION", "PIXFOUND_EXPRESSIONS", "PIXFOUND_PHOTOGRAPHS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIXFOUND_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("text", "prompt", "expected"),
    [
        ("organ", "How many organs?", "organ"),
        ("box, case", f"How many boxes {MARK}?", "box, case"),
        ("('cup', 'tray')", "the cup and the tray", "cup and  tray"),
        # The second name is lost, or cut.
        ("('light, light source', 'stairway')", "the light and the stairway", "light and  light source"),
        ("('light', 'stairway, staircase')", "the light and the stairway", "light and  stairway"),
        # Nearly every text shares a character with the first name, so that one is marked.
        ("('cup', 'tray')", f"the cup and the tray {MARK}", f"cup {MARK} and  tray"),
        ("('light', 'stairway, staircase')", f"the light and the stairway {MARK}", f"light {MARK} and  staircase"),
        ("('xyz', 'tray')", f"the tray {MARK}", f"xyz {MARK} and  tray"),
        ("('xz', 'tray')", f"the tray {MARK}", f" tray {MARK} and xz"),
    ],
)
def test_names_are_split_at_commas_as_the_authors_do(text, prompt, expected):
    assert authors_expression(authors_names(text), prompt) == expected


def test_217_of_650_expressions_of_two_names_differ_and_139_lose_the_second(shared, data, monkeypatch):
    standins_pixcv.make(shared / "data" / "pixcvbench", data)
    files = pixcvbench.find()
    clean = list(pixcvbench.join(files))
    authors = list(pixcvbench.join(files, expressions="authors"))
    names = [row["Objects"] for row in read_table(files, "Objects.csv", ("Objects",), index="Id", first=0)]
    pairs = [(a, b, text) for a, b, text in zip(clean, authors, names, strict=True) if text.startswith("(")]
    assert len(pairs) == 650
    assert sum(a.expression.split() != b.expression.split() for a, b, _ in pairs) == 217
    lost = [b for _, b, text in pairs if b.expression == " and ".join(ast.literal_eval(text)[0].split(",")[:2])]
    assert len(lost) == 139
    assert all(a.expression == b.expression for a, b in zip(clean, authors) if " and " not in a.expression)


def test_pixmmvps_expressions_keep_their_blanks(shared, data):
    standins.make(shared / "data" / "pixmmvp", data)
    clean, authors = (pixmmvp.join(pixmmvp.find(), expressions=name) for name in ("clean", "authors"))
    with_object = [(a.expression, b.expression) for a, b in zip(clean, authors) if a.expression is not None]
    assert len(with_object) == 286 and all(b.startswith(f" {a}") and b.strip() == a for a, b in with_object)
    assert [b.expression for a, b in zip(clean, authors) if a.expression is None] == [None] * 14


@pytest.mark.parametrize(
    ("name", "module", "made"),
    [("pixmmvp", pixmmvp, standins.make_tiny), ("pixcvbench", pixcvbench, standins_pixcv.make_tiny)],
)
def test_both_kinds_of_expressions_are_saved_apart_and_recorded(data, monkeypatch, name, module, made):
    counts = {"pixmmvp": {"images": 6, "pairs": 3, "without_expression": 2, "empty_masks": 3}}
    counts["pixcvbench"] = {"images": 5, "from_ade20k": 3, "empty_masks": 1}
    monkeypatch.setattr(module, "PUBLISHED_COUNTS", module.Counts(**counts[name]))
    made(data)
    places, rows = [], []
    for kind in ("clean", "authors", "clean"):
        monkeypatch.setenv("PIXFOUND_EXPRESSIONS", kind)
        places.append(benchmarks.folder(name))
        rows.append(benchmarks.load(name)["test"])
    assert places[0] == places[2] != places[1] and rows[0]["expression"] != rows[1]["expression"]
    assert [row["provenance"]["expressions"] for row in (rows[0][0], rows[1][0])] == ["clean", "authors"]
    assert "expressions" not in rows[0][0]["origin"] and rows[1][0]["origin"].endswith(", expressions of the authors")
    assert set(rows[1][0]["provenance"]) == {"content", "answers", "expressions", "images", "variations"}


def test_the_prompt_has_the_authors_blank_also_without_an_object(data, monkeypatch):
    monkeypatch.setattr(pixmmvp, "PUBLISHED_COUNTS", pixmmvp.Counts(6, 3, 2, 3))
    standins.make_tiny(data)
    monkeypatch.setenv("PIXFOUND_EXPRESSIONS", "authors")
    rows = benchmarks.load("pixmmvp")["test"]
    assert referring.referring_prompt(rows[0], {"kind": "attention"}) == "Identify  the wings in the scene."
    assert [prompted_expression(rows[index]) for index in (0, 4)] == [" the wings", " None"]
    assert prompted_expression({"expression": None}) == "None"


def test_another_kind_of_expressions_is_refused(data, monkeypatch):
    standins.make_tiny(data)
    monkeypatch.setenv("PIXFOUND_EXPRESSIONS", "author")
    with pytest.raises(ValueError, match=r"PIXFOUND_EXPRESSIONS to be one of .* did you mean 'authors'"):
        pixmmvp.builder()


@pytest.fixture
def photographs(data, tmp_path, monkeypatch):
    """Original photographs, of another size than those of the parquet file, and one that is in no table."""
    standins_pixcv.make_tiny(data)
    for number, document in enumerate(pixcvbench.join(pixcvbench.find())):
        place = tmp_path / "photographs" / pixcvbench.IMAGE_FOLDERS[document.source]
        place.mkdir(parents=True, exist_ok=True)
        (place / document.file).write_bytes(standins_pixcv.picture(100 + number, (48, 64)))
    (place / "other.jpg").write_bytes(b"")
    monkeypatch.setenv("PIXFOUND_PHOTOGRAPHS", str(tmp_path / "photographs"))
    return tmp_path / "photographs"


def test_original_photographs_replace_the_images_of_cv_bench(photographs, monkeypatch):
    monkeypatch.setattr(pixcvbench, "PUBLISHED_COUNTS", pixcvbench.Counts(5, 3, 1))
    files = pixcvbench.find()
    assert not any(name.endswith("other.jpg") for name in files.paths)
    documents = list(pixcvbench.join(files))
    assert [d.image["bytes"] for d in documents] == [standins_pixcv.picture(100 + n, (48, 64)) for n in range(5)]
    assert {tuple(d.mask["size"]) for d in documents} == {(48, 64)}
    with_photographs = benchmarks.load("pixcvbench")["test"][0]
    assert with_photographs["provenance"]["images"] == "original"
    assert "original photographs" in with_photographs["origin"]
    place = benchmarks.folder("pixcvbench")
    monkeypatch.delenv("PIXFOUND_PHOTOGRAPHS")
    assert benchmarks.folder("pixcvbench") != place
    assert benchmarks.load("pixcvbench")["test"][0]["provenance"]["images"] == "benchmark"


def test_a_missing_photograph_is_named_and_not_replaced(photographs):
    (photographs / "COCO/coco/images/000000000007.jpg").unlink()
    with pytest.raises(DataError, match=r"expected 000000000007\.jpg in .*, but 1 of 5 photographs are missing; put"):
        pixcvbench.find()


def test_a_damaged_tuple_is_an_error_also_if_it_is_only_split(data, monkeypatch):
    made = standins_pixcv.make_tiny(data)
    replace(made / "CV-Bench" / "Objects.csv", "('bicycle', 'person')", "('bicycle', 'person'")
    with pytest.raises(DataError, match="expected a name or a tuple of two names"):
        list(pixcvbench.join(pixcvbench.find(), expressions="authors"))
