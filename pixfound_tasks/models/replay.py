"""`--model pixfound_replay`: predictions made elsewhere, in the authors' folder layout, scored by the same hooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from lmms_eval.api.instance import GenerationResult, Instance
from loguru import logger

from pixfound_tasks import masks
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.selection import SELECTIONS
from pixfound_tasks.masks import Rle, Size
from pixfound_tasks.models.base import ChatModel, Request, check_arguments, timed
from pixfound_tasks.models.png_masks import MaskFolder, MaskKey, UnreadableMask, read_png
from pixfound_tasks.models.predictions import (
    ImageKey,
    PhraseLine,
    image_key,
    read_answers,
    read_judged,
    read_phrases,
)
from pixfound_tasks.protocols import find_task, protocol_of
from pixfound_tasks.response import Candidate, Phrase, Response, Selection, from_text, to_text

_ARGUMENTS = ("masks", "answers", "phrases", "select", "judged", "name")
_NAMED = 5  # unreadable files that a warning names
T = TypeVar("T")


class PixFoundReplay(ChatModel):
    """Reads answers and masks from disk.

    Choice questions take `answers`, open ones `answers` and, where given, `masks`; to find something takes `masks`,
    or without them the boxes, points and masks that `answers` hold. A reply that is a response of the contract, with
    masks, boxes or points, is passed on as it is. An image is found by the name of its file or by its number.

    Args:
        masks: a folder of PNGs, 0 outside: one an image (`00001.png`, `output00001.png`, `ADE_val_00000248.png`), or
            candidates `IMAGE_PHRASE_MASK.png`. What cannot be read counts as missing, and is named in a warning.
        answers: a JSONL file of either protocol's form, by `question_id`: a number (of PixMMVP and PixMini from 1, of
            PixCV-Bench its `idx`) or a file name.
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
        self.folder = MaskFolder.find(Path(masks)) if masks else None
        self.answers = read_answers(Path(answers)) if answers else None
        self.phrases = read_phrases(Path(phrases)) if phrases else {}
        self.judged = read_judged(Path(judged)) if judged else {}
        self.provenance: dict[str, Any] = {"model": str(name), "select": select, "masks": masks, "answers": answers}
        if self.folder:
            self.provenance["mask_files"] = self.folder.count
        self.notes: Counter[str] = Counter()
        self.unreadable: dict[str, str] = {}

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """The predictions in the order of the requests; a document without one gets an empty answer, and is counted."""
        self.notes.clear()
        self.unreadable.clear()
        results = list(timed(self._predictions(self.unpack(instance) for instance in requests), len(requests)))
        for note, count in self.notes.items():
            logger.warning(f"{count} of {len(results)} documents {note}")
        if self.unreadable:
            named = ", ".join(f"{name!r} ({why[:80]})" for name, why in list(self.unreadable.items())[:_NAMED])
            logger.warning(f"{len(self.unreadable)} masks cannot be read and count as missing, such as {named}")
        return results

    def _predictions(self, requests: Iterator[Request]) -> Iterator[tuple[str, None]]:
        protocols = {"choice": self._reply, "open": self._open, "referring": self._referring}
        for request in requests:
            _check_task(request.task)
            yield protocols[request.protocol](request) or "", None

    def _reply(self, request: Request) -> str | None:
        if self.answers is None:
            raise ValueError(f"expected answers=FILE.jsonl for the task {request.task}, but got none")
        reply = _of(request, self.answers)
        if reply is None:
            self.notes["have no answer: it counts as wrong and unparsed"] += 1
        return reply

    def _open(self, request: Request) -> str | None:
        reply = self._reply(request)
        size = request.image.height, request.image.width
        if self.folder is None or (reply is not None and from_text(reply, size).is_grounded):
            return reply
        response = self._grounded(request, self.folder, size)
        if response is None:
            return reply
        return to_text(response if reply is None else replace(response, text=reply))

    def _referring(self, request: Request) -> str | None:
        if self.folder is not None:
            response = self._grounded(request, self.folder, (request.image.height, request.image.width))
            return None if response is None else to_text(response)
        if self.answers is None:
            raise ValueError(f"expected masks=FOLDER for the task {request.task}, but got none")
        self.notes["are to be grounded and there is no masks=FOLDER: their answers are searched for coordinates"] += 1
        return self._reply(request)

    def _grounded(self, request: Request, folder: MaskFolder, size: Size) -> Response | None:
        files = _of(request, folder.files) or {}
        found = self._read(files, size)
        if () in found:
            masks_found = (found[()],) if masks.area(found[()]) else ()
            return Response(masks=masks_found, provenance=self.provenance)
        response = self._select(request, files, found) if found else None
        if response is None:
            self.notes["have no mask: it counts as unparsed"] += 1
        return response

    def _read(self, files: Mapping[MaskKey, Path], size: Size) -> dict[MaskKey, Rle]:
        found = {}
        resized = 0
        for key, path in sorted(files.items()):
            try:
                found[key], is_resized = read_png(path, size)
                resized += is_resized
            except UnreadableMask as error:
                self.unreadable[path.name] = str(error)
        if resized:
            self.notes["have masks of another size than the image: they were resized"] += 1
        return found

    def _select(self, request: Request, files: Mapping[MaskKey, Path], found: Mapping[MaskKey, Rle]) -> Response | None:
        """The response with all candidates of an image, and the chosen one as its answer; None where that is broken."""
        lines = _of(request, self.phrases) or {}
        numbers = sorted({phrase for phrase, _ in found})
        phrases = [_phrase(lines.get(number), [found[key] for key in found if key[0] == number]) for number in numbers]
        if self.select == "judge":
            choice = self._judged(request, files)
            if choice and choice not in found:
                return None
            selected = _selection(choice, list(found), numbers)
        else:
            selected = SELECTIONS[self.select](phrases)
        chosen: tuple[Rle, ...] = ()
        if selected.phrase is not None and selected.candidate is not None:
            chosen = (phrases[selected.phrase].candidates[selected.candidate].mask,)
        answer = next((line.answer for line in lines.values()), "")
        return Response(answer, chosen, phrases=tuple(phrases), selected=selected, provenance=self.provenance)

    def _judged(self, request: Request, files: Mapping[MaskKey, Path]) -> MaskKey | None:
        # The judge's ids count from 0, and those of a benchmark's images from its first index.
        task = find_task(request.task)
        place = int(request.image_id) - (get_benchmark(task.benchmark).first_index if task else 1)
        if place not in self.judged:
            self.notes["were not judged: they count as not there"] += 1
        choice = self.judged.get(place)
        if choice is not None and choice not in files:
            raise ValueError(
                f"expected the judge to choose a candidate of image {request.image_id}, but {choice} is not in masks"
            )
        return choice


def _check_task(task: str) -> None:
    """Raise ValueError for a task that asks about an image several times: a prediction is of one asking."""
    protocol = protocol_of(task)
    if protocol and protocol.is_repeated:
        raise ValueError(
            f"expected a task that asks about every image once, but got {task}, which asks in several ways; run the "
            "model itself on it"
        )


def _of(request: Request, table: Mapping[ImageKey, T]) -> T | None:
    """What there is for a document, by the name of its file, else by its number."""
    keys = (image_key(Path(request.file).stem), image_key(request.image_id))
    return next((table[key] for key in keys if key in table), None)


def _selection(choice: MaskKey | None, keys: Sequence[MaskKey], numbers: Sequence[int]) -> Selection:
    if choice is None:
        return Selection("judge")
    of_phrase = [key for key in keys if key[0] == choice[0]]
    return Selection("judge", numbers.index(choice[0]), of_phrase.index(choice))


def _phrase(line: PhraseLine | None, found: Sequence[Rle]) -> Phrase:
    candidates = tuple(Candidate(mask) for mask in found)
    if line is None:
        return Phrase(candidates=candidates)
    return Phrase(None, candidates, line.text, line.root, line.chars, similarity=line.similarity)
