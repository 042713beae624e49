"""Reads the replies that VLMEvalKit saved, as they were written.

VLMEvalKit's own reader is pandas, which takes the replies `None`, `NA` and the empty one for missing values and a reply
in digits for a number. A reply that VLMEvalKit could not get is None here.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_FAILED = "Failed to obtain answer"  # how VLMEvalKit's text in place of a reply begins
_COLUMNS = ("index", "prediction")
_LONGEST_CELL = 32767  # characters that a cell of a spreadsheet holds

Row = dict[str, Any]


class PredictionError(ValueError):
    """The file of replies is missing or is none. The message names it and says what to do."""


def read_predictions(file: Path) -> dict[str, str | None]:
    """The replies by document id, from a .tsv, .xlsx or .json file. Raises PredictionError."""
    return {str(row["index"]): _reply(row["prediction"]) for row in _rows(file)}


def read_questions(file: Path) -> dict[str, str]:
    """The prompts that the replies were given to, by document id. Raises PredictionError."""
    return {str(row["index"]): str(row.get("question") or "") for row in _rows(file)}


def _rows(file: Path) -> Iterable[Row]:
    again = "run the model again in another --work-dir"
    if file.suffix not in READERS:
        raise PredictionError(
            f"expected a file that ends with {', '.join(READERS)}, but got {file}; set PRED_FORMAT=tsv"
        )
    try:
        rows = READERS[file.suffix](file)
    except FileNotFoundError as error:
        raise PredictionError(f"expected the model's replies in {file}, but there is no such file; {again}") from error
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise PredictionError(f"expected a table of replies in {file}, but got {error}; {again}") from error
    if not rows or any(column not in row for row in rows for column in _COLUMNS):
        raise PredictionError(f"expected the columns {', '.join(_COLUMNS)} in {file}, but got none; {again}")
    return rows


def _reply(value: Any) -> str | None:
    text = "" if value is None else str(value)
    return None if text.startswith(_FAILED) else text


def _tsv(file: Path) -> list[Row]:
    csv.field_size_limit(sys.maxsize)  # the default ends replies at 131,072 characters with an error
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def _xlsx(file: Path) -> list[Row]:
    from openpyxl import load_workbook

    head, *body = load_workbook(file, read_only=True).active.iter_rows(values_only=True)
    rows = [dict(zip(map(str, head), row)) for row in body]
    cut = sum(len(str(row.get("prediction") or "")) >= _LONGEST_CELL for row in rows)
    if cut:
        raise ValueError(f"{cut} replies as long as a cell, so that their ends are lost (set PRED_FORMAT=tsv)")
    return rows


def _json(file: Path) -> list[Row]:
    return [dict(row) for row in json.loads(file.read_text(encoding="utf-8"))]


READERS: dict[str, Callable[[Path], list[Row]]] = {".tsv": _tsv, ".xlsx": _xlsx, ".json": _json}
