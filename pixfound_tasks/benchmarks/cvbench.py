"""Reads the part "2D" of CV-Bench, questions about photographs, from its parquet files (arXiv 2406.16860)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixfound_tasks.benchmarks.records.pixcvbench import QUESTIONS
from pixfound_tasks.benchmarks.sources import DataError, download

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

PART = "2D"
COLUMNS = ("idx", "type", "task", "question", "choices", "answer", "prompt", "source", "source_filename")

_BATCH = 32  # rows

Row = dict[str, Any]


def fetch(local_only: bool = False) -> tuple[str, list[Path]]:
    """Download CV-Bench, and return its revision and its files that have questions of part 2D.

    The data set's README lists these files. If it does not, every parquet file is searched for such questions.
    """
    card = download(QUESTIONS, ["README.md"], None, local_only)
    patterns = _patterns(card / "README.md") or ["*.parquet"]
    folder = download(QUESTIONS, patterns, None, local_only)
    return folder.name, [path for path in _matching(folder, patterns) if holds_part(path)]


def _patterns(readme: Path) -> list[str]:
    """Return the file patterns that the README's header gives for configuration 2D, split test."""
    from datasets.data_files import sanitize_patterns
    from huggingface_hub import metadata_load

    header = (metadata_load(readme) or {}) if readme.is_file() else {}
    for config in header.get("configs", ()):
        if config.get("config_name") == PART and config.get("data_files"):
            return list(sanitize_patterns(config["data_files"]).get("test", ()))
    return []


def _matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in folder.rglob(pattern) if path.suffix == ".parquet"})


def holds_part(path: Path) -> bool:
    """Whether a parquet file has rows of part 2D. Raises DataError if the file is not from CV-Bench."""
    file = _open(path)
    with _damage_named(path):
        return PART in file.read(columns=["type"])["type"].to_pylist()


def embeds_images(path: Path) -> bool:
    """Whether the file's statistics say that every row contains its image."""
    layout = _open(path).metadata
    for group in map(layout.row_group, range(layout.num_row_groups)):
        columns = {column.path_in_schema: column for column in map(group.column, range(group.num_columns))}
        column = columns.get("image.bytes")
        if column is None or column.statistics is None or column.statistics.null_count != 0:
            return False
    return True


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of part 2D with `COLUMNS` and `image` (the encoded image, or None). Reads a few rows at a time.

    Raises DataError if a column or a value is missing, or if the file is not a parquet file.
    """
    import pyarrow.compute as pc

    for batch in _batches(path):
        for row in batch.filter(pc.equal(batch["type"], PART)).to_pylist():
            if missing := [column for column in COLUMNS if row[column] is None]:
                raise DataError(f"expected {missing} in row {row['idx']} of {path}, but got nothing: fetch it again")
            yield {**row, "image": (row.get("image") or {}).get("bytes")}


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    # One row group at a time: otherwise pyarrow reads far ahead and holds most of the images in memory.
    file = _open(path)
    with _damage_named(path):
        for group in range(file.num_row_groups):
            yield from file.iter_batches(_BATCH, row_groups=[group], columns=[*COLUMNS, "image.bytes"])


def _open(path: Path) -> pq.ParquetFile:
    import pyarrow.parquet as pq

    with _damage_named(path):
        file = pq.ParquetFile(path)
    if missing := sorted(set(COLUMNS) - set(file.schema_arrow.names)):
        raise DataError(f"expected columns {missing} in {path}, but got {file.schema_arrow.names}: fetch it again")
    return file


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"expected a parquet file in {path}, but got: {error}: fetch it again") from error
