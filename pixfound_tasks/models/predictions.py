"""Files of predictions in the layout of the study's own scripts: PNG masks, JSONL answers, lists of phrases."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.masks import Rle, Size


class PhraseLine(NamedTuple):
    """One line of a phrases file; `chars` and `answer` only where the line goes on after the similarity."""

    image: int
    phrase: int
    text: str
    root: str
    similarity: float | None  # None where it is no finite number
    chars: tuple[int, int] | None = None
    answer: str = ""


def find_masks(folder: Path) -> dict[int, dict[tuple[int, ...], Path]]:
    """PNG files by image, and for each by (phrase, mask); by () where a file is an image's only mask."""
    files: dict[int, dict[tuple[int, ...], Path]] = {}
    for path in folder.glob("*.png"):
        parts = path.stem.split("_")
        if len(parts) in (1, 3) and all(part.isdigit() for part in parts):
            image, *candidate = map(int, parts)
            files.setdefault(image, {})[tuple(candidate)] = path
    if not files:
        raise ValueError(f"expected PNGs such as 00001.png or 1_000_002.png in masks={folder}, but found none")
    return files


def read_png(path: Path, size: Size) -> Rle:
    """A mask from a picture: everything that is not 0; brought to the image's size where it has another."""
    with Image.open(path) as picture:
        mask = np.asarray(picture.convert("L")) > 0
    return masks.encode(mask if mask.shape == size else masks.resize(mask, size))


def read_answers(path: Path) -> dict[int, str]:
    """Replies by question id, from protocol 2's form (`answer`, beside `gt_answer`) or the others' (`response`)."""

    def reply(record: dict[str, Any]) -> tuple[int, str]:
        text = record["answer"] if "gt_answer" in record else record["response"]
        return int(record["question_id"]), "" if text is None else str(text)

    return dict(_records(path, reply, "question_id with answer and gt_answer, or with response"))


def read_judged(path: Path) -> dict[int, tuple[int, int] | None]:
    """The judge's candidate (phrase, mask) by image, None for absent; `question_id` counts the images from 0."""

    def choice(record: dict[str, Any]) -> tuple[int, tuple[int, int] | None]:
        image, chosen = int(record["question_id"]) + 1, record["selected file"]
        if chosen == "NONE":
            return image, None
        _, phrase, mask = Path(chosen).stem.split("_")
        return image, (int(phrase), int(mask))

    return dict(_records(path, choice, '"question_id" and "selected file" such as 1_004_002.png or NONE'))


def _records(path: Path, read: Callable[[dict[str, Any]], tuple], expected: str) -> Iterator[tuple]:
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield read(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"expected {expected} in line {number} of {path}, but got {line[:200]!r}") from error


def read_phrases(path: Path) -> dict[int, dict[int, PhraseLine]]:
    """The lines of a phrases file by image and phrase."""
    found: dict[int, dict[int, PhraseLine]] = {}
    for number, text in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not text.strip():
            continue
        try:
            line = _phrase_line(text)
        except ValueError as error:
            form = "7.jpg - 0 - orange wings| wings| 0.646507 [| start | end| whole answer]"
            raise ValueError(f"expected {form!r} in line {number} of {path}, but got {text[:200]!r}") from error
        found.setdefault(line.image, {})[line.phrase] = line
    return found


def _phrase_line(text: str) -> PhraseLine:
    image, phrase, rest = text.split(" - ", 2)
    words, root, number, *more = rest.split("|", 5)
    similarity = float(number) if math.isfinite(float(number)) else None
    line = PhraseLine(int(Path(image).stem), int(phrase), words.strip(), root.strip(), similarity)
    if not more:
        return line
    start, end, answer = more
    return line._replace(chars=(int(start), int(end)), answer=answer.strip())
