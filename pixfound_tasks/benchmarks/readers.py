"""Reads and validates a benchmark's files: tables, JSON and images."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from io import BytesIO, StringIO
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError

from pixfound_tasks.benchmarks.sources import DataError, Files

Row = dict[str, str]

_TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height


def read_table(files: Files, name: str, columns: Sequence[str], index: str = "Index", first: int = 1) -> list[Row]:
    """Return the rows of a CSV file, with only the given columns.

    Raises DataError if the file is not a UTF-8 table, if a column is missing, or unless column `index` numbers the rows
    from `first` on.
    """
    try:
        text = StringIO(files.read(name).decode("utf-8-sig"), newline="")
        header, *rows = list(csv.reader(text)) or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"expected a UTF-8 table in {name}, but got: {error}: fetch the file again") from error
    # PixMMVP's Objects.csv has a space before a column name. Copies of MMVP's Questions.csv spell Index with a small L.
    header = ["Index" if column.strip() == "lndex" else column.strip() for column in header]
    if missing := sorted({index, *columns} - set(header)):
        raise DataError(f"expected columns {missing} in {name}, but got {header}: fetch the file again")
    for number, row in enumerate(rows, first):
        if len(row) != len(header) or row[header.index(index)].strip() != str(number):
            expected = f"{len(header)} columns and {index} {number}"
            raise DataError(f"expected row {number} of {name} to have {expected}, but got {row}: fetch the file again")
    return [{column: row[header.index(column)] for column in columns} for row in rows]


def read_json(files: Files, name: str) -> Any:
    """Return the content of a JSON file. Raises DataError if it is not valid JSON."""
    try:
        return json.loads(files.read(name))
    except (ValueError, RecursionError) as error:
        raise DataError(f"expected JSON in {name}, but got: {error}. Fetch the file again") from error


def read_image(files: Files, name: str, size: tuple[int, int]) -> bytes:
    """Return the bytes of an image file. Raises DataError unless it is an image of `size` (width, height) in pixels."""
    content = files.read(name)
    found = image_size(content, name)
    if found != size:
        raise DataError(f"expected {name} to be of size {size}, but got {found} (width, height): fetch it again")
    return content


def image_size(content: bytes, name: str) -> tuple[int, int]:
    """Return the width and height of an encoded image in pixels.

    Applies the EXIF orientation, as `datasets` does when it decodes the image. Raises DataError if the content is not
    an image or is truncated.
    """
    try:
        image = Image.open(BytesIO(content))
        is_turned = image.getexif().get(ExifTags.Base.Orientation) in _TURNED
        size = image.size[::-1] if is_turned else image.size
        image.draft("L", (1, 1))  # decodes a JPEG at a small size, which is fast and still reads it to its end
        image.load()
    except UnidentifiedImageError as error:
        raise DataError(f"expected an image in {name}, but got {content[:40]!r}: fetch it again") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"expected a complete image in {name}, but got: {error}: fetch it again") from error
    return size
