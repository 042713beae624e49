import shutil
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import standins
from datasets import Dataset, DatasetDict, load_from_disk
from huggingface_hub.errors import RevisionNotFoundError

from pixfound_tasks.benchmarks import cache, pixmmvp
from pixfound_tasks.benchmarks.sources import DataError, by_name, download


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("PIXFOUND_DATA", "PIXFOUND_REVISION", "PIXFOUND_CACHE", "PIXFOUND_ANSWERS"):
        monkeypatch.delenv(name, raising=False)


def hub_copy(cache_folder: Path, repo: str, revision: str, files: dict[str, Path]) -> None:
    """What the hub's client leaves in its cache after a download of branch main."""
    copy = cache_folder / ("datasets--" + repo.replace("/", "--"))
    (copy / "refs").mkdir(parents=True)
    (copy / "refs" / "main").write_text(revision)
    for place, file in files.items():
        target = copy / "snapshots" / revision / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


@pytest.fixture
def offline_hub(tmp_path, monkeypatch):
    """The hub's client without a connection, with both data sets in its cache, laid out in other ways than locally."""
    hub, folder = tmp_path / "hub", standins.make_tiny(tmp_path / "made")
    hub_copy(hub, "IVUlab/pixmmvp", "a" * 40, {f"data/v1/{name}": folder / name for name in standins.ANNOTATIONS})
    images = {f"pictures/{n}.jpg": folder / "MMVP Images" / f"{n}.jpg" for n in range(1, 7)}
    hub_copy(hub, "MMVP/MMVP", "b" * 40, {"Questions.csv": folder / "Questions.csv", **images})
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(hub))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return hub


def test_the_local_folder_comes_first(tmp_path, monkeypatch, offline_hub):
    monkeypatch.setenv("PIXFOUND_DATA", str(standins.make_tiny(tmp_path / "data").parent))
    files = pixmmvp.find()
    assert files.origin == "PixMMVP"
    assert set(files.paths) == {"Questions.csv", *standins.ANNOTATIONS, *(f"{n}.jpg" for n in range(1, 7))}
    assert all(path.is_relative_to(tmp_path / "data") for path in files.paths.values())


def test_files_are_looked_up_by_name_in_the_hubs_cache_when_offline(offline_hub):
    files = pixmmvp.find()
    assert files.origin == f"IVUlab/pixmmvp @ {'a' * 40}, MMVP/MMVP @ {'b' * 40}"
    assert files.paths["Objects.csv"].parent.name == "v1"
    assert [document.id for document in pixmmvp.join(files)] == ["1", "2", "3", "4", "5", "6"]


def test_local_and_downloaded_files_give_the_same_content(tmp_path, monkeypatch, offline_hub):
    downloaded = pixmmvp.find().digest()
    monkeypatch.setenv("PIXFOUND_DATA", str(tmp_path / "made"))
    assert pixmmvp.find().digest() == downloaded
    objects = tmp_path / "made" / "PixMMVP" / "Objects.csv"
    objects.write_text(objects.read_text().replace("wings", "wing"))
    assert pixmmvp.find().digest() != downloaded


def test_a_revision_is_asked_for_the_annotations_only(tmp_path, monkeypatch):
    made = standins.make_tiny(tmp_path)
    asked = []

    def serve(repo, *, repo_type, revision, allow_patterns):
        asked.append((repo, repo_type, revision, allow_patterns))
        return str(made if repo == "MMVP/MMVP" else tmp_path / "annotations")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", serve)
    monkeypatch.setenv("PIXFOUND_REVISION", "v2")
    assert len(pixmmvp.join(pixmmvp.find())) == 6
    assert asked == [
        ("IVUlab/pixmmvp", "dataset", "v2", ["*Objects.csv", "*Segmentations.json", "*visual_patterns.csv"]),
        ("MMVP/MMVP", "dataset", None, ["*Questions.csv", "*.jpg"]),
    ]


def test_offline_without_a_copy_names_the_way_out(tmp_path, monkeypatch, offline_hub):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    with pytest.raises(
        DataError,
        match=r"data set IVUlab/pixmmvp \(revision main\) in .*\(HF_HUB_OFFLINE is set\), but it is not there$",
    ):
        pixmmvp.find()


def test_an_unknown_revision_is_an_error_of_the_data(monkeypatch):
    def refuse(*args, **kwargs):
        raise RevisionNotFoundError("no revision v9", response=SimpleNamespace(headers={}, request=None))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(DataError, match=r"revision v9.*RevisionNotFoundError: no revision v9"):
        download("IVUlab/pixmmvp", ["*"], "v9")


def test_a_folder_without_the_benchmark_is_an_error_and_not_a_download(tmp_path, monkeypatch, offline_hub):
    monkeypatch.setenv("PIXFOUND_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"expected a folder PixMMVP in PIXFOUND_DATA=.*Layout: .*MMVP Images/1\.jpg"):
        pixmmvp.find()


@pytest.mark.parametrize("missing", ["Questions.csv", "Segmentations.json", "MMVP Images/4.jpg"])
def test_a_missing_file_is_named_with_the_layout(tmp_path, monkeypatch, missing):
    folder = standins.make_tiny(tmp_path)
    (folder / missing).unlink()
    monkeypatch.setenv("PIXFOUND_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        pixmmvp.join(pixmmvp.find())
    assert f"expected a file {Path(missing).name} in {folder}, but there is none" in str(caught.value)
    assert pixmmvp.LAYOUT in str(caught.value)


def test_two_files_of_one_name_are_not_chosen_between():
    with pytest.raises(DataError, match=r"one file called 1\.jpg, but got a/1\.jpg and b/1\.jpg"):
        by_name([Path("b/1.jpg"), Path("a/1.jpg")])


def test_the_cache_is_where_the_user_says(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache.cache_folder() == Path("/home/someone/.cache/pixfound")
    monkeypatch.setenv("XDG_CACHE_HOME", "/fast")
    assert cache.cache_folder() == Path("/fast/pixfound")
    monkeypatch.setenv("PIXFOUND_CACHE", "/mine")
    assert cache.cache_folder() == Path("/mine")


def test_of_two_processes_the_slower_uses_what_the_faster_saved(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path))
    faster, slower = (DatasetDict({"test": Dataset.from_dict({"by": [name]})}) for name in ("faster", "slower"))

    def overtaken():
        cache.saved("some", "0123456789abcdef99", lambda: faster)
        return slower

    place = cache.saved("some", "0123456789abcdef99", overtaken)
    assert place.name == "some-v2-0123456789abcdef"
    assert load_from_disk(str(place))["test"]["by"][:] == ["faster"]
    assert list(tmp_path.iterdir()) == [place]  # nothing temporary is left


def test_a_failed_build_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path))

    class Full:
        def save_to_disk(self, folder):
            folder.mkdir()
            raise OSError("no space left")

    with pytest.raises(DataError, match="expected to save some in .*no space left: make room .*PIXFOUND_CACHE"):
        cache.saved("some", "0" * 64, Full)
    assert list(tmp_path.iterdir()) == []
