"""A joined benchmark as a folder that `datasets.load_dataset` loads: parquet files that hold the images, and a card."""

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
    "benchmark": "its name",
    "id": "the image's number",
    "file": "the image's own file name",
    "pair": "the pair's number, counted from 0; null where there are no pairs",
    "question": "the question",
    "options": "its options",
    "options_text": "the options as the benchmark writes them",
    "prompt": "the benchmark's own wording of question and options, or null",
    "answer": "the right option's letter, lower case",
    "pattern": "MMVP's visual pattern, or empty",
    "task": "CV-Bench's task (Count, Relation), or empty",
    "source": "the data set the image is from (ADE20K, COCO), or empty",
    "expression": "the referring expression; null where no object is asked about",
    "mask": "what it refers to, as COCO RLE at the image's size; empty where that is absent",
    "width": "of the image, in pixels",
    "height": "of the image, in pixels",
    "origin": "files and revisions this was joined from",
    "image": "the image",
}


def export(benchmark: str, folder: Path, log: Callable[[str], None] = lambda line: None) -> Path:
    """Write the folder, which must not exist or be empty, all of it or nothing, and return it.

    Raises DataError where the benchmark cannot be had, or the folder not be written.
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
    """The data set's README, with the header that tells `datasets` where the split is."""
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

{len(documents)} images, each with a question, a referring expression and the mask of what it refers to, as
`pixfound data export` of pixfound-tasks wrote them. Origin: {origins}.

```python
from datasets import load_dataset

documents = load_dataset("FOLDER", split="test")  # this folder
```

| column | what it holds |
|---|---|
{rows}

A mask becomes an array with `pycocotools.mask.decode`. The benchmarks are described in "PixFoundation: Are We Heading
in the Right Direction with Pixel-level Vision Foundation Models?" (arXiv 2502.04192).

## Licence

{record.licence}
"""
