"""The text-grounding baselines: a segmenter turns the boxes or points in a model's answer into masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.grounding.coordinates.reading import check_convention, convention_of_architecture, read_coordinates
from pixfound_tasks.grounding.products import Segment, with_products
from pixfound_tasks.grounding.segmenters.base import Segmenter
from pixfound_tasks.grounding.selection import Selector, choose_candidate
from pixfound_tasks.masks import Rle, Size
from pixfound_tasks.response import Box, Candidate, Point, PromptedMasks, Response, from_text, parse_json
from pixfound_tasks.settings import read_setting

if TYPE_CHECKING:
    from pixfound_tasks.attention.lens import Answer


def read_words(
    text: str, size: Size, convention: str | None = None, kind: str | None = None, expression: str | None = None
) -> Response:
    """Read the masks, boxes or points in a model's output about an image of `size` (height, width).

    No output makes it raise. JSON that follows the response contract is used as it is. Any other text is read by
    `read_coordinates` with the declared `convention`, the prompted `kind` and the referring `expression`, and the
    provenance records the convention that was assumed, and where masks came from. JSON with boxes or points but without
    a `schema` counts as the contract's fractions only if no convention is declared and all its numbers are in 0..1.
    """
    response = read_contract(text, size, convention, kind)
    return response or read_reply(text, size, convention, kind, expression)


def read_contract(text: str, size: Size, convention: str | None = None, kind: str | None = None) -> Response | None:
    """Return the response if an output follows the contract, or is what remains of JSON that did; else None."""
    response = from_text(text, size)
    if response.masks is not None or (response.problems and not response.is_grounded):
        return response
    fields = parse_json(text)
    is_recovered = fields is None and response.is_grounded  # JSON in a code block or behind thinking
    return response if is_recovered or _is_contract(fields, convention, kind) else None


def read_reply(
    text: str, size: Size, convention: str | None = None, kind: str | None = None, expression: str | None = None
) -> Response:
    """Return the response in an output that does not follow the contract, see `read_words`."""
    reading = read_coordinates(text, size, convention, kind, expression)
    provenance = {"coordinates": reading.convention}
    if reading.masks is not None:
        provenance["masks"] = reading.mask_source
    return Response(
        text, reading.masks, reading.boxes, reading.points, provenance=provenance, problems=reading.problems
    )


def _is_contract(fields: Any, convention: str | None, kind: str | None) -> bool:
    if not isinstance(fields, dict) or "schema" in fields or convention:
        return isinstance(fields, dict) and "schema" in fields
    names = ("boxes",) if kind == "box" else ("boxes", "points")
    items = [fields[name] for name in names if isinstance(fields.get(name), list)]
    return bool(items) and all(0 <= number <= 1 for item in chain(*items) for number in _numbers(item))


def _numbers(item: Any) -> list[float]:
    values = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return [value for value in values if type(value) in (int, float)]


def with_masks(response: Response, segment: Segment, segmenter: str, mask: str = "highest") -> Response:
    """Return the response with a mask for each box, or for each point if it has no boxes.

    A response that already has masks, or that has neither boxes nor points, is returned unchanged. `segment` is not
    called if the answer is "not there". `segmenter` is the name that the provenance records.
    """
    prompts: Sequence[Box | Point] = response.boxes or response.points or ()
    if response.masks is not None or not response.is_grounded:
        return response
    distinct = list(dict.fromkeys(prompts))  # a model that loops repeats the same box endlessly
    prompts_with_masks = [PromptedMasks(None, candidates) for candidates in segment(distinct)] if distinct else []
    chosen = {
        prompt: probe.candidates[choose_candidate(probe, mask)].mask
        for prompt, probe in zip(distinct, prompts_with_masks)
    }
    found = tuple(chosen[prompt] for prompt in prompts)
    notes = {"segmenter": segmenter} | ({} if mask == "highest" else {"mask": mask})
    return replace(response, masks=found, provenance=response.provenance | notes)


def enlarged(image: Image.Image, times: int) -> Image.Image:
    """Return the image with its width and height multiplied, as the study enlarges it for Qwen2.5-VL's boxes."""
    return image if times == 1 else image.resize((times * image.width, times * image.height))


def _read_enlarged(text: str, size: Size, times: int, convention: str | None, kind: str) -> Response:
    """Return the response, for an image of `size`, in the reply of a model that saw this image enlarged."""
    seen = (times * size[0], times * size[1])
    response = read_contract(text, size, convention, kind) or read_reply(text, seen, convention, kind)
    if response.masks is None:
        return response
    return replace(response, masks=tuple(_resized(each, size) for each in response.masks))


def _resized(mask: Rle, size: Size) -> Rle:
    return mask if tuple(mask["size"]) == size else masks.encode(masks.resize(masks.decode(mask), size))


def convention_of(config: Any, processor: Any) -> str | None:
    """Return the convention of a transformers model's coordinates: PIXFOUND_COORDINATES if set, else its family's.

    The image processor gives the bounds of resizing, or says that it crops. Returns None if neither is known; then only
    numbers whose syntax implies a convention are read. Raises ValueError if PIXFOUND_COORDINATES is invalid.
    """
    if named := read_setting("PIXFOUND_COORDINATES"):
        check_convention(named)
        return named
    convention, images = convention_of_architecture(config.model_type), getattr(processor, "image_processor", None)
    if convention == "resized" and images is not None:
        bounds = images.size["shortest_edge"], images.size["longest_edge"]
        return f"resized:{images.patch_size * images.merge_size}:{bounds[0]}:{bounds[1]}"
    if convention == "fraction_padded" and getattr(images, "do_center_crop", False):
        return "fraction_cropped"
    return convention


@dataclass(frozen=True)
class WordGrounder:
    """Turns the boxes or points (`kind`) that a model was prompted for into masks with a segmenter.

    `mask` is the rule by which one of a segmenter's masks is taken. If there is a `selector`, the candidates are
    products of the masks instead, see `products`, and it selects one of them. `enlarge` says how many times as wide and
    high the image is that the model saw; the segmenter gets the image itself.
    """

    segmenter: Segmenter
    kind: str
    convention: str | None
    provenance: dict[str, Any] = field(default_factory=dict)
    mask: str = "highest"
    selector: Selector | None = None
    enlarge: int = 1

    def ground(self, answer: Answer, image: Image.Image, prompt: str, expression: str = "") -> Response:
        """Return the response to a prompt about an image (RGB). It has no masks if the answer has no coordinates.

        `expression` is the referring expression, which a judge of products needs.
        """

        def segment(prompts: Sequence[Box | Point]) -> list[tuple[Candidate, ...]]:
            self.segmenter.set_image(np.asarray(image))
            return self.segmenter.segment(prompts)

        size = image.height, image.width
        response = _read_enlarged(answer.text, size, self.enlarge, self.convention, self.kind)
        if (selector := self.selector) is None:
            response = with_masks(response, segment, self.segmenter.name, self.mask)
        else:
            response = with_products(
                response, segment, self.segmenter.name, lambda phrases: selector(phrases, image, expression)
            )
        provenance = self.provenance | response.provenance | {"prompt": prompt}
        return replace(response, tokens=answer.tokens, provenance=provenance)
