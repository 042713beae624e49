"""`pixfound data` on stand-ins, and on a hub of data sets on this machine."""

import json
import shutil
from dataclasses import replace

import huggingface_hub
import numpy as np
import pytest
import standins
import standins_pixcv
from datasets import load_dataset
from hub_server import SHA, serving
from test_pixmmvp import TINY_COUNTS
from typer.testing import CliRunner

from pixfound_tasks import benchmarks
from pixfound_tasks.benchmarks import cache, pixmmvp
from pixfound_tasks.benchmarks.registry import BUILT_IN
from pixfound_tasks.cli import app as command
from pixfound_tasks.masks import decode

KNOWN = {
    "images": 6,
    "pairs": 3,
    "images without an expression": 2,
    "images with an empty mask": 3,
    "images of pattern State and Condition": 4,
}


@pytest.fixture(autouse=True)
def no_settings(tmp_path, monkeypatch):
    for name in ("PIXFOUND_DATA", "PIXFOUND_REVISION", "PIXFOUND_ANSWERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Three pairs in the authors' layout, of which is known what they hold; nothing finds them yet."""
    monkeypatch.setattr(pixmmvp, "PUBLISHED_COUNTS", TINY_COUNTS)
    whole = BUILT_IN["pixmmvp"]
    files = replace(whole.files, expected=(*pixmmvp.ANNOTATION_FILES, "Questions.csv", "1.jpg", "6.jpg"))
    published = replace(
        whole.published, counts=KNOWN, annotation_counts={"Segmentations.json": 4}, without_expression=("5", "6")
    )
    monkeypatch.setitem(BUILT_IN, "pixmmvp", replace(whole, files=files, published=published))
    return standins.make_tiny(tmp_path / "made")


@pytest.fixture
def hub(tmp_path, monkeypatch, tiny):
    """The same as two data sets of a hub."""
    annotations, images = tmp_path / "annotations", tmp_path / "images"
    shutil.copytree(tiny / "MMVP Images", images / "MMVP Images")
    shutil.copyfile(tiny / "Questions.csv", images / "Questions.csv")
    annotations.mkdir()
    for name in standins.ANNOTATIONS:
        shutil.copyfile(tiny / name, annotations / name)
    with serving({"IVUlab/pixmmvp": annotations, "MMVP/MMVP": images}) as hub:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub


def pixfound(*arguments, status=0):
    result = CliRunner().invoke(command.app, ["data", *map(str, arguments)])
    assert result.exit_code == status, result.output + result.stderr
    return result


def info():
    (found,) = json.loads(pixfound("info", "pixmmvp", "--json").stdout)
    return found


def lines(result, *words):
    return [line for line in result.stdout.splitlines() if all(word in line for word in words)]


def test_nothing_is_downloaded_to_see_what_is_there(hub):
    found = info()
    assert (found["source"], found["revisions"]) == ("hub", {"IVUlab/pixmmvp": None, "MMVP/MMVP": None})
    assert "`pixfound data fetch pixmmvp`" in found["problem"] and found["documents"] == 0
    assert hub.served == []
    assert lines(pixfound("info", "pixmmvp"), "not downloaded")


def test_fetched_from_the_hub_it_is_there_with_its_revision(hub):
    result = pixfound("fetch", "pixmmvp")
    assert lines(result, f"origin: IVUlab/pixmmvp @ {SHA}, MMVP/MMVP @ {SHA}, content ")
    assert lines(result, "joined, checked and saved in")
    assert lines(result, "ok", "images: 6") and lines(result, "ok", "content of downloads")
    found = info()
    assert found["revisions"] == {"IVUlab/pixmmvp": SHA, "MMVP/MMVP": SHA}
    assert (found["documents"], found["missing"], found["problem"]) == (6, [], "")
    assert found["counts"] == KNOWN | {"images of pattern Presence of Specific Features": 1} | {
        "images of pattern Orientation and Direction": 1
    }
    assert found["bytes"] == sum(file.stat().st_size for file in cache.cache_folder().rglob("*") if file.is_file())
    served = len(hub.served)
    assert lines(pixfound("fetch", "pixmmvp"), "saved before in")
    assert len(hub.served) == served == 10


def test_an_interrupted_download_goes_on_with_what_is_missing(hub):
    hub.down = {"MMVP Images/3.jpg", "Questions.csv"}
    message = pixfound("fetch", "pixmmvp", status=1).stderr
    assert (
        "Error: expected data set MMVP/MMVP (revision main)" in message and "`pixfound data fetch pixmmvp`" in message
    )
    assert not list(cache.cache_folder().glob("*"))
    assert info()["revisions"] == {"IVUlab/pixmmvp": SHA, "MMVP/MMVP": None}
    hub.down, before = set(), len(hub.served)
    pixfound("fetch", "pixmmvp")
    assert before >= 3 and {"MMVP Images/3.jpg", "Questions.csv"} <= set(hub.served[before:])
    assert len(hub.served) == 10  # no file twice


def test_a_file_that_breaks_off_is_completed(hub):
    whole = (hub.folders["IVUlab/pixmmvp"] / "Segmentations.json").read_bytes()
    hub.cut = {"Segmentations.json": len(whole) // 2}
    pixfound("fetch", "pixmmvp")
    assert hub.served.count("Segmentations.json") == 2
    assert pixmmvp.find().read("Segmentations.json") == whole


@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: content[:-9] + b"?" * 9])
def test_a_damaged_download_is_found_and_fetched_again(hub, damage):
    pixfound("fetch", "pixmmvp")
    file = pixmmvp.find().path("Objects.csv")
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    found = lines(pixfound("verify", "pixmmvp", status=1), "failed", "content of downloads")
    assert "Objects.csv differ; run `pixfound data fetch pixmmvp`" in found[0]
    assert lines(pixfound("fetch", "pixmmvp"), "IVUlab/pixmmvp: damaged, downloaded again: Objects.csv")
    assert file.read_bytes() == whole


def test_a_local_folder_is_used_and_verified(tiny, monkeypatch):
    monkeypatch.setenv("PIXFOUND_DATA", str(tiny.parent))
    result = pixfound("fetch", "pixmmvp")
    assert lines(result, f"PIXFOUND_DATA has it: {tiny}; nothing is downloaded")
    assert lines(result, "warning checksum of Objects.csv: differs from the version this release was tested with")
    assert lines(result, "ok", "annotations in Segmentations.json: 4") and lines(result, "ok", "joined benchmark")
    assert info()["source"] == f"local folder {tiny.parent}"
    (tiny / "MMVP Images" / "6.jpg").unlink()
    assert info()["missing"] == ["6.jpg"]
    assert lines(pixfound("info", "pixmmvp"), "missing: 6.jpg")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("3, the flame\n4, the flame", "3, None\n4, None", "images without an expression: expected 2, but got 4"),
        ("5, None\n6, None", "5, it\n6, it", "which have no expression: expected 5 6, but got "),
        ("3, the flame\n", "3, a flame\n", "consistency: expected the same expression for images 3 and 4"),
    ],
)
def test_annotations_of_another_version_fail_by_number(tiny, monkeypatch, old, new, line):
    monkeypatch.setenv("PIXFOUND_DATA", str(tiny.parent))
    objects = (tiny / "Objects.csv").read_text()
    assert old in objects
    (tiny / "Objects.csv").write_text(objects.replace(old, new))
    assert lines(pixfound("verify", "pixmmvp", status=1), "failed", line)


def test_a_saved_benchmark_that_differs_from_its_files_is_found(tiny, monkeypatch):
    monkeypatch.setenv("PIXFOUND_DATA", str(tiny.parent))
    pixfound("fetch", "pixmmvp")
    (arrow,) = cache.cache_folder().rglob("*.arrow")
    content = arrow.read_bytes()
    arrow.write_bytes(content.replace(b"the wings", b"the wangs"))
    assert lines(pixfound("verify", "pixmmvp", status=1), "failed", "joined benchmark", "remove that folder")


def test_pixmini_must_be_the_same_bits(monkeypatch):
    assert lines(pixfound("verify", "pixmini"), "ok", "content: the same bits as everywhere")
    assert {each["source"] for each in json.loads(pixfound("info", "pixmini", "--json").stdout)} == {"built in"}
    whole = BUILT_IN["pixmini"]
    other = replace(whole, published=replace(whole.published, digest="0" * 64))
    monkeypatch.setitem(BUILT_IN, "pixmini", other)
    assert lines(pixfound("verify", "pixmini", status=1), "failed", "content: expected the same bits")


def test_the_published_annotations_pass_every_check(shared, tmp_path, monkeypatch):
    standins.make(shared / "data" / "pixmmvp", tmp_path)
    standins_pixcv.make(shared / "data" / "pixcvbench", tmp_path)
    monkeypatch.setenv("PIXFOUND_DATA", str(tmp_path))
    found = pixfound("verify", "pixmmvp", "pixcvbench").stdout.splitlines()
    assert not [line for line in found if " ok " not in line]
    assert len([line for line in found if "checksum" in line]) == 6
    assert [line for line in found if "Relation questions: 650" in line]


def test_an_exported_benchmark_loads_as_it_was(tmp_path):
    folder = tmp_path / "exported"
    assert str(folder) in pixfound("export", "pixmini", folder).stdout
    cached = str(tmp_path / "datasets")
    loaded = load_dataset(str(folder), split="test", cache_dir=cached)
    again = load_dataset("parquet", data_files=str(folder / "data" / "*.parquet"), split="train", cache_dir=cached)
    source = benchmarks.load("pixmini")["test"]
    assert loaded.features == again.features == source.features
    assert loaded.remove_columns("image").to_list() == source.remove_columns("image").to_list()
    for ours, theirs in zip(source, loaded):
        np.testing.assert_array_equal(np.asarray(ours["image"]), np.asarray(theirs["image"]))
        np.testing.assert_array_equal(decode(ours["mask"]), decode(theirs["mask"]))
    card = (folder / "README.md").read_text()
    assert all(f"| `{name}` |" in card for name in source.column_names) and "## License" in card
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "datasets", "exported"]


def test_a_large_benchmark_is_exported_in_parts(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("PIXFOUND_DATA", str(tiny.parent))
    monkeypatch.setattr("pixfound_tasks.benchmarks.export._PER_FILE", 4)
    pixfound("export", "pixmmvp", tmp_path / "exported")
    names = sorted(path.name for path in (tmp_path / "exported" / "data").iterdir())
    assert names == ["test-00000-of-00002.parquet", "test-00001-of-00002.parquet"]
    loaded = load_dataset(str(tmp_path / "exported"), split="test", cache_dir=str(tmp_path / "datasets"))
    assert loaded["id"][:] == ["1", "2", "3", "4", "5", "6"]
    assert loaded[0]["image"].tobytes() == benchmarks.images("pixmmvp")["1"].tobytes()


def test_nothing_is_exported_over_anything(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("PIXFOUND_DATA", str(tiny.parent))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    message = pixfound("export", "pixmmvp", tmp_path / "full", status=1).stderr
    assert "to be empty or not to exist, but it has something in it" in message
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]
    (tmp_path / "file").write_text("")
    assert "expected to write" in pixfound("export", "pixmmvp", tmp_path / "file" / "in", status=1).stderr


@pytest.mark.parametrize("arguments", [("fetch", "pixmvp"), ("verify", "pixmini", "pixmvp"), ("export", "pixmvp", "x")])
def test_an_unknown_name_suggests_the_nearest(arguments):
    result = pixfound(*arguments, status=1)
    assert "but got 'pixmvp'; did you mean 'pixmmvp'?" in result.stderr and not result.stdout
