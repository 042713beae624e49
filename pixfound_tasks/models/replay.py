"""`--model pixfound_replay`: predictions made elsewhere, in the authors' folder layout, scored by the same hooks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lmms_eval.api.instance import GenerationResult, Instance
from loguru import logger
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.selection import SELECTIONS
from pixfound_tasks.masks import Rle, Size
from pixfound_tasks.models.base import ChatModel, Request, check_arguments, timed
from pixfound_tasks.response import Candidate, Phrase, Response, Selection, to_text

_ARGUMENTS = ("masks", "answers", "phrases", "select", "judged", "name")


class PhraseLine(NamedTuple):
    """One line of a phrases file; `chars` and `answer` only where the line goes on after the similarity."""

    image: int
    phrase: int
    text: str
    root: str
    similarity: float | None  # None where it is no finite number
    chars: tuple[int, int] | None = None
    answer: str = ""


class PixFoundReplay(ChatModel):
    """Reads answers and masks from disk.

    Args:
        masks: a folder of PNGs, 0 outside: `00001.png`, one an image, or candidates `ID_PHRASE_MASK.png`.
        answers: a JSONL file of either protocol's form, by `question_id`.
        phrases: for candidates, lines `7.jpg - 0 - orange wings| wings| 0.646507`, optionally continued
            ` | start | end| whole answer`.
        select: which candidate is the answer: "similarity", "judge" or "first".
        judged: for `select=judge`, a JSONL file `{"question_id": 0, "selected file": "1_004_002.png"}`, the id
            counted from 0, `NONE` for absent.
        name: shown in results.
    """

    def __init__(
        self,
        masks: str | None = None,
        answers: str | None = None,
        phrases: str | None = None,
        select: str = "similarity",
        judged: str | None = None,
        name: str = "replay",
        batch_size: int = 1,
        device: str | None = None,
        max_batch_size: int | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__()
        check_arguments(unknown, _ARGUMENTS)
        check_choice("select", select, (*SELECTIONS, "judge"))
        if (select == "judge") != (judged is not None):
            raise ValueError(
                f"expected judged=FILE.jsonl together with select=judge, but got select={select!r}, {judged=}"
            )
        self.select = select
        self.files = find_masks(Path(masks)) if masks else None
        self.answers = read_answers(Path(answers)) if answers else None
        self.phrases = read_phrases(Path(phrases)) if phrases else {}
        self.judged = read_judged(Path(judged)) if judged else {}
        self.provenance = {"model": str(name), "select": select, "masks": masks, "answers": answers}
        self.missing = self.unjudged = 0

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """The predictions in the order of the requests; a document without one gets an empty answer, and is counted."""
        results = list(timed(self._answers(self.unpack(instance) for instance in requests)))
        if self.missing:
            logger.warning(f"{self.missing} of {len(results)} documents have no prediction: they count as unparsed")
        if self.unjudged:
            logger.warning(f"{self.unjudged} of {len(results)} documents were not judged: they count as not there")
        return results

    def _answers(self, requests: Iterator[Request]) -> Iterator[tuple[str, None]]:
        for request in requests:
            found = self._answer(request) if request.expression is None else self._masks(request)
            self.missing += found is None
            yield found or "", None

    def _answer(self, request: Request) -> str | None:
        if self.answers is None:
            raise ValueError(f"expected answers=FILE.jsonl for the task {request.task}, but got none")
        return self.answers.get(int(request.image_id))

    def _masks(self, request: Request) -> str | None:
        if self.files is None:
            raise ValueError(f"expected masks=FOLDER for the task {request.task}, but got none")
        files = self.files.get(int(request.image_id))
        if files is None:
            return None
        size = request.image.height, request.image.width
        if () in files:
            mask = read_png(files[()], size)
            found = (mask,) if masks.area(mask) else ()
            return to_text(Response(masks=found, provenance=self.provenance))
        return to_text(self._select(int(request.image_id), files, size))

    def _select(self, image: int, files: dict[tuple[int, ...], Path], size: Size) -> Response:
        """The response that holds all candidates of an image, and as its answer the one that was chosen."""
        lines = self.phrases.get(image, {})
        numbers = sorted({phrase for phrase, _ in files})
        phrases = [
            _phrase(lines.get(number), [read_png(files[key], size) for key in sorted(files) if key[0] == number])
            for number in numbers
        ]
        if self.select == "judge":
            selected = self._judged(image, sorted(files), numbers)
        else:
            selected = SELECTIONS[self.select](phrases)
        chosen = () if selected.phrase is None else (phrases[selected.phrase].candidates[selected.candidate].mask,)
        answer = next((line.answer for line in lines.values()), "")
        return Response(answer, chosen, phrases=tuple(phrases), selected=selected, provenance=self.provenance)

    def _judged(self, image: int, keys: list[tuple[int, ...]], numbers: list[int]) -> Selection:
        self.unjudged += image not in self.judged
        choice = self.judged.get(image)
        if choice is None:
            return Selection("judge")
        if choice not in keys:
            raise ValueError(f"expected the judge to choose a candidate of image {image}, but {choice} is not in masks")
        of_phrase = [key for key in keys if key[0] == choice[0]]
        return Selection("judge", numbers.index(choice[0]), of_phrase.index(choice))


def _phrase(line: PhraseLine | None, found: list[Rle]) -> Phrase:
    candidates = tuple(Candidate(mask) for mask in found)
    if line is None:
        return Phrase(candidates=candidates)
    return Phrase(None, candidates, line.text, line.root, line.chars, similarity=line.similarity)


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
