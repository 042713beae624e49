"""Files of predictions in the layout of the study's own scripts: JSONL answers, a judge's choices, lists of phrases.

Records are looked up by the key of their image, see `image_key`. A duplicate record is an error, and so is a line that
cannot be read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pixfound_tasks.response import whole_characters

ImageKey = int | str
# PixMMVP's images are numbers, padded or not; some scripts write "output00001". Twelve digits are a COCO file name.
_NUMBER = re.compile(r"(?:output)?([0-9]{1,11})")
# As numpy writes two whole numbers; commas and decimals are read, too.
_PIXEL = re.compile(r"\[\s*([0-9]{1,9}(?:\.[0-9]*)?)[\s,]\s*([0-9]{1,9}(?:\.[0-9]*)?)\s*\]")
_LONGEST_LINE = 1 << 24  # characters
T = TypeVar("T")


class PhraseLine(NamedTuple):
    """One line of a phrases file; `chars` and `answer` are set only if the line continues after the similarity."""

    image: ImageKey
    phrase: int
    text: str
    root: str
    similarity: float | None  # None if it is not a finite number
    chars: tuple[int, int] | None = None
    answer: str = ""


class PointLine(NamedTuple):
    """One line of a points file: a phrase, and the pixel (x, y) that prompted the segmenter."""

    text: str
    x: float
    y: float


def image_key(name: str) -> ImageKey:
    """The key of an image in a prediction: a number for "7", "00007" and "output00007", else the name unchanged."""
    number = _NUMBER.fullmatch(name)
    return int(number[1]) if number else name


def read_answers(path: Path) -> dict[ImageKey, str]:
    """Replies by image, from protocol 2's form (`answer`, beside `gt_answer`) or the other protocols' (`response`).

    `question_id` (or `questionId`) is the image's number or its file name; folders in the name are ignored. A reply
    that is an object or a list becomes its JSON text. Raises ValueError that names file and line.
    """

    def reply(record: dict[str, Any]) -> tuple[ImageKey, str]:
        text = record["answer"] if "gt_answer" in record else record["response"]
        identifier = record["question_id"] if "question_id" in record else record["questionId"]
        if type(identifier) not in (int, str):
            raise TypeError
        if isinstance(text, (dict, list)):
            text = json.dumps(text)
        return image_key(Path(str(identifier)).stem), "" if text is None else whole_characters(str(text))

    return _by_key(path, _parsed(reply), "question_id with answer and gt_answer, or with response")


def read_judged(path: Path) -> dict[int, tuple[int, ...] | None]:
    """The candidate (phrase, mask) that the judge chose, None for "absent", by `question_id`.

    A file such as `3.png` is the image's only mask, (): the study names it if an answer has no phrase.

    `question_id` is the position of the image, counted from 0. Raises ValueError that names file and line.
    """

    def choice(record: dict[str, Any]) -> tuple[int, tuple[int, ...] | None]:
        place, chosen = int(record["question_id"]), record["selected file"]
        if chosen == "NONE":
            return place, None
        if Path(chosen).stem.isdecimal():
            return place, ()
        _, phrase, mask = Path(chosen).stem.rsplit("_", 2)
        return place, (int(phrase), int(mask))

    return _by_key(path, _parsed(choice), '"question_id" and "selected file" such as 1_004_002.png, 1.png or NONE')


def read_phrases(path: Path) -> dict[ImageKey, dict[int, PhraseLine]]:
    """The lines of a phrases file, by image and phrase. Raises ValueError that names file and line."""

    def phrase(text: str) -> tuple[tuple[ImageKey, int], PhraseLine]:
        line = _phrase_line(text)
        return (line.image, line.phrase), line

    found: dict[ImageKey, dict[int, PhraseLine]] = {}
    for line in _by_key(
        path, phrase, "'7.jpg - 0 - orange wings| wings| 0.646507 [| start | end| whole answer]'"
    ).values():
        found.setdefault(line.image, {})[line.phrase] = line
    return found


def _phrase_line(text: str) -> PhraseLine:
    image, phrase, rest = text.split(" - ", 2)
    words, root, number, *more = rest.split("|", 5)
    similarity = float(number) if math.isfinite(float(number)) else None
    line = PhraseLine(image_key(Path(image.strip()).stem), int(phrase), words.strip(), root.strip(), similarity)
    if not more:
        return line
    start, end, answer = more
    chars = (int(start), int(end))
    if not 0 <= chars[0] <= chars[1] <= _LONGEST_LINE:
        raise ValueError
    return line._replace(chars=chars, answer=answer.strip())


def read_points(path: Path) -> dict[ImageKey, list[PointLine]]:
    """The lines of the study's `point_file` by image, one per phrase, in the order of the phrases.

    Raises ValueError that names file and line.
    """

    def point(line: str) -> tuple[ImageKey, PointLine]:
        image, rest = line.split("|", 1)
        text, pixel = rest.rsplit("|", 1)
        numbers = _PIXEL.fullmatch(pixel.strip())
        if numbers is None:
            raise ValueError
        return image_key(Path(image.strip()).stem), PointLine(text.strip(), float(numbers[1]), float(numbers[2]))

    found: dict[ImageKey, list[PointLine]] = {}
    for number, line in _lines(path):
        with _named(path, number, line, "'7.jpg | orange wings | [123  45]'"):
            image, read = point(line)
            found.setdefault(image, []).append(read)
    return found


def _parsed(read: Callable[[dict[str, Any]], tuple[Any, T]]) -> Callable[[str], tuple[Any, T]]:
    return lambda line: read(json.loads(line))


@contextmanager
def _named(path: Path, number: int, line: str, expected: str) -> Iterator[None]:
    """Raise ValueError that names file and line for whatever reading the line raises."""
    try:
        yield
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"expected {expected} in line {number} of {path}, but got {line[:200]!r}") from error


def _by_key(path: Path, read: Callable[[str], tuple[Any, T]], expected: str) -> dict[Any, T]:
    found: dict[Any, T] = {}
    places: dict[Any, int] = {}
    for number, line in _lines(path):
        with _named(path, number, line, expected):
            key, value = read(line)
        if key in found:
            raise ValueError(
                f"expected {key!r:.80} once in {path}, but got it in lines {places[key]} and {number}; drop one"
            )
        found[key], places[key] = value, number
    return found


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers counted from 1. Only a line feed ends a line."""
    number = 0
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        try:
            while line := file.readline(_LONGEST_LINE + 1):
                number += 1
                if len(line) > _LONGEST_LINE:
                    raise ValueError(
                        f"expected at most {_LONGEST_LINE} characters a line, but line {number} of {path} has more"
                    )
                if line.strip():
                    yield number, line
        except UnicodeDecodeError as error:
            raise ValueError(
                f"expected UTF-8 in {path}, but got other bytes at or after line {number + 1}: {error.reason}"
            ) from error
