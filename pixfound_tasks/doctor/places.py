"""The benchmarks' data, and the folders that are written to: where, how large, writable or not."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pixfound_tasks.benchmarks.cache import cache_folder
from pixfound_tasks.benchmarks.inventory import Inventory, take
from pixfound_tasks.benchmarks.registry import benchmark_names
from pixfound_tasks.doctor.findings import ERROR, NOTE, OK, WARNING, Finding

_DATA, _CACHES = "data", "caches"
_LITTLE = 1e9  # bytes of free space
_ELSEWHERE = "let {variable} name a folder that can be written to"


def examine_places() -> Iterator[Finding]:
    """The data of each benchmark, then the caches."""
    inventories = []
    for name in benchmark_names():
        try:
            inventories.append(take(name))
        except (ValueError, OSError) as error:  # a broken package, or a setting that `variables` names
            yield Finding(_DATA, name, WARNING, str(error))
        else:
            yield _examine_benchmark(inventories[-1])
    # PixMini needs no download, but it is drawn into the cache once.
    is_drawn = any(each.source == "built in" and each.folder for each in inventories)
    yield _examine_folder("PIXFOUND_CACHE", cache_folder(), WARNING if is_drawn else ERROR)
    hub, arrow = _hub_caches()
    yield _examine_folder("HF_HOME", hub, WARNING)
    yield _examine_folder("HF_DATASETS_CACHE", arrow, ERROR)  # datasets writes there even for what is local


def _examine_benchmark(inventory: Inventory) -> Finding:
    name, source = inventory.benchmark, inventory.source
    if inventory.folder:
        counts = f"{inventory.documents} of {inventory.known_documents} documents"
        return Finding(_DATA, name, OK, f"{counts} in {inventory.folder}, from: {source}")
    if source == "built in":
        return Finding(_DATA, name, OK, "built in: drawn when it is first used")
    if source == "hub" and inventory.problem:
        remedy = f"pixfound data fetch {name}; or let PIXFOUND_DATA name a folder that holds it"
        return Finding(_DATA, name, WARNING, "not on this machine, and PIXFOUND_DATA is not set", remedy)
    if inventory.problem:
        return Finding(_DATA, name, WARNING, inventory.problem, f"pixfound data info {name}")
    if inventory.missing:
        remedy = f"pixfound data verify {name} names them"
        return Finding(_DATA, name, WARNING, f"{len(inventory.missing)} files are missing in {source}", remedy)
    return Finding(_DATA, name, OK, f"{inventory.files} files from: {source}; joined when it is first used")


def _hub_caches() -> tuple[Path, Path]:
    """The folders of downloads, and of data sets."""
    from datasets import config
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE), Path(config.HF_DATASETS_CACHE)


def _examine_folder(variable: str, folder: Path, status_if_read_only: str) -> Finding:
    """Whether a folder can be written to, by writing; if it is not there yet, the nearest one above it."""
    above = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as error:
        detail = f"{folder} cannot be written to: {error.strerror or error}"
        return Finding(_CACHES, variable, status_if_read_only, detail, _ELSEWHERE.format(variable=variable))
    free = shutil.disk_usage(above).free
    size = sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
    detail = f"{folder}, {size / 1e6:,.0f} MB, writable, {free / 1e9:,.1f} GB free"
    if free < _LITTLE:
        remedy = f"make room there, or let {variable} name another folder"
        return Finding(_CACHES, variable, WARNING, detail, remedy)
    return Finding(_CACHES, variable, OK if folder.is_dir() else NOTE, detail)
