"""PixMini: 240 drawn scenes in 120 pairs, built into this package."""

from dataclasses import replace

from pixfound_tasks.benchmarks.benchmark import Benchmark, Published
from pixfound_tasks.choices import check_choice
from pixfound_tasks.settings import read_setting

VERSION = "3"
_VERSIONS = ("3", "1")


def check_version(name: str) -> None:
    """Raise ValueError unless `name` is a data version of PixMini."""
    check_choice("PIXFOUND_PIXMINI", name, _VERSIONS)


def version() -> str:
    """Return the data version that PIXFOUND_PIXMINI selects. Raises ValueError if there is none of this name."""
    chosen = read_setting("PIXFOUND_PIXMINI")
    check_version(chosen)
    return chosen


_NEWEST = Benchmark(
    name="pixmini",
    title="PixMini",
    builder="pixfound_tasks.benchmarks.pixmini:builder",
    document_count=240,
    is_paired=True,
    segmenter="region",
    licence="Drawn by the code of pixfound-tasks, Apache-2.0.",
    licence_id="apache-2.0",
    published=Published(
        counts={"images": 240, "pairs": 120, "images with an empty mask": 13},
        digest="b0cd6488901ba9f9d4b591018da5687e728f1fe68ab12bd2b6f1db5a23f91d63",
    ),
)
_FIRST = replace(
    _NEWEST,
    document_count=120,
    published=Published(
        counts={"images": 120, "pairs": 60, "images with an empty mask": 7},
        digest="8589296cc0b2ef5c5a537f2273f9b52a25f50c702e02c9c0efcbb4cbd00f6e46",
    ),
)
BENCHMARK = _NEWEST if read_setting("PIXFOUND_PIXMINI") == VERSION else _FIRST
