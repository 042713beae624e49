"""Reading a response from whatever a model printed. The text is untrusted; reading it never raises."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

from pixfound_tasks import masks
from pixfound_tasks.masks import InvalidMask, Rle, Size
from pixfound_tasks.response import maps
from pixfound_tasks.response.final_answer import final_answer
from pixfound_tasks.response.maps import CoarseMap, InvalidMap, TokenMap
from pixfound_tasks.response.schema import (
    BOX_CORNERS,
    Box,
    Candidate,
    Draft,
    Phrase,
    Point,
    PromptedMasks,
    Response,
    Selection,
)

# A JSON object with one of these keys is a grounded response; any other JSON is text.
_GROUNDED_KEYS = ("schema", "masks", "boxes", "points")
_SAM3_KEYS = {"masks", "boxes", "points", "scores"}

_MOST_ITEMS = 1000  # per list: a model in a loop repeats the same box endlessly
_MOST_PROBLEMS = 20
_OUTSIDE = 0.01  # how far a fraction may lie outside 0..1 without a word
_MOST_TOKENS = 1 << 31  # limits characters too; larger numbers could overflow numpy's 64 bits
# Parts of a response or of masks as JSON. If the whole is no JSON, it was cut, and its numbers are not an answer.
_REMAINS = re.compile(
    r'"schema"\s*:\s*"pixfound/|"counts"\s*:\s*(?:"|\[)|\A(?!\s*[\[{`]).*?","(?:masks|boxes|points|scores|phrases)":\[',
    re.DOTALL,
)
_CODE_BLOCK = re.compile(r"\A```(?:json)?\s*(.*?)\s*```\Z", re.DOTALL)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

T = TypeVar("T")


def from_text(text: str, size: Size) -> Response:
    """Read a model's output for an image of `size` (height, width). No output makes it raise.

    JSON may stand alone, in a code block, or behind the model's thinking. If it is cut off at either end, the response
    has neither text nor masks. What cannot be read is left out and listed in `problems`: masks of another size or with
    inconsistent run lengths, values that are not finite numbers, and list items after the first 1000. Coordinates are
    clamped to 0..1, unknown keys are ignored, and lone surrogates are replaced.

    Raises TypeError if the size is not one.
    """
    size = masks.check_size(size)
    if not isinstance(text, str):
        return Response(problems=(f"expected text, but got {type(text).__name__}",))
    value = parse_json(text)
    if value is None and _REMAINS.search(text):
        value = parse_json(_CODE_BLOCK.sub(r"\1", final_answer(text, keep_boxes=True).text))
    if value is None and _REMAINS.search(text):
        return Response(problems=(f"expected the whole JSON of a grounded response, but got a part: {text[:80]!r}",))
    if isinstance(value, list) and value and all(isinstance(item, dict) and "counts" in item for item in value):
        value = {"masks": value}
    if not isinstance(value, dict) or not any(key in value for key in _GROUNDED_KEYS):
        return Response(text=_as_text(text))

    problems = [problem for problem in _listed(value.get("problems")) if isinstance(problem, str)]
    found = list(_mask_values(value))
    reader = _Reader(size, problems, dict(zip(map(id, found), masks.read_masks(found, size))))
    return Response(
        text=_text_of(value, text),
        masks=reader.items(value, "masks", reader.mask),
        boxes=reader.items(value, "boxes", reader.box),
        points=reader.items(value, "points", reader.point),
        scores=reader.items(value, "scores", reader.number) or (),
        phrases=reader.items(value, "phrases", reader.phrase) or (),
        selected=reader.selection(value.get("selected")),
        control=reader.items(value, "control", reader.probe) or (),
        tokens=value["tokens"] if _is_count(value.get("tokens")) else None,
        provenance=value["provenance"] if isinstance(value.get("provenance"), dict) else {},
        problems=_shortened(problems),
        draft=reader.draft(value.get("draft")),
        token_maps=_token_maps(value.get("token_maps")),
    )


def _token_maps(value: Any) -> tuple[TokenMap, ...]:
    """None of them if one cannot be read. That is no problem of the answer: nothing that is scored depends on them."""
    try:
        return () if value is None else maps.read_tokens(value)
    except InvalidMap:
        return ()


def _text_of(fields: dict[str, Any], output: str) -> str:
    """The answer's text.

    For JSON in a form of the model's own, such as `{"answer": "(b)", "boxes": ...}`, it is the whole output.
    """
    if isinstance(fields.get("text"), str):
        return _as_text(fields["text"])
    return "" if "schema" in fields or fields.keys() <= _SAM3_KEYS else _as_text(output)


def parse_json(text: str) -> Any:
    """The value of an output that may be JSON; None if it is not JSON or is nested too deeply."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _mask_values(fields: dict[str, Any]) -> Iterator[Any]:
    """All values in a response's JSON that should be masks."""
    yield from _listed(fields.get("masks"))
    draft = fields.get("draft")
    drafted = draft.get("phrases") if isinstance(draft, dict) else None
    for probe in chain(*map(_listed, (fields.get("phrases"), fields.get("control"), drafted))):
        for candidate in _listed(probe.get("candidates") if isinstance(probe, dict) else None):
            yield candidate.get("mask") if isinstance(candidate, dict) else None


def _listed(value: Any) -> list[Any]:
    """The first `_MOST_ITEMS` items of a list; none if the value is not a list."""
    return value[:_MOST_ITEMS] if isinstance(value, list) else []


def _shortened(problems: list[str]) -> tuple[str, ...]:
    if len(problems) > _MOST_PROBLEMS:
        problems = [*problems[: _MOST_PROBLEMS - 1], f"and {len(problems) - _MOST_PROBLEMS + 1} more"]
    return tuple(map(_as_text, problems))


class _Unreadable(ValueError):
    pass


@dataclass(frozen=True)
class _Reader:
    """Turns untrusted JSON values into the contract's types; what it cannot read goes into `problems`.

    `masks` maps the id of each value that should be a mask to the mask or the error, because masks are read all at
    once.
    """

    size: Size
    problems: list[str]
    masks: dict[int, Rle | InvalidMask]

    def items(self, fields: dict[str, Any], name: str, read: Callable[[Any], T]) -> tuple[T, ...] | None:
        """The readable items of a list, possibly none; None if the field is missing.

        If masks came but none can be read, the result is an empty tuple, so boxes beside them do not replace them.
        """
        values = fields.get(name)
        if values is None:
            return None
        if not isinstance(values, list):
            self.problems.append(f"{name}: expected a list, but got {type(values).__name__}")
            return ()
        if len(values) > _MOST_ITEMS:
            self.problems.append(f"{name}: expected at most {_MOST_ITEMS}, but got {len(values)}; the first ones count")
        found = []
        for index, value in enumerate(_listed(values)):
            try:
                found.append(read(value))
            except (InvalidMask, _Unreadable) as error:
                self.problems.append(f"{name}[{index}]: {error}")
        return tuple(found)

    def mask(self, value: Any) -> Rle:
        found = self.masks[id(value)]
        if isinstance(found, InvalidMask):
            raise found
        return found

    def number(self, value: Any) -> float:
        if type(value) not in (int, float) or not math.isfinite(_as_float(value)):
            raise _Unreadable(f"expected a finite number, but got {str(value)[:40]!r}")
        return float(value)

    def fractions(self, values: Any, count: int) -> tuple[float, ...]:
        if not isinstance(values, list) or len(values) != count:
            raise _Unreadable(f"expected {count} numbers, but got {str(values)[:40]!r}")
        numbers = [self.number(value) for value in values]
        clamped = tuple(min(max(number, 0.0), 1.0) for number in numbers)
        if max(abs(number - within) for number, within in zip(numbers, clamped)) > _OUTSIDE:
            self.problems.append(f"expected fractions in 0..1, but got {str(numbers)[:60]}; clamped")
        return clamped

    def point(self, value: Any) -> Point:
        x, y = self.fractions(value, 2)
        return x, y

    def box(self, value: Any) -> Box:
        corners = [value.get(name) for name in BOX_CORNERS] if isinstance(value, dict) else value
        x_min, y_min, x_max, y_max = self.fractions(corners, 4)
        return x_min, y_min, x_max, y_max

    def candidate(self, value: Any) -> Candidate:
        if not isinstance(value, dict):
            raise _Unreadable(f"expected a mask and its score, but got {type(value).__name__}")
        return Candidate(self.mask(value.get("mask")), self.number(value.get("score", 0.0)))

    def probe(self, value: Any) -> PromptedMasks:
        if not isinstance(value, dict):
            raise _Unreadable(f"expected a point and its candidates, but got {type(value).__name__}")
        point = value.get("point")
        candidates = self.items(value, "candidates", self.candidate)
        return PromptedMasks(None if point is None else self.point(point), candidates or ())

    def phrase(self, value: Any) -> Phrase:
        probe = self.probe(value)
        similarity = value.get("similarity")
        return Phrase(
            probe.point,
            probe.candidates,
            text=_as_text(value.get("text")),
            root=_as_text(value.get("root")),
            chars=self.span(value.get("chars")),
            tokens=self.span(value.get("tokens")),
            similarity=None if similarity is None else self.number(similarity),
            map=self.map(value.get("map")),
        )

    def draft(self, value: Any) -> Draft | None:
        if not isinstance(value, dict):
            return None
        tokens = value["tokens"] if _is_count(value.get("tokens")) else None
        return Draft(_as_text(value.get("text")), tokens, self.items(value, "phrases", self.phrase) or ())

    def map(self, value: Any) -> CoarseMap | None:
        """None if there is no map or it cannot be read; the phrase's masks count all the same."""
        try:
            return None if value is None else maps.read(value)
        except InvalidMap as error:
            self.problems.append(f"map: {error}")
            return None

    def span(self, value: Any) -> tuple[int, int] | None:
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != 2 or not all(map(_is_count, value)) or value[0] > value[1]:
            raise _Unreadable(f"expected a range of two whole numbers, but got {str(value)[:40]!r}")
        return (value[0], value[1])

    def selection(self, value: Any) -> Selection | None:
        if not isinstance(value, dict) or not isinstance(value.get("by"), str):
            return None
        chosen = (value.get("phrase"), value.get("candidate"))
        phrase, candidate = (index if _is_count(index) else None for index in chosen)
        return Selection(_as_text(value["by"]), phrase, candidate)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST_TOKENS


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _as_text(value: Any) -> str:
    return whole_characters(value) if isinstance(value, str) else ""


def whole_characters(text: str) -> str:
    """The text with lone surrogates replaced by U+FFFD.

    JSON may contain them, as in "\\ud800". They cannot be written as UTF-8, so lmms-eval's log of samples would fail on
    them.
    """
    return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
