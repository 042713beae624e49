"""Reads the files that lmms-eval logged: samples, and the results file next to them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pixfound_tasks import response
from pixfound_tasks.analysis.faults import FAULTS
from pixfound_tasks.masks import Rle, Size, area, read_mask
from pixfound_tasks.response import Response
from pixfound_tasks.runs.log_validation import check_asking, check_metrics, check_variants, count, size_of

T = TypeVar("T")
_RESPONSE_TEXTS = ("resps", "filtered_resps", "grounded")  # long texts, needed once only
_CONTENT, _CORRECTED = re.compile(r"\bcontent ([0-9a-f]{12})\b"), "corrected answers"
LONGEST_REPEATED = 1000  # characters; there are up to 20 variations of each document
_USUAL = {"expressions": "clean", "images": "benchmark", "variations": "default"}
_SAMPLES_FILE = re.compile(r"(?P<date>.+?)_samples_(?P<task>.+)\.jsonl")


class RunError(ValueError):
    """Raised if a folder has no run of this package's tasks, or if a file in it cannot be read."""


class Origin(NamedTuple):
    """What documents were built from: the `text` for people, and what programs need of it.

    `content` is the beginning of the SHA-256 of the files, "" if there are none. `answers` says which answers count,
    "original" or "corrected". `rules` names how documents differ from the usual ones, such as "expressions authors".
    """

    text: str = ""
    content: str = ""
    answers: str = "original"
    rules: str = ""


@dataclass(frozen=True)
class Document:
    """One image's question, referring expression and ground-truth mask.

    `expression` is None if the question is not about an object. `pair` counts from 0 and is None on benchmarks without
    pairs. `width` and `height` are in pixels.
    """

    benchmark: str
    id: str
    pair: int | None
    question: str
    options: tuple[str, ...]
    options_text: str
    answer: str
    pattern: str
    task: str
    source: str
    expression: str | None
    mask: Rle
    width: int
    height: int
    origin: Origin

    @property
    def size(self) -> Size:
        return self.height, self.width


@dataclass(frozen=True)
class Answer:
    """A model's response to one prompt, and the metrics and faults of that response as lmms-eval logged them."""

    prompt: str
    response: Response
    metrics: Mapping[str, Any]
    faults: tuple[str, ...] = ()


class ImageEdit(NamedTuple):
    """What a task changed in an image: it cropped or blackened a `region`, or filled `painted` with the mean color.

    `region` is (left, top, right, bottom) in pixels. `kind` is the type of variation, "" for a painted mask.
    """

    kind: str = ""
    region: tuple[int, int, int, int] | None = None
    painted: Rle | None = None


@dataclass(frozen=True)
class RepeatedSample:
    """One sample of a task that prompts several times per document.

    `score` is what the task logged: the values of an `evidence.Asking` or a `sensitivity.VariantPart`. `left_out`
    counts the documents that the task leaves out, by reason. `prompt` and `text`, the answer, are cut to
    `LONGEST_REPEATED` characters. `edit` is what was changed in the image; None if nothing was.
    """

    id: str
    pair: int | None
    pattern: str
    score: tuple[Any, ...]
    left_out: Mapping[str, int]
    faults: tuple[str, ...] = ()
    prompt: str = ""
    text: str = ""
    edit: ImageEdit | None = None


def sample_files(folder: Path) -> list[tuple[Path, str]]:
    """Returns the sample files in a run's folder, oldest first, each with its task."""
    # File names begin with the date.
    files = sorted([*folder.glob("*_samples_*.jsonl"), *folder.glob("*/*_samples_*.jsonl")])
    # Opening a named pipe would block forever.
    return [(file, match["task"]) for file in files if file.is_file() and (match := _SAMPLES_FILE.fullmatch(file.name))]


def read_answers(file: Path, benchmark: str) -> Iterator[tuple[Document, Answer]]:
    """Yields the documents and answers of a task that prompts once per document. Raises `RunError` on a bad line."""
    return _read(file, benchmark, _answer)


def read_repeated(file: Path, benchmark: str, is_variant: bool) -> Iterator[RepeatedSample]:
    """Yields the samples of a task that prompts several times per document. Raises `RunError` on a bad line.

    `is_variant` says whether the task is one of prompt sensitivity; otherwise it is a target-masked ablation.
    """
    check_score = (lambda score, id: check_variants(score)) if is_variant else check_asking
    return _read(file, benchmark, partial(_repeated, check_score=check_score))


def read_settings(samples: Path) -> dict[str, Any]:
    """Returns the run's settings from the results file next to the samples; only the date if there is no such file."""
    match = _SAMPLES_FILE.fullmatch(samples.name)
    assert match is not None  # one of `sample_files`
    date = match["date"]
    file = samples.with_name(f"{date}_results.json")
    if not file.exists():
        return {"date": date}
    try:
        results = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"expected JSON in {file}, but got {error}; run lmms-eval again.") from error
    config = results.get("config") or {} if isinstance(results, dict) else None
    if not isinstance(config, dict):
        raise RunError(f"expected the results of a run in {file}, but got other JSON; run lmms-eval again.")
    return {
        "model_name": results.get("model_name"),
        "model": config.get("model"),
        "model_args": config.get("model_args"),
        "limit": config.get("limit"),
        "lmms_eval_version": _host_version(results.get("lmms_eval_version")),
        "versions": _versions(results.get("configs"), match["task"]),
        "date": date,
    }


def _host_version(recorded: Any) -> str | None:
    """Returns lmms-eval's version; None for "BRANCH@COMMIT", which is that of whatever clone it was started in."""
    return recorded if isinstance(recorded, str) and "@" not in recorded else None


def _versions(configs: Any, task: str) -> dict[str, str]:
    """Returns the versions in a task's metadata, see `tasks.versions`; runs of earlier releases have none."""
    found = configs
    for name in (task, "metadata", "versions"):
        found = found.get(name) if isinstance(found, dict) else None
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _read(file: Path, benchmark: str, read: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    """Yields `read(sample)` for each line of the file."""
    with file.open("rb") as lines:  # so that the error for a line that is not UTF-8 names the line too
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                sample = json.loads(line)
                if "bypass" in sample and "pixfound" not in sample:
                    raise RunError(
                        f"expected scores in {file}, but lmms-eval ran with --predict_only, which makes none; run it "
                        "again without that option (with the same --use_cache, the model need not answer again)."
                    )
                found = str(sample["pixfound"]["benchmark"])
                item = read(sample)
            except RunError:
                raise
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise RunError(
                    f"expected a sample that a task of pixfound-tasks logged in {file}, line {number}, but got "
                    f"{type(error).__name__}: {error}; run lmms-eval again with --log_samples."
                ) from error
            if found != benchmark:
                raise RunError(f"expected samples of {benchmark}, but {file}, line {number}, is of {found}.")
            yield item


def _answer(sample: dict[str, Any]) -> tuple[Document, Answer]:
    document = _document(sample["pixfound"])
    answer = response.from_text(_response_text(sample), document.size)
    metrics = {name: value for name, value in sample.items() if name not in _RESPONSE_TEXTS}
    # A model with a wording of its own notes it; lmms-eval logs that of the task.
    prompt = str(answer.provenance.get("prompt") or sample.get("input", ""))
    return document, Answer(prompt, answer, check_metrics(metrics), _faults(sample))


def _repeated(sample: dict[str, Any], check_score: Callable[[Any, str], tuple[Any, ...]]) -> RepeatedSample:
    fields = sample["pixfound"]
    id, pattern = str(fields["id"]), str(fields.get("pattern") or "")
    left_out = {reason: count(documents, reason) for reason, documents in dict(fields.get("left_out") or {}).items()}
    score = check_score(sample["score"], id)
    prompt, text = str(sample.get("input", ""))[:LONGEST_REPEATED], _answer_text(sample)[:LONGEST_REPEATED]
    return RepeatedSample(id, _pair(fields), pattern, score, left_out, _faults(sample), prompt, text, _edit(fields))


def _edit(fields: Mapping[str, Any]) -> ImageEdit | None:
    """Returns what the log says was changed in the image; None if nothing was, or if it cannot be read."""
    region, painted = fields.get("region"), fields.get("painted")
    if isinstance(region, list) and [type(each) for each in region] == [int] * 4:
        left, top, right, bottom = region
        if 0 <= left < right and 0 <= top < bottom:
            return ImageEdit(str(fields.get("variation_type") or ""), (left, top, right, bottom))
    if painted is None:
        return None
    try:
        mask = read_mask(painted, size_of(fields))
    except ValueError:
        return None
    return ImageEdit(painted=mask) if area(mask) else None


def _answer_text(sample: dict[str, Any]) -> str:
    """Returns what the model wrote; of a response in JSON, its text."""
    text = _response_text(sample)
    found = response.parse_json(text) if text.lstrip().startswith("{") else None
    said = found.get("text") if isinstance(found, dict) and "schema" in found else None
    return said if isinstance(said, str) else text


def _faults(sample: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the known faults of a sample; earlier versions logged none."""
    found = sample.get("faults")
    return tuple(name for name in FAULTS if name in found) if isinstance(found, list) else ()


def _document(fields: dict[str, Any]) -> Document:
    size = size_of(fields)
    return Document(
        benchmark=str(fields["benchmark"]),
        id=str(fields["id"]),
        pair=_pair(fields),
        question=str(fields["question"]),
        options=tuple(map(str, fields.get("options") or ())),
        options_text=str(fields.get("options_text") or ""),
        answer=str(fields["answer"]),
        pattern=str(fields.get("pattern") or ""),
        task=str(fields.get("task") or ""),
        source=str(fields.get("source") or ""),
        expression=None if fields.get("expression") is None else str(fields["expression"]),
        mask=read_mask(fields["mask"], size),
        width=size[1],
        height=size[0],
        origin=_origin(fields),
    )


def _origin(fields: dict[str, Any]) -> Origin:
    text, made = str(fields.get("origin") or ""), fields.get("provenance")
    if isinstance(made, dict):
        rules = ", ".join(
            f"{name} {made[name]}" for name, usual in _USUAL.items() if made.get(name) not in (None, usual)
        )
        return Origin(text, str(made.get("content") or ""), str(made.get("answers") or "original"), rules)
    # Earlier versions logged the text alone.
    return Origin(text, "+".join(_CONTENT.findall(text)), "corrected" if _CORRECTED in text else "original")


def _pair(fields: dict[str, Any]) -> int | None:
    pair = fields.get("pair")
    return None if pair is None else count(pair, "pair")


def _response_text(sample: dict[str, Any]) -> str:
    """Returns the response text as it was scored; lmms-eval stores it as a string or as a list with one string.

    If the task grounded a text answer when it was scored, the resulting response is under `grounded`.
    """
    if isinstance(sample.get("grounded"), str):
        return sample["grounded"]
    text = sample.get("filtered_resps", sample.get("resps", ""))
    while isinstance(text, list):
        text = text[0] if text else ""
    return str(text)
