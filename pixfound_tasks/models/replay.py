"""`--model pixfound_replay`: scores predictions made elsewhere, in the authors' folder layout, like any model's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lmms_eval.api.instance import GenerationResult, Instance
from loguru import logger

from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.selection import SELECTIONS
from pixfound_tasks.masks import Size
from pixfound_tasks.models.base import ChatModel, Request, check_arguments, timed
from pixfound_tasks.models.png_masks import MaskFolder
from pixfound_tasks.models.replay_files import read_answers, read_judged, read_phrases, read_points
from pixfound_tasks.models.replay_log import ReplayLog
from pixfound_tasks.models.replay_masks import ReplayedMasks, entry_of
from pixfound_tasks.protocols import protocol_of
from pixfound_tasks.response import from_text, to_text

_ARGUMENTS = ("masks", "answers", "phrases", "points", "select", "judged", "mask", "no_candidate", "name")


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
        points: for candidates, the study's `point_file`: one line `7.jpg | orange wings | [123  45]` per phrase, in the
            order of the phrases, with the pixel (x, y) that prompted the segmenter. The study writes it and reads it
            nowhere; here the analyses of when and where grounding emerges use it.
        select: how to choose the answer's candidate: "similarity", "judge" or "first".
        judged: for `select=judge`, a JSONL file of lines `{"question_id": 0, "selected file": "1_004_002.png"}`. The id
            counts from 0; `NONE` means absent. A file such as `3.png` is the image's only mask.
        mask: which masks of a reply in `answers` count: "union", all of them; or "first", as in the study's scripts for
            GLaMM and OMG-LLaVA, which save the first one only.
        no_candidate: what an image says without any candidate, without a judge's choice, or with negative similarities
            only: "absent", its object is not there; or "wrong", as in the study, whatever is there.
        name: the system's name, shown in results.
    """

    def __init__(
        self,
        masks: str | None = None,
        answers: str | None = None,
        phrases: str | None = None,
        points: str | None = None,
        select: str = "similarity",
        judged: str | None = None,
        mask: str = "union",
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
        check_choice("mask", mask, ("union", "first"))
        if mask == "first" and not answers:
            raise ValueError("expected answers=FILE.jsonl with mask=first, but got none; a PNG has only one mask")
        if (select == "judge") != (judged is not None):
            raise ValueError(
                f"expected judged=FILE.jsonl together with select=judge, but got select={select!r}, {judged=}"
            )
        self.answers, self.mask = read_answers(Path(answers)) if answers else None, mask
        self.masks: ReplayedMasks | None = None
        if masks:
            folder = MaskFolder.find(Path(masks))
            provenance = {"model": str(name), "select": select, "masks": masks, "answers": answers}
            provenance |= {} if no_candidate == "absent" else {"no_candidate": no_candidate}
            self.masks = ReplayedMasks(
                folder,
                select,
                no_candidate,
                read_phrases(Path(phrases)) if phrases else {},
                read_points(Path(points)) if points else {},
                read_judged(Path(judged)) if judged else {},
                provenance | {"mask_files": folder.count},
            )
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
        reply = entry_of(request, self.answers)
        if reply is None:
            self.log.notes["have no answer: it counts as incorrect and unparsed"] += 1
        return reply

    def _open(self, request: Request) -> str | None:
        size = request.image.height, request.image.width
        reply = self._counted(self._reply(request), size)
        if self.masks is None or (reply is not None and from_text(reply, size).is_grounded):
            return reply
        response = self.masks.response(request, self.log)
        if response is None:
            return reply
        return to_text(response if reply is None else replace(response, text=reply))

    def _referring(self, request: Request) -> str | None:
        if self.masks is not None:
            response = self.masks.response(request, self.log)
            return None if response is None else to_text(response)
        if self.answers is None:
            raise ValueError(f"expected masks=FOLDER for the task {request.task}, but got none")
        self.log.notes["need grounding, but there is no masks=FOLDER: their answers are searched for coordinates"] += 1
        return self._counted(self._reply(request), (request.image.height, request.image.width))

    def _counted(self, reply: str | None, size: Size) -> str | None:
        """The reply, or with mask=first its first mask, if it is a response with masks."""
        if self.mask == "union" or reply is None:
            return reply
        response = from_text(reply, size)
        if response.masks is None:
            return reply
        provenance = response.provenance | {"mask": self.mask}
        return to_text(replace(response, masks=response.masks[:1], provenance=provenance))


def _check_task(task: str) -> None:
    """Raise ValueError for a task that prompts several times about an image; predictions hold one answer for each."""
    protocol = protocol_of(task)
    if protocol and protocol.is_repeated:
        raise ValueError(
            f"expected a task with one prompt per image, but got {task}, which has several prompts per image; run the "
            "model itself on it"
        )
