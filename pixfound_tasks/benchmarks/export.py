"""Exports a benchmark as a folder that `datasets.load_dataset` loads: parquet files with the images, and a card."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pixfound_tasks import benchmarks
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.benchmarks.sources import DataError

if TYPE_CHECKING:
    from datasets import Dataset

_PER_FILE = 500  # documents

_COLUMNS = {
    "benchmark": "the benchmark's name",
    "id": "the image's number",
    "file": "the image's file name",
    "pair": "the pair's number, counted from 0; null if images have no pairs",
    "question": "the question",
    "options": "its options",
    "options_text": "the options as the benchmark writes them",
    "prompt": "the benchmark's own wording of question and options, or null",
    "answer": "the letter of the correct option, lower case",
    "pattern": "MMVP's visual pattern, or empty",
    "task": "CV-Bench's task (Count, Relation), or empty",
    "source": "the data set that the image is from (ADE20K, COCO), or empty",
    "expression": "the referring expression; null if the question is not about an object",
    "mask": "the mask of that object, as COCO RLE at the image's size; empty if the object is absent",
    "width": "the image's width in pixels",
    "height": "the image's height in pixels",
    "origin": "the files and revisions that this row was built from",
    "image": "the image",
    "provenance": "`content`, 12 hex digits of those files' SHA-256 (or null); `answers`, original or corrected; "
    "`expressions`, clean or authors; `images`, benchmark or original; `variations`, null in a benchmark itself",
}


def export(benchmark: str, folder: Path, log: Callable[[str], None] = lambda line: None) -> Path:
    """Export a benchmark to a folder and return the folder. Calls `log` with a line for each file.

    The folder must be empty or not exist. It is written completely or not at all. Raises DataError if the benchmark
    cannot be loaded or the folder cannot be written, and ValueError if the name is unknown.
    """
    documents = benchmarks.load(benchmark)["test"]
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(f"expected {folder} to be empty or not to exist, but it has something in it: name another")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".exporting-", dir=folder.parent) as temporary:
            written = Path(temporary) / "written"
            _write(benchmark, documents, written, log)
            written.replace(folder)
    except OSError as error:
        raise DataError(
            f"expected to write {folder}, but got {error.strerror or error}: name another folder"
        ) from error
    return folder


def _write(benchmark: str, documents: Dataset, folder: Path, log: Callable[[str], None]) -> None:
    (folder / "data").mkdir(parents=True)
    count = -(-len(documents) // _PER_FILE)
    for index in range(count):
        name = f"test-{index:05}-of-{count:05}.parquet"
        part = documents.shard(count, index, contiguous=True)
        part.to_parquet(os.fspath(folder / "data" / name))
        log(f"{name}: {len(part)} documents")
    (folder / "README.md").write_text(card(benchmark, documents), encoding="utf-8")


def card(benchmark: str, documents: Dataset) -> str:
    """Return the text of the data set's README. Its header tells `datasets` where the files of the split are."""
    record = get_benchmark(benchmark)
    title = record.title
    rows = "\n".join(f"| `{name}` | {_COLUMNS[name]} |" for name in documents.column_names)
    origins = ", ".join(dict.fromkeys(documents["origin"]))
    return f"""---
license: {record.licence_id}
pretty_name: {title}
task_categories:
- visual-question-answering
- image-segmentation
configs:
- config_name: default
  data_files:
  - split: test
    path: data/test-*.parquet
---
# {title}, joined

{len(documents)} images, each with a question, a referring expression and the mask of the object that it refers to.
Written by `pixfound data export` of pixfound-tasks. Origin: {origins}.

```python
from datasets import load_dataset

documents = load_dataset("FOLDER", split="test")  # this folder
```

| column | content |
|---|---|
{rows}

`pycocotools.mask.decode` turns a mask into an array. The benchmarks are described in "PixFoundation: Are We Heading
in the Right Direction with Pixel-level Vision Foundation Models?" (arXiv 2502.04192).

## License

{record.licence}
"""
