"""`--model pixfound_replay`: predictions made elsewhere, in the authors' folder layout, scored by the same hooks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmms_eval.api.instance import GenerationResult, Instance
from loguru import logger

from pixfound_tasks import masks
from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.selection import SELECTIONS
from pixfound_tasks.masks import Rle, Size
from pixfound_tasks.models.base import ChatModel, Request, check_arguments, timed
from pixfound_tasks.models.predictions import (
    PhraseLine,
    find_masks,
    read_answers,
    read_judged,
    read_phrases,
    read_png,
)
from pixfound_tasks.response import Candidate, Phrase, Response, Selection, to_text

_ARGUMENTS = ("masks", "answers", "phrases", "select", "judged", "name")


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
