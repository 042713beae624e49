"""Loads benchmarks. Each one is a `datasets.DatasetDict` with one split, `test`, and the columns of `Document`.

The name of a benchmark in capitals, such as `PIXMMVP`, is an attribute of this package: the folder that the benchmark
is saved in. Task YAMLs use it as `dataset_path`. All values are computed on access, so importing this package reads no
files and imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pixfound_tasks.benchmarks.registry import benchmark_names, get_benchmark

if TYPE_CHECKING:
    from datasets import DatasetDict
    from PIL.Image import Image

    from pixfound_tasks.benchmarks.build import BenchmarkBuilder


def load(name: str) -> DatasetDict:
    """Load a benchmark's documents.

    The first call downloads or draws the benchmark, checks it and saves it. Later calls read it from the cache.

    Raises ValueError if the name is unknown, and `sources.DataError` if files are missing or differ from the published
    ones.
    """
    from datasets import load_from_disk

    return load_from_disk(folder(name))


def folder(name: str) -> str:
    """Return the folder that a benchmark is saved in, for `datasets.load_from_disk`.

    Builds and saves the benchmark if it is not there yet. Raises the same errors as `load`.
    """
    from pixfound_tasks.benchmarks.sources import with_fix_hint

    with with_fix_hint(name):
        return str(builder_of(name).saved())


def builder_of(name: str, local_only: bool = False) -> BenchmarkBuilder:
    """Return how a benchmark is built from its files.

    Downloads missing files unless `local_only` is true.
    """
    return get_benchmark(name).join(local_only)


def images(name: str) -> Mapping[str, Image]:
    """Return a benchmark's images (RGB) by document id. Each image is decoded on access."""
    from pixfound_tasks.benchmarks.documents import Images

    return Images(load(name)["test"])


def __getattr__(attribute: str) -> str:
    if attribute.isupper() and attribute.lower() in benchmark_names():
        return _folder_for_yaml(attribute.lower())
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")


def _folder_for_yaml(name: str) -> str:
    """Return the folder. If the data is missing, ends lmms-eval's command with the one line that says what to do.

    Elsewhere, a DataError is logged before it is raised, because lmms-eval's own error omits it.
    """
    from loguru import logger

    from pixfound_tasks.benchmarks.sources import DataError
    from pixfound_tasks.hosts.command import CANNOT_START, stop_command

    try:
        return folder(name)
    except DataError as error:
        stop_command(str(error), CANNOT_START)
        logger.error(str(error))
        raise error.with_traceback(None) from None
