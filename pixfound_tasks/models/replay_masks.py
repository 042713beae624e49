"""Turns the mask files of an image into a response: its only mask, or candidates and the selected one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pixfound_tasks import masks
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.grounding.selection import SELECTIONS
from pixfound_tasks.masks import Rle, Size
from pixfound_tasks.models.base import Request
from pixfound_tasks.models.png_masks import MaskFolder, MaskKey, PngMask, UnreadableMask, read_png
from pixfound_tasks.models.replay_files import ImageKey, PhraseLine, PointLine, image_key
from pixfound_tasks.models.replay_log import ReplayLog
from pixfound_tasks.protocols import find_task
from pixfound_tasks.response import Candidate, Phrase, Point, Response, Selection

T = TypeVar("T")


@dataclass(frozen=True)
class ReplayedMasks:
    """The mask files of a system, and what its other files say about them, see `replay.PixFoundReplay`.

    `phrases`, `points` and `judged` are what `replay_files` reads. `provenance` is that of every response.
    """

    folder: MaskFolder
    select: str
    no_candidate: str
    phrases: Mapping[ImageKey, Mapping[int, PhraseLine]] = field(default_factory=dict)
    points: Mapping[ImageKey, Sequence[PointLine]] = field(default_factory=dict)
    judged: Mapping[int, MaskKey | None] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def response(self, request: Request, log: ReplayLog) -> Response | None:
        """Return the response to a request; None if the image has no mask file that can be read.

        `log` gets what there is to say about it. Raises ValueError if the files contradict each other.
        """
        size = request.image.height, request.image.width
        files = entry_of(request, self.folder.files) or {}
        read = self._read(request, files, size, log)
        response = self._response(request, files, {key: png.mask for key, png in read.items()}, log)
        if response is None:
            log.notes["have no mask: it counts as unparsed"] += 1
            return self._refusal(files, log)
        log.covered.append(masks.area(response.prediction(size)) / (size[0] * size[1]))
        if notes := "; ".join(dict.fromkeys(png.note for png in read.values() if png.note)):
            response = replace(response, provenance=response.provenance | {"mask_files_have": notes})
        return response

    def _response(
        self, request: Request, files: Mapping[MaskKey, Path], found: Mapping[MaskKey, Rle], log: ReplayLog
    ) -> Response | None:
        if () in found:
            masks_found = (found[()],) if masks.area(found[()]) else ()
            # In a folder of candidates, the black picture of an image says that its answer has no phrase.
            notes = {} if masks_found or not self.folder.has_candidates else self._unanswered()
            return Response(masks=masks_found, provenance={**self.provenance, **notes})
        return self._select(request, files, found, log) if found else None

    def _refusal(self, files: Mapping[MaskKey, Path], log: ReplayLog) -> Response | None:
        """Return a response without masks that says why, if there are pictures that are no masks."""
        refused = {path.name: log.unreadable.get(path.name) for path in files.values()}
        problems = tuple(f"{name}: {why}" for name, why in refused.items() if why is not None and why.is_picture)
        return Response(problems=problems, provenance=dict(self.provenance)) if problems else None

    def _read(
        self, request: Request, files: Mapping[MaskKey, Path], size: Size, log: ReplayLog
    ) -> dict[MaskKey, PngMask]:
        found = {}
        for key, path in sorted(files.items()):
            try:
                found[key] = read_png(path, size, self.folder.ground, request.image)
            except UnreadableMask as error:
                log.unreadable[path.name] = error
        for key, png in found.items():
            if png.note:
                log.read_as.setdefault(png.note, []).append(files[key].name)
        if any(png.is_resized for png in found.values()):
            log.notes["have masks that differ in size from the image: they were resized"] += 1
        return found

    def _select(
        self, request: Request, files: Mapping[MaskKey, Path], found: Mapping[MaskKey, Rle], log: ReplayLog
    ) -> Response | None:
        """Return the response with all candidates of an image, the chosen one as its mask.

        None if the mask that the judge chose could not be read.
        """
        lines = entry_of(request, self.phrases) or {}
        numbers = sorted({phrase for phrase, _ in found})
        phrases = [
            self._phrase(request, number, lines.get(number), [found[key] for key in found if key[0] == number])
            for number in numbers
        ]
        if self.select == "judge":
            choice = self._judged(request, files, log)
            if choice and choice not in found:
                return None
            selected = _selection(choice, list(found), numbers)
        else:
            selected = SELECTIONS[self.select](phrases)
        chosen: tuple[Rle, ...] = ()
        if selected.phrase is not None and selected.candidate is not None:
            chosen = (phrases[selected.phrase].candidates[selected.candidate].mask,)
        answer = next((line.answer for line in lines.values()), "")
        is_answered = bool(chosen) or (_place(request) in self.judged if self.judged else _has_similar(phrases))
        notes = {} if is_answered else self._unanswered()
        return Response(
            answer, chosen, phrases=tuple(phrases), selected=selected, provenance={**self.provenance, **notes}
        )

    def _phrase(self, request: Request, number: int, line: PhraseLine | None, found: Sequence[Rle]) -> Phrase:
        candidates, text, point = tuple(Candidate(mask) for mask in found), "", None
        if points := entry_of(request, self.points):
            point = _point(request, number, line, points)
            text = points[number].text
        if line is None:
            return Phrase(point, candidates, text)
        return Phrase(point, candidates, line.text, line.root, line.chars, similarity=line.similarity)

    def _unanswered(self) -> dict[str, Any]:
        """Return the note that the answer is wrong whatever is in the image, if `no_candidate` says so."""
        return {} if self.no_candidate == "absent" else {"unanswered": True}

    def _judged(self, request: Request, files: Mapping[MaskKey, Path], log: ReplayLog) -> MaskKey | None:
        place = _place(request)
        if place not in self.judged:
            log.notes["have no judge's choice: their objects count as absent"] += 1
        choice = self.judged.get(place)
        if choice is not None and choice not in files:
            raise ValueError(
                f"expected the judge to choose a candidate of image {request.image_id}, but {choice} is not in masks; "
                "correct the judged file or add the PNG"
            )
        return choice


def entry_of(request: Request, table: Mapping[ImageKey, T]) -> T | None:
    """Return the table's entry for a document: by its file name, else by its number."""
    keys = (image_key(Path(request.file).stem), image_key(request.image_id))
    return next((table[key] for key in keys if key in table), None)


def _place(request: Request) -> int:
    """Return the image's place in the judge's file, counted from 0; a benchmark's ids count from its first index."""
    task = find_task(request.task)
    return int(request.image_id) - (get_benchmark(task.benchmark).first_index if task else 1)


def _has_similar(phrases: Sequence[Phrase]) -> bool:
    """Whether a phrase with candidates has a similarity that is not negative."""
    return any((phrase.similarity or 0.0) >= 0 for phrase in phrases if phrase.candidates)


def _selection(choice: MaskKey | None, keys: Sequence[MaskKey], numbers: Sequence[int]) -> Selection:
    if choice is None:
        return Selection("judge")
    of_phrase = [key for key in keys if key[0] == choice[0]]
    return Selection("judge", numbers.index(choice[0]), of_phrase.index(choice))


def _point(request: Request, number: int, line: PhraseLine | None, points: Sequence[PointLine]) -> Point:
    """Return the point of a phrase as fractions: the center of its pixel.

    The study's file of points has one line per phrase, in order, without the phrase's number.
    """
    if number >= len(points) or (line is not None and points[number].text != line.text):
        got = repr(points[number].text) if number < len(points) else f"{len(points)} points"
        raise ValueError(
            f"expected a point for phrase {number}{f' ({line.text!r})' if line else ''} of image {request.image_id}, "
            f"but got {got}; take masks, phrases and points of one run"
        )
    x, y = points[number].x, points[number].y
    width, height = request.image.size
    if x >= width or y >= height:
        raise ValueError(
            f"expected points within the {width} x {height} pixels of image {request.image_id}, but got "
            f"({x:g}, {y:g}); take the points of the original images"
        )
    return (int(x) + 0.5) / width, (int(y) + 0.5) / height
