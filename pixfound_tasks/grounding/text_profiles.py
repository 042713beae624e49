"""Models that write the boxes and points of objects after thinking, and a SAM that both prompt together.

A profile says how one of them is prompted and read. Sources: the authors' `vision_reasoner_model.py` (VisionReasoner,
arXiv 2505.12081) and `infer.py` (Seg-Zero, arXiv 2503.06520). Not run on the published checkpoints.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

from pixfound_tasks.masks import Size
from pixfound_tasks.registry import Registry
from pixfound_tasks.response import Box, Candidate, Point, Response
from pixfound_tasks.response.schema import Draft

if TYPE_CHECKING:
    from pixfound_tasks.attention.lens import Answer

_THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)
_ANSWER = re.compile(r"<answer>\s*(.*?)\s*</answer>", re.DOTALL)
_OBJECT = re.compile(r"{[^}]+}")


class Located(NamedTuple):
    """One object: its box, and points inside it, in pixels of the original image."""

    box: tuple[int, int, int, int]
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Profile:
    """How a model is prompted and read.

    Attributes:
        template: the prompt, with `{}` for the expression.
        stripped: the characters that are removed around the expression, which is written in lower case.
        read: turns an answer about an image of a (height, width) into its objects. Returns None if it cannot be read.
        side: the image is stretched to a square of this side.
        segmenter: the authors' segmenter.
        max_new_tokens: the authors' limit.
    """

    template: str
    stripped: str
    read: Callable[[str, Size], list[Located] | None]
    side: int = 840
    segmenter: str = "sam2:facebook/sam2-hiera-large"
    max_new_tokens: int = 2048

    def prompt(self, expression: str) -> str:
        """Return the prompt for a referring expression."""
        return self.template.replace("{}", expression.lower().strip(self.stripped))

    def seen(self, image: Image.Image) -> Image.Image:
        """Return the image that the model sees."""
        return image.resize((self.side, self.side), Image.Resampling.BILINEAR)


def read_vision_reasoner(text: str, size: Size, side: int = 840) -> list[Located] | None:
    """Read `[{"bbox_2d": [...], "point_2d": [...]}, ...]` between answer tags; numbers are halves rounded up."""
    found = _ANSWER.search(text)
    try:
        items = json.loads(found[1]) if found else None
        return None if items is None else [
            Located(_scaled(item["bbox_2d"], size, side, _half_up), (_scaled(item["point_2d"], size, side, _half_up),))
            for item in items
        ]  # fmt: skip
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def read_seg_zero(text: str, size: Size, side: int = 840) -> list[Located] | None:
    """Read the first `{"bbox": [...], "points_1": [...], "points_2": [...]}`; numbers are cut, scaled and rounded."""
    found = _OBJECT.search(text)
    try:
        fields = _object(found[0]) if found else {}
        box = next(value for name, value in fields.items() if "bbox" in name.lower())
        first, second = [value for name, value in fields.items() if "points" in name.lower()][:2]
        return [
            Located(
                _scaled(box, size, side, _rounded),
                (_scaled(first, size, side, _rounded), _scaled(second, size, side, _rounded)),
            )
        ]
    except (ValueError, TypeError, KeyError, OverflowError, StopIteration):
        return None


def _object(text: str) -> dict[str, Any]:
    """Return a JSON object, also one with single quotes, as the prompt's example has them."""
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = ast.literal_eval(text)
        except (SyntaxError, MemoryError, RecursionError) as error:
            raise ValueError(f"expected an object, but got {text:.80}") from error
    if not isinstance(found, dict):
        raise ValueError(f"expected an object, but got {text:.80}")
    return found


def _scaled(values: Sequence[Any], size: Size, side: int, whole: Callable[[Any, float], int]) -> Any:
    """Return x, y, x, y ... in pixels of an image, as a tuple. Raises ValueError unless there are 2 or 4 numbers."""
    factors = (size[1] / side, size[0] / side)
    if len(values) not in (2, 4):
        raise ValueError(f"expected two or four numbers, but got {values}")
    return tuple(whole(value, factors[index % 2]) for index, value in enumerate(values))


def _half_up(value: Any, factor: float) -> int:
    return int(value * factor + 0.5)


def _rounded(value: Any, factor: float) -> int:
    return round(int(value) * factor)


# Without spaces between the sentences, as the models were trained.
_VISION_REASONER = (
    'Please find "{}" with bboxs and points.'
    "Compare the difference between object(s) and find the most closely matched object(s)."
    "Output the thinking process in <think> </think> and final answer in <answer> </answer> tags."
    "Output the bbox(es) and point(s) inside the interested object(s) in JSON format."
    "i.e., <think> thinking process here </think>"
    '<answer>[{"bbox_2d": [10,100,200,210], "point_2d": [30,110]}, '
    '{"bbox_2d": [225,296,706,786], "point_2d": [302,410]}]</answer>'
)
_SEG_ZERO = (
    "Please find '{}' with bbox and points."
    "Compare the difference between objects and find the most closely matched one."
    "Output the thinking process in <think> </think> and final answer in <answer> </answer> tags."
    "Output the one bbox and points of two largest inscribed circles inside the interested object in JSON format."
    "i.e., <think> thinking process here </think>"
    "<answer>{'bbox': [10,100,200,210], 'points_1': [30,110], 'points_2': [35,180]}</answer>"
)
PROFILES: Registry[Profile] = Registry(
    "a profile of a text-writing segmenter",
    "pixfound_tasks.text_profiles",
    {
        "visionreasoner": Profile(_VISION_REASONER, '."?!', read_vision_reasoner),
        "segzero": Profile(_SEG_ZERO, ".", read_seg_zero, max_new_tokens=1024),
    },
    lambda record: isinstance(record, Profile),
)


def find_profile(name: str | None, pretrained: str) -> str:
    """Return the name of a profile: the given one, or the one that the checkpoint's name has in it.

    Raises ValueError if the given one is unknown, or the checkpoint's name has none in it.
    """
    plain = re.sub(r"[^a-z0-9]", "", pretrained.lower())
    found = name or next((each for each in PROFILES if each in plain), "")
    if found not in PROFILES:
        raise ValueError(
            f"expected profile=NAME with grounding=text, one of {sorted(PROFILES)}, but got {name!r} and a checkpoint "
            f"{pretrained!r} that names none"
        )
    return found


class JointSegmenter(Protocol):
    """A segmenter that takes a box and points of one object together."""

    name: str

    def set_image(self, image: np.ndarray) -> None:
        """Set the image, see `segmenters.base.Segmenter`."""

    def segment_objects(self, objects: Sequence[tuple[Box, Sequence[Point]]]) -> list[tuple[Candidate, ...]]:
        """Return the candidates of each object, in fractions of width and height."""


def check_joint(segmenter: Any) -> JointSegmenter:
    """Return a segmenter that takes boxes and points together. Raises ValueError if this one does not."""
    if not hasattr(segmenter, "segment_objects"):
        raise ValueError(
            f"expected a SAM as the segmenter with grounding=text, which takes a box and points together, but got "
            f"{segmenter.name!r}; give segmenter=sam2:CHECKPOINT"
        )
    return segmenter


@dataclass(frozen=True)
class ObjectGrounder:
    """Turns the objects in an answer into masks: one per object, the highest-scoring of the segmenter's candidates."""

    profile: Profile
    segmenter: JointSegmenter
    provenance: dict[str, Any] = field(default_factory=dict)

    def ground(self, answer: Answer, image: Image.Image, prompt: str, expression: str = "") -> Response:
        """Return the response to a prompt about an image (RGB). It has no masks if the answer cannot be read."""
        size = image.height, image.width
        thought = _THOUGHT.search(answer.text)
        text = _THOUGHT.sub("", answer.text, count=1).strip()
        response = Response(
            text=text,
            tokens=answer.tokens,
            provenance=self.provenance | {"prompt": prompt},
            draft=Draft(thought[0]) if thought else None,
        )
        objects = self.profile.read(answer.text, size)
        if objects is None:
            return replace(response, problems=("no objects in the form that the prompt asks for",))
        given = [(_fractions(each.box, size), [_fractions(point, size) for point in each.points]) for each in objects]
        if given:
            self.segmenter.set_image(np.asarray(image))
        candidates = self.segmenter.segment_objects(given) if given else []
        chosen = [max(found, key=lambda candidate: candidate.score) for found in candidates]
        return replace(
            response,
            masks=tuple(each.mask for each in chosen),
            scores=tuple(each.score for each in chosen),
            boxes=tuple(box for box, _ in given),
            provenance=response.provenance | {"segmenter": self.segmenter.name},
        )


def _fractions(values: Sequence[int], size: Size) -> Any:
    sides = (size[1], size[0])
    return tuple(min(max(value / sides[index % 2], 0.0), 1.0) for index, value in enumerate(values))
