"""`--model pixfound_replay`: scores predictions made elsewhere, in the authors' folder layout, like any model's."""

from __future__ import annotations

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
from pixfound_tasks.models.png_masks import MaskFolder, MaskKey, PngMask, UnreadableMask, read_png
from pixfound_tasks.models.replay_files import (
    ImageKey,
    PhraseLine,
    image_key,
    read_answers,
    read_judged,
    read_phrases,
)
from pixfound_tasks.models.replay_log import ReplayLog
from pixfound_tasks.protocols import find_task, protocol_of
from pixfound_tasks.response import Candidate, Phrase, Response, Selection, from_text, to_text

_ARGUMENTS = ("masks", "answers", "phrases", "select", "judged", "no_candidate", "name")
T = TypeVar("T")


class PixFoundReplay(ChatModel):
    """Reads answers and masks from disk.

    Choice questions use `answers`. Open questions use `answers` and, if given, `masks`. Referring tasks use `masks`, or
    without them the boxes, points and masks in `answers`. A reply that is already a response of the contract, with
    masks, boxes or points, is passed on unchanged. Images are matched by file name or by number.

    Args:
        masks: a folder of PNGs, 0 outside the mask: one per image (`00001.png`, `output00001.png`,
            `ADE_val_00000248.png`), or candidates `IMAGE_PHRASE_MASK.png`. Inverted masks, color maps of two colors,
            soft masks and cutouts are read too, and a warning says so. A file that cannot be read or does not show
            which pixels are the mask, such as an overlay, counts as missing, and a warning names it.
        answers: a JSONL file of either protocol's form. `question_id` is a number (from 1 for PixMMVP and PixMini,
            `idx` for PixCV-Bench) or a file name.
        phrases: for candidates, lines such as `7.jpg - 0 - orange wings| wings| 0.646507`, optionally continued with
            `| start | end| whole answer`.
        select: how to choose the answer's candidate: "similarity", "judge" or "first".
        judged: for `select=judge`, a JSONL file of lines `{"question_id": 0, "selected file": "1_004_002.png"}`. The id
            counts from 0; `NONE` means absent. A file such as `3.png` is the image's only mask.
        no_candidate: what an image says without any candidate, without a judge's choice, or with negative similarities
            only: "absent", its object is not there; or "wrong", as in the study, whatever is there.
        name: the system's name, shown in results.
    """

    def __init__(
        self,
        masks: str | None = None,
        answers: str | None = None,
        phrases: str | None = None,
        select: str = "similarity",
        judged: str | None = None,
        no_candidate: str = "absent",
        name: str = "replay",
        batch_size: int = 1,
        device: str | None = None,
        max_batch_size: int | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__()
        check_arguments(unknown, _ARGUMENTS)
        check_choice("select", select, (*SELECTIONS, "judge"))
        check_choice("no_candidate", no_candidate, ("absent", "wrong"))
        if (select == "judge") != (judged is not None):
            raise ValueError(
                f"expected judged=FILE.jsonl together with select=judge, but got select={select!r}, {judged=}"
            )
        self.select, self.no_candidate = select, no_candidate
        self.folder = MaskFolder.find(Path(masks)) if masks else None
        self.answers = read_answers(Path(answers)) if answers else None
        self.phrases = read_phrases(Path(phrases)) if phrases else {}
        self.judged = read_judged(Path(judged)) if judged else {}
        self.provenance: dict[str, Any] = {"model": str(name), "select": select, "masks": masks, "answers": answers}
        if no_candidate != "absent":
            self.provenance["no_candidate"] = no_candidate
        self.has_candidates = False
        if self.folder:
            self.provenance["mask_files"] = self.folder.count
            self.has_candidates = any(key for files in self.folder.files.values() for key in files)
        self.log = ReplayLog()

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """The predictions in the order of the requests.

        A document without a prediction gets an empty answer; a warning gives the number of such documents.
        """
        self.log = ReplayLog()
        results = list(timed(self._predictions(self.unpack(instance) for instance in requests), len(requests)))
        for warning in self.log.warnings(len(results)):
            logger.warning(warning)
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
            self.log.notes["have no answer: it counts as incorrect and unparsed"] += 1
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
        self.log.notes["need grounding, but there is no masks=FOLDER: their answers are searched for coordinates"] += 1
        return self._reply(request)

    def _grounded(self, request: Request, folder: MaskFolder, size: Size) -> Response | None:
        files = _of(request, folder.files) or {}
        read = self._read(request, files, folder, size)
        response = self._response(request, files, {key: png.mask for key, png in read.items()})
        if response is None:
            self.log.notes["have no mask: it counts as unparsed"] += 1
            return self._refusal(files)
        self.log.covered.append(masks.area(response.prediction(size)) / (size[0] * size[1]))
        if notes := "; ".join(dict.fromkeys(png.note for png in read.values() if png.note)):
            response = replace(response, provenance=response.provenance | {"mask_files_have": notes})
        return response

    def _response(
        self, request: Request, files: Mapping[MaskKey, Path], found: Mapping[MaskKey, Rle]
    ) -> Response | None:
        if () in found:
            masks_found = (found[()],) if masks.area(found[()]) else ()
            # In a folder of candidates, the black picture of an image says that its answer has no phrase.
            notes = {} if masks_found or not self.has_candidates else self._unanswered()
            return Response(masks=masks_found, provenance=self.provenance | notes)
        return self._select(request, files, found) if found else None

    def _refusal(self, files: Mapping[MaskKey, Path]) -> Response | None:
        """A response without masks that says why, if there are pictures that are no masks."""
        refused = {path.name: self.log.unreadable.get(path.name) for path in files.values()}
        problems = tuple(f"{name}: {why}" for name, why in refused.items() if why is not None and why.is_picture)
        return Response(problems=problems, provenance=self.provenance) if problems else None

    def _read(
        self, request: Request, files: Mapping[MaskKey, Path], folder: MaskFolder, size: Size
    ) -> dict[MaskKey, PngMask]:
        found = {}
        for key, path in sorted(files.items()):
            try:
                found[key] = read_png(path, size, folder.ground, request.image)
            except UnreadableMask as error:
                self.log.unreadable[path.name] = error
        for key, png in found.items():
            if png.note:
                self.log.read_as.setdefault(png.note, []).append(files[key].name)
        if any(png.is_resized for png in found.values()):
            self.log.notes["have masks that differ in size from the image: they were resized"] += 1
        return found

    def _select(self, request: Request, files: Mapping[MaskKey, Path], found: Mapping[MaskKey, Rle]) -> Response | None:
        """The response with all candidates of an image, the chosen one as its mask.

        None if the mask that the judge chose could not be read.
        """
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
        is_answered = bool(chosen) or (self._place(request) in self.judged if self.judged else _has_similar(phrases))
        provenance = self.provenance | ({} if is_answered else self._unanswered())
        return Response(answer, chosen, phrases=tuple(phrases), selected=selected, provenance=provenance)

    def _unanswered(self) -> dict[str, Any]:
        """The note that the answer is wrong whatever is in the image, if that is the rule; see `no_candidate`."""
        return {} if self.no_candidate == "absent" else {"unanswered": True}

    def _place(self, request: Request) -> int:
        """The image's place in the judge's file, counted from 0; a benchmark's ids count from its first index."""
        task = find_task(request.task)
        return int(request.image_id) - (get_benchmark(task.benchmark).first_index if task else 1)

    def _judged(self, request: Request, files: Mapping[MaskKey, Path]) -> MaskKey | None:
        place = self._place(request)
        if place not in self.judged:
            self.log.notes["have no judge's choice: their objects count as absent"] += 1
        choice = self.judged.get(place)
        if choice is not None and choice not in files:
            raise ValueError(
                f"expected the judge to choose a candidate of image {request.image_id}, but {choice} is not in masks; "
                "correct the judged file or add the PNG"
            )
        return choice


def _has_similar(phrases: Sequence[Phrase]) -> bool:
    """Whether a phrase with candidates has a similarity that is not negative."""
    return any((phrase.similarity or 0.0) >= 0 for phrase in phrases if phrase.candidates)


def _check_task(task: str) -> None:
    """Raise ValueError for a task that prompts several times about an image; predictions hold one answer for each."""
    protocol = protocol_of(task)
    if protocol and protocol.is_repeated:
        raise ValueError(
            f"expected a task with one prompt per image, but got {task}, which has several prompts per image; run the "
            "model itself on it"
        )


def _of(request: Request, table: Mapping[ImageKey, T]) -> T | None:
    """The table's entry for a document: by its file name, else by its number."""
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
