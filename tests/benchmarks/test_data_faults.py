"""Data that is missing, cut off, of another version or damaged, and a cache that cannot be written to."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import huggingface_hub
import pytest
import standins
import standins_pixcv
from changed_pixcvbench import parquet
from test_pixmmvp import TINY_COUNTS

from pixfound_tasks import benchmarks
from pixfound_tasks.benchmarks import cache, pixmmvp
from pixfound_tasks.benchmarks.sources import DataError


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    for name in ("PIXFOUND_REVISION", "PIXFOUND_ANSWERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIXFOUND_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pixmmvp, "PUBLISHED_COUNTS", TINY_COUNTS)


@pytest.fixture
def tiny(tmp_path):
    return standins.make_tiny(tmp_path / "data")


@pytest.fixture
def tiny_pixcv(tmp_path):
    return standins_pixcv.make_tiny(tmp_path / "data")


def cut(content):
    return content[: len(content) * 2 // 3]


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes(255 - byte for byte in content[middle : middle + 40]) + content[middle + 40 :]


PIXMMVP_FILES = ("Questions.csv", "Objects.csv", "Segmentations.json", "visual_patterns.csv", "MMVP Images/3.jpg")


FAULTS = {"cut": cut, "flipped": flipped, "empty": lambda content: b"", "a pointer": lambda content: b"version https:"}


# An image that decodes to something else cannot be told without the hub's own checksums.
@pytest.mark.parametrize(
    ("file", "fault"),
    [(file, fault) for file in PIXMMVP_FILES for fault in FAULTS if (file[-3:], fault) != ("jpg", "flipped")],
)
def test_a_file_that_is_not_whole_is_named_with_what_mends_it(tiny, file, fault):
    path = tiny / file
    path.write_bytes(FAULTS[fault](path.read_bytes()))
    with pytest.raises(DataError) as caught:
        benchmarks.load("pixmmvp")
    message = str(caught.value)
    # Tables that are too short are named beside those that are not.
    assert path.name in message or path.stem in message
    assert "\n" not in message and message.startswith("expected ")
    assert "put the published file into PIXFOUND_DATA, or unset PIXFOUND_DATA and run `pixfound data fetch" in message


@pytest.mark.parametrize("file", ["COCO/FinalSegmentations.json", "CV-Bench/Objects.csv", "CV-Bench/test.parquet"])
@pytest.mark.parametrize("fault", [cut, lambda content: b""])
def test_the_same_of_pixcvbench(tiny_pixcv, file, fault):
    path = tiny_pixcv / file
    path.write_bytes(fault(path.read_bytes()))
    with pytest.raises(DataError, match=rf"{path.name}.*`pixfound data fetch pixcvbench`"):
        benchmarks.load("pixcvbench")


def test_a_parquet_with_a_damaged_part_is_named(tiny_pixcv):
    path = parquet(tiny_pixcv)
    content = path.read_bytes()
    path.write_bytes(content[:40] + b"\xff" * (len(content) // 2) + content[40 + len(content) // 2 :])
    with pytest.raises(DataError, match=r"expected a parquet file in .*test\.parquet, but got: .*pixfound data fetch"):
        benchmarks.load("pixcvbench")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", r"COCO style images, annotations and polygons in Segmentations\.json, but got TypeError"),
        ('{"images": []}', r"Segmentations\.json, but got KeyError: 'annotations'"),
        ("[" * 100_000, r"JSON in Segmentations\.json"),
    ],
)
def test_json_of_another_kind_is_named(tiny, content, message):
    (tiny / "Segmentations.json").write_text(content)
    with pytest.raises(DataError, match=message):
        benchmarks.load("pixmmvp")


def test_a_file_that_may_not_be_read_is_named(tiny):
    (tiny / "Objects.csv").unlink()
    (tiny / "Objects.csv").symlink_to("/proc/self/mem")
    with pytest.raises(DataError, match=r"expected .*Objects\.csv.*`pixfound data fetch pixmmvp`"):
        benchmarks.load("pixmmvp")


@pytest.fixture
def offline(tmp_path, monkeypatch):
    monkeypatch.delenv("PIXFOUND_DATA")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.parametrize("name", ["pixmmvp", "pixcvbench"])
def test_offline_without_data_one_line_names_three_ways_on(offline, name):
    with pytest.raises(DataError) as caught:
        benchmarks.load(name)
    message = str(caught.value)
    assert message == (
        f"expected data set IVUlab/{name} (revision main) in the hub's local cache (HF_HUB_OFFLINE is set), but it is "
        f"not there. Set PIXFOUND_DATA to a folder that holds it, run `pixfound data fetch {name}` on a machine that "
        "can reach the hub, or evaluate on PixMini (pixmini_...), which needs no data"
    )


def test_lmms_eval_logs_that_line(offline, warnings):
    """It reads the folder's name from a YAML, and says only that this failed."""
    with pytest.raises(DataError):
        _ = benchmarks.PIXMMVP
    assert len(warnings) == 1 and warnings[0].startswith("expected data set IVUlab/pixmmvp (revision main)")


@contextmanager
def full_disk():
    """No file can grow beyond 4 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_cache_says_so_and_keeps_nothing(tiny):
    with full_disk(), pytest.raises(DataError) as caught:
        benchmarks.load("pixmmvp")
    message = str(caught.value)
    assert message.startswith(f"expected to save pixmmvp in {cache.cache_folder()}, but got ")
    assert os.strerror(errno.EFBIG) in message and "PIXFOUND_CACHE" in message and "data fetch" not in message
    assert list(cache.cache_folder().iterdir()) == []
    assert len(benchmarks.load("pixmmvp")["test"]) == 6  # and once there is room it goes on


def test_a_read_only_cache_says_so(tiny, tmp_path):
    """Root may write anywhere, and gives that up for this test."""
    cache.cache_folder().mkdir()
    cache.cache_folder().chmod(0o555)
    is_root = os.geteuid() == 0
    for folder in (tiny, *tiny.rglob("*")):
        folder.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents):
        folder.chmod(0o755)
        if folder.name.startswith("pytest-of-"):
            break
    if is_root:
        os.seteuid(65534)
    try:
        with pytest.raises(DataError, match=r"expected to save pixmmvp in .*cache, but got Permission denied: make ro"):
            benchmarks.load("pixmmvp")
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.parametrize("damage", ["cut", "missing", "unmarked"])
def test_a_saved_benchmark_that_is_not_whole_is_made_anew(tiny, damage, warnings):
    whole = benchmarks.load("pixmmvp")["test"].to_list()
    (arrow,) = cache.cache_folder().rglob("*.arrow")
    if damage == "cut":
        os.truncate(arrow, arrow.stat().st_size // 2)
    elif damage == "missing":
        arrow.unlink()
    else:
        (arrow.parents[1] / "sizes.json").unlink()
    assert not warnings
    assert benchmarks.load("pixmmvp")["test"].to_list() == whole
    assert [message.partition(": ")[2].partition(" is ")[2] for message in warnings] == ["damaged and is built again"]
    assert [path.name for path in cache.cache_folder().iterdir()] == [arrow.parents[1].name]


JOIN = """
import os, sys
from pixfound_tasks import benchmarks
from pixfound_tasks.benchmarks import cache, pixmmvp
pixmmvp.PUBLISHED_COUNTS = pixmmvp.Counts(images=6, pairs=3, without_expression=2, empty_masks=3)
from datasets import DatasetDict
save = DatasetDict.save_to_disk
def killed(self, folder):
    save(self, folder)
    os.kill(os.getpid(), 9)
DatasetDict.save_to_disk = killed
benchmarks.load("pixmmvp")
"""


def test_what_a_killed_join_leaves_is_not_read_back_and_goes_away_in_time(tiny):
    killed = subprocess.run([sys.executable, "-c", JOIN], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = cache.cache_folder().iterdir()
    assert left.name.startswith(".joining-")
    assert len(benchmarks.load("pixmmvp")["test"]) == 6
    assert left.is_dir()  # another process may be at it
    os.utime(left, (time.time() - 2 * 24 * 3600,) * 2)
    benchmarks.load("pixmini")
    assert not left.exists()
