"""The benchmarks as saved `datasets.DatasetDict`s of one split, `test`, all with the columns of `documents.Document`.

The name of a benchmark in capitals, such as `PIXMMVP`, is the folder that it is saved in, for `dataset_path` in a
task's YAML. It is worked out when it is asked for, and so is everything here: importing this package reads nothing and
imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pixfound_tasks.benchmarks.registry import benchmark_names, get_benchmark

if TYPE_CHECKING:
    from datasets import DatasetDict
    from PIL.Image import Image

    from pixfound_tasks.benchmarks.joining import Joining


def load(name: str) -> DatasetDict:
    """The documents of a benchmark, found and checked (or drawn) at the first call, then read from the cache.

    Raises ValueError for an unknown name, `sources.DataError` where the files are missing or not as published.
    """
    from datasets import load_from_disk

    return load_from_disk(folder(name))


def folder(name: str) -> str:
    """The folder that a benchmark is saved in, as `datasets.load_from_disk` takes it; raises what `load` raises."""
    from pixfound_tasks.benchmarks.sources import remedy_named

    with remedy_named(name):
        return str(joining_of(name).saved())


def joining_of(name: str, local_only: bool = False) -> Joining:
    """How a benchmark is made of its files, which are downloaded unless there; with `local_only` never."""
    return get_benchmark(name).join(local_only)


def images(name: str) -> Mapping[str, Image]:
    """The images of a benchmark by document id, RGB, each decoded when it is asked for."""
    from pixfound_tasks.benchmarks.documents import Images

    return Images(load(name)["test"])


def __getattr__(attribute: str) -> str:
    if attribute.isupper() and attribute.lower() in benchmark_names():
        return _folder_for_yaml(attribute.lower())
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")


def _folder_for_yaml(name: str) -> str:
    """The folder; what keeps it from being there is logged, because lmms-eval's own last line does not say it."""
    from loguru import logger

    from pixfound_tasks.benchmarks.sources import DataError

    try:
        return folder(name)
    except DataError as error:
        logger.error(str(error))
        raise error.with_traceback(None) from None
