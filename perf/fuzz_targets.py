"""The targets of `fuzz.py`: for each, a function of bytes that must not raise an error, and seed inputs."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from loguru import logger
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.grounding.coordinates.reading import CONVENTIONS, read_coordinates
from pixfound_tasks.grounding.judge_replies import chosen_number
from pixfound_tasks.grounding.phrases import content_words, named_words, rule_phrases
from pixfound_tasks.models.png_masks import UnreadableMask, read_png
from pixfound_tasks.models.replay_files import read_answers, read_judged, read_phrases, read_points
from pixfound_tasks.prompts.evidence import KINDS
from pixfound_tasks.report.export import write_files
from pixfound_tasks.report.html.page import write_page
from pixfound_tasks.report.plots import plots
from pixfound_tasks.response import (
    Candidate,
    Phrase,
    PromptedMasks,
    Response,
    Selection,
    coarse_map,
    from_text,
    to_text,
)
from pixfound_tasks.response.final_answer import final_answer
from pixfound_tasks.response.option import is_correct_answer, lenient_choice
from pixfound_tasks.response.yes_no import read_verdict
from pixfound_tasks.runs.run import RunError, read_runs
from pixfound_tasks.runs.summary import summarize
from pixfound_tasks.tasks import choice, emergence, evidence, referring
from pixfound_tasks.tasks import open as open_task

SIZE = (160, 120)  # of the first two images of PixMini
OPTIONS = ["Open", "Closed"]
REPLIES = (
    '[{"bbox_2d": [12, 20, 90, 100], "label": "it"}]', "<box>[[1, 2, 30, 40]]</box>", '<point x="3.1" y="4">it</point>',
    "<|det|>[[1, 2, 30, 40]]<|/det|>", "<loc0001><loc0002><loc0300><loc0400> it", "{<12><30><45><60>}",
    '<points coords="1 1 250 300">it</points>', "<|box_start|>(1,2),(30,40)<|box_end|>", "There is no such object.",
    '{"bbox": {"top_left": [1, 2], "bottom_right": [30, 40]}}', "[10%, 20%, 30%, 40%] (in pixels)",
    '[{"polygon": [[1, 2], [30, 2], [30, 40]]}]', "<think>[1, 2, 3, 4]</think>Not [1, 2, 3, 4]. Answer: [5, 6, 7, 8]",
    '{"box_2d": [1, 2, 30, 40], "mask": "data:image/png;base64,iVBORw0KGgo="}', "\u56fe\u4e2d\u6ca1\u6709\u72d7\u3002",
    '{"x": 1, "y": 2, "width": 30, "height": 40}', "it<patch_index_0012><patch_index_0300>", "[0.1, 0.2, 0.5, 0.6]",
)  # fmt: skip
ANSWERS = (
    "The answer is: (b) Closed.",
    "(A)",
    "Option B, since a dog's face is open and the other half-eaten one isn't.",
    "<think>It may be A.</think>\\boxed{B}</s>",
    "It may be A[/THINK]<answer>**B**</answer>",
    "<|channel|>analysis<|message|>A?<|end|><|start|>assistant<|channel|>final<|message|>B<|return|>",
    'Okay, let me see. Not A, so B. No wait, {"answer": "A"}',
)


class Target(NamedTuple):
    """A fuzz target. If `is_json`, its inputs are JSON and are also mutated as JSON."""

    call: Callable[[bytes], None]
    seeds: list[bytes]
    is_json: bool = False


def make(name: str) -> Target:
    """Returns a target by name, and disables logging."""
    logger.remove()
    os.environ["PIXFOUND_SEGMENTER"] = "region"  # needs no weights
    return MAKERS[name]()


def box(*corners: float) -> masks.Rle:
    return masks.from_box(corners, SIZE)


def responses() -> list[str]:
    candidates = (Candidate(box(0, 0, 0.5, 1), 0.9), Candidate(box(0, 0, 1, 0.3), 0.2))
    look = coarse_map(np.eye(8))
    phrase = Phrase((0.3, 0.5), candidates, "the open wings", "wings", (4, 18), (1, 4), 0.8, look)
    full = Response(
        "See the open wings.", (box(0, 0, 0.5, 1),), ((0.0, 0.0, 0.5, 1.0),), ((0.2, 0.2),), (0.5,), (phrase,),
        Selection("similarity", 0, 1), (PromptedMasks((0.1, 0.9), candidates[:1]),), 6,
        {"control": True, "reducer": "mean"},
    )  # fmt: skip
    points = Response("There.", points=((0.2, 0.2),))
    found = [to_text(response) for response in (full, points, Response("None.", masks=()))]
    return [*found, json.dumps([box(0, 0, 1, 1)]), '{"answer": "b", "boxes": [[1, 2, 3, 4]]}']


def document(present: bool = True) -> dict[str, Any]:
    return {
        "benchmark": "pixmini", "id": "1", "pair": 0, "question": "Is it open?", "options": OPTIONS, "prompt": "",
        "options_text": "(a) Open (b) Closed", "answer": "b", "pattern": "Text", "expression": "the open wings",
        "mask": box(0, 0, 0.4, 0.9) if present else masks.empty(SIZE), "height": SIZE[0], "width": SIZE[1],
        "kind": "plain", "task": "", "source": "", "origin": "drawn", "left_out": {"without_region": 1},
    }  # fmt: skip


def text_of(data: bytes) -> str:
    """Decodes bytes to a string that may contain lone surrogates, as Python strings can."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def response() -> Target:
    def call(data: bytes) -> None:
        found = from_text(text_of(data), SIZE)
        written = to_text(found)
        found.text.encode()
        assert masks.decode(found.prediction(SIZE)).shape == SIZE
        if found.is_grounded:
            assert to_text(from_text(written, SIZE)) == written

    return Target(call, [text.encode() for text in responses()], is_json=True)


def scores() -> Target:
    documents = [document(), document(present=False), document() | {"expression": None}]
    referring.score_grounding(documents[0], [responses()[1]])  # renders the benchmark's images once

    def call(data: bytes) -> None:
        text = text_of(data)
        for doc in documents:
            found = [score(doc, [text]) for score in SCORES.values()]
            json.dumps(found, ensure_ascii=False).encode()  # what lmms-eval logs
            assert found[0]["accuracy"] in (0.0, 1.0) and found[1]["unparsed"] in (0.0, 1.0)

    return Target(call, [text.encode() for text in (*responses(), *REPLIES, *ANSWERS)], is_json=True)


SCORES = {
    "vqa": choice.score_choice, "ground": referring.score_grounding,
    "vqa_open": open_task.score_open, "when": emergence.score_when,
    "vqa_evidence": evidence.score_evidence,
}  # fmt: skip


def coordinates() -> Target:
    conventions = [None, *CONVENTIONS]

    def call(data: bytes) -> None:
        text = text_of(data[1:])
        found = read_coordinates(text, SIZE, conventions[data[0] % len(conventions)] if data else None)
        numbers = [number for place in (*(found.boxes or ()), *(found.points or ())) for number in place]
        assert all(0 <= number <= 1 for number in numbers)
        assert found.boxes is not None or found.points or found.masks or found.problems

    return Target(call, [bytes([place]) + text.encode() for place, text in enumerate((*REPLIES, *ANSWERS))])


def words() -> Target:
    def call(data: bytes) -> None:
        text = text_of(data)
        assert all(text[slice(*phrase.chars)] == phrase.text for phrase in rule_phrases(text))
        content_words(text), named_words(text)
        for keep_boxes in (True, False):
            start, stop = final_answer(text, keep_boxes).chars
            assert 0 <= start <= stop <= len(text)
        assert read_verdict(text).verdict in (None, True, False) and chosen_number(text, 4) in (None, 1, 2, 3, 4)
        assert lenient_choice(text, OPTIONS) in (None, 0, 1) and is_correct_answer(text, OPTIONS, 0) in (True, False)

    return Target(call, [text.encode() for text in ANSWERS])


def predictions() -> Target:
    path = Path(tempfile.mkdtemp(), "file")
    readers = (read_answers, read_judged, read_phrases, read_points)

    def call(data: bytes) -> None:
        path.write_bytes(data)
        for read in readers:
            try:
                found = read(path)
            except ValueError as error:
                assert str(path) in str(error)  # it names the file
            else:
                json.dumps(list(found.values()), ensure_ascii=False).encode()

    seeds = [
        b'{"question_id": 1, "answer": "B", "gt_answer": "(a)"}', b'{"questionId": "a/7.jpg", "response": {}}',
        b'{"question_id": 0, "selected file": "1_004_002.png"}', b'{"question_id": 1, "selected file": "NONE"}',
        b"7.jpg - 0 - orange wings| wings| 0.646507", b"7.jpg - 1 - a| b| nan | 3 | 9| whole answer",
    ]  # fmt: skip
    return Target(call, seeds, is_json=True)


def png() -> Target:
    path = Path(tempfile.mkdtemp(), "1.png")

    def call(data: bytes) -> None:
        path.write_bytes(data)
        with suppress(UnreadableMask):
            assert read_png(path, (3, 5)).mask["size"] == [3, 5]

    return Target(call, [_saved(mode) for mode in ("1", "L", "P", "LA", "RGB", "RGBA", "I;16")])


def _saved(mode: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.eye(6, dtype=np.uint8) * 255).convert("L").convert(mode).save(file, "PNG")
    return file.getvalue()


def report() -> Target:
    """Reports on a run. JSON input has samples by task; other input becomes the content of every samples file."""
    folder = Path(tempfile.mkdtemp())
    (folder / "model").mkdir()
    tasks = (*SCORES, "vqa_lang")

    def call(data: bytes) -> None:
        try:
            by_task = json.loads(data)
        except (ValueError, RecursionError):
            by_task = None
        for task in tasks:
            samples = by_task.get(task) if isinstance(by_task, dict) else None
            lines = [json.dumps(sample).encode() for sample in samples] if isinstance(samples, list) else [data]
            (folder / "model" / f"20260102_samples_pixmini_{task}.jsonl").write_bytes(b"\n".join(lines))
        try:
            runs = read_runs(folder)
        except RunError:
            return
        summaries = [summarize(run) for run in runs]
        drawn = [plots(summary) for summary in summaries] if len(data) % 64 == 0 else [[] for _ in summaries]
        write_page(runs, summaries, folder / "report", {}, drawn)
        write_files(runs, summaries, drawn, folder / "report")

    return Target(call, [json.dumps(samples(reply)).encode() for reply in (responses()[0], REPLIES[0])], is_json=True)


def samples(reply: str) -> dict[str, Any]:
    """Returns what lmms-eval logs for a pair of images, by task, with the same reply everywhere."""
    found: dict[str, list[dict[str, Any]]] = {task: [] for task in (*SCORES, "vqa_lang")}
    for doc in (document(), document(present=False) | {"id": "2"}):
        for task, score in SCORES.items():
            for kind in KINDS if task == "vqa_evidence" else ("plain",):
                logged = score(doc | {"kind": kind}, [reply])
                found[task].append(logged | {"filtered_resps": [reply], "input": "Where?"})
        for type, variation in (("original", 0), ("spelling", 1), ("template", 2)):
            found["vqa_lang"].append({"score": [type, variation, [0, True]], "pixfound": doc})
    return found


MAKERS = {
    "response": response, "scores": scores, "coordinates": coordinates, "words": words, "predictions": predictions,
    "png": png, "report": report,
}  # fmt: skip
