"""Finds the geometry of a prompt's image tokens: by a registered rule, which is checked, or by measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

import numpy as np
import torch
from loguru import logger
from PIL import Image

from pixfound_tasks.attention.families.registry import GEOMETRIES, token_geometries
from pixfound_tasks.attention.geometry import Size, TokenGeometry
from pixfound_tasks.attention.measured.cache import GeometryCache, Kept
from pixfound_tasks.attention.measured.comparison import Deviation, deviation
from pixfound_tasks.attention.measured.errors import NoPlace, NotMeasurable
from pixfound_tasks.attention.measured.layouts import Layouts
from pixfound_tasks.attention.measured.measure import Measurement, measure, measure_ids, prove_geometries
from pixfound_tasks.attention.measured.query_reading import Reading
from pixfound_tasks.attention.measured.query_shares import query_shares
from pixfound_tasks.attention.measured.vision_part import VisionPart
from pixfound_tasks.choices import check_choice

if TYPE_CHECKING:
    from jaxtyping import Float32

GeometryMode = Literal["auto", "measured", "registered"]
MODES = get_args(GeometryMode)

_ANY_SIZE = (64, 64)  # of an image that shows which ids are image tokens
_PIXELS, _BOXES = 1.0, 0.15  # a registered rule is wrong if a box is off by more than both


class Found(NamedTuple):
    """The geometry of one prompt's images.

    Attributes:
        geometries: one per image.
        ids: the ids of the image tokens in the prompt; empty if the configuration names none.
        how: "registered", or how it was measured.
        reading: how image tokens without a place of their own read patches, whose geometries these are then.
    """

    geometries: tuple[TokenGeometry, ...]
    ids: tuple[int, ...]
    how: str
    reading: Reading | None = None

    @property
    def tokens(self) -> int:
        """The number of image tokens."""
        return sum(len(own.boxes) for own in self.geometries) if self.reading is None else self.reading.tokens

    def over_patches(
        self, model: Any, inputs: Mapping[str, Any], values: Sequence[Float32[np.ndarray, "*rows image_tokens"]]
    ) -> list[Float32[np.ndarray, "*rows places"]]:
        """Return values over a prompt's image tokens as values over the tokens of the geometries.

        These are the same, unless image tokens have no place of their own. Each value is then shared out among the
        patches as its token read them, see `measured.query_shares`; the vision part of the model runs once for that.

        Args:
            model: the model.
            inputs: its inputs for this prompt alone.
            values: arrays whose last axis are the image tokens.
        """
        if self.reading is None:
            return list(values)
        shares = query_shares(model, inputs, self.reading)
        return [(value @ shares).astype(value.dtype) for value in values]


def check_mode(mode: str) -> GeometryMode:
    """Return the mode of this name. Raises ValueError if there is none."""
    check_choice("geometry", mode, MODES)
    return cast(GeometryMode, mode)


class GeometrySource:
    """Finds geometries for one model with one processor.

    Args:
        model: the model.
        processor: its processor.
        mode: "registered": by the rule of the model's family; "measured": by measurement; "auto": by the rule if the
            family has one, else by measurement. With "auto", the first image of each layout of image tokens is checked
            against the model.
        process: turns the images of one prompt into the model's inputs, on the CPU.
        images_kwargs: options that the processor is called with.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        mode: GeometryMode,
        process: Callable[[Sequence[Image.Image]], Mapping[str, Any]],
        images_kwargs: dict[str, Any],
    ) -> None:
        self.model, self.processor, self.process, self.images_kwargs = model, processor, process, images_kwargs
        self.mode, self.family = check_mode(mode), model.config.model_type
        self._checked: set[Any] = set()
        self._kept: GeometryCache | None = None
        self._layouts = Layouts()
        self._measured_ids: tuple[int, ...] | None = None

    def image_ids(self) -> tuple[int, ...]:
        """Return the ids of the image tokens: the one that the configuration names, or else measured ones.

        Raises ValueError if the configuration names none, and no id stands for image tokens.
        """
        if self._measured_ids is not None:
            return self._measured_ids
        token = getattr(self.model.config, "image_token_id", None)
        if token is None:
            self._measured_ids = self._ids_by_measurement()
            return self._measured_ids
        return (int(token),)

    def _ids_by_measurement(self) -> tuple[int, ...]:
        try:
            return measure_ids(self.model, self.process, _ANY_SIZE)
        except NotMeasurable as error:
            raise ValueError(
                f"expected a config with image_token_id, or image tokens that can be measured, but {self._name} has "
                f"neither: {error}"
            ) from error

    @property
    def has_rule(self) -> bool:
        """Whether the family has a registered rule."""
        return self.family in GEOMETRIES

    @property
    def is_registered(self) -> bool:
        """Whether geometries come from a registered rule."""
        return self.mode == "registered" or (self.mode == "auto" and self.has_rule)

    def find(self, sizes: Sequence[Size]) -> Found:
        """Return the geometry of a prompt with images of these (height, width).

        Raises:
            ValueError: if the family has no rule and the mode is "registered", a rule is proved wrong, or the geometry
                cannot be measured with certainty. It is never guessed.
        """
        if not self.is_registered:
            kept = self._measured(sizes)
            if kept.ids:
                self._measured_ids = tuple(sorted({*(self._measured_ids or ()), *kept.ids}))
            return Found(kept.geometries, kept.ids, kept.how, kept.reading)
        geometries = token_geometries(self.model.config, self.processor, sizes, None, self.images_kwargs)
        found = Found(geometries, self.image_ids(), "registered")
        if self.mode == "auto":
            self._check(found, sizes)
        return found

    def measure(self, sizes: Sequence[Size]) -> Measurement:
        """Measure the geometry, without the cache of sizes. Raises ValueError as `find` does."""
        try:
            return measure(self.model, self.process, sizes, self._layouts)
        except NoPlace as error:
            raise ValueError(
                f"expected image tokens of {self._name} that stand for places in the image, so that there is a map to "
                f"draw, but this failed: {error}"
            ) from error
        except NotMeasurable as error:
            raise ValueError(
                f"expected a geometry of {self._name} that can be measured for images of (height, width) "
                f"{[tuple(size) for size in sizes]}, but this failed: {error}; register a rule, "
                f"GEOMETRIES[{self.family!r}] = my_geometry, see pixfound_tasks.attention.families.registry"
            ) from error

    def registered(self, sizes: Sequence[Size]) -> tuple[TokenGeometry, ...]:
        """Return the geometries by the registered rule. Raises ValueError if there is none."""
        return token_geometries(self.model.config, self.processor, sizes, None, self.images_kwargs)

    @property
    def _name(self) -> str:
        return repr(self.model.config.name_or_path or self.family)

    def _cache(self) -> GeometryCache:
        if self._kept is None:
            self._kept = GeometryCache(self.model, self.processor, self.images_kwargs)
        return self._kept

    def _measured(self, sizes: Sequence[Size]) -> Kept:
        if (kept := self._cache().read(sizes)) is not None:
            return kept
        measurement = self.measure(sizes)
        cost = measurement.cost
        through = "" if measurement.reading is None else ", through the image tokens' attention to patches"
        logger.info(
            f"token geometry of {self._name} measured ({measurement.how}{through}) for images of (height, width) "
            f"{[tuple(size) for size in sizes]} in {cost.seconds:.2f} s: {cost.forwards} runs of the vision part, "
            f"{cost.backwards} gradients, {cost.calls} calls of the processor"
        )
        kept = Kept(measurement.geometries, measurement.ids, measurement.how, measurement.reading)
        self._cache().write(sizes, kept)
        return kept

    def _check(self, found: Found, sizes: Sequence[Size]) -> None:
        """Raise ValueError if the rule is proved wrong for a layout that was not checked yet."""
        layout = [_layout(geometry) for geometry in found.geometries]
        if (key := str(layout)) in self._checked or self._cache().is_proved(layout):
            return
        try:
            part = VisionPart(self.model)
            with torch.inference_mode(False):
                verdict = prove_geometries(part, self.process, found.geometries, found.ids, pictures=1)
            if not verdict.faults:
                self._checked.add(key)
                self._cache().write_proved(layout)
                return
            measurement = measure(self.model, self.process, sizes, self._layouts)
        except Exception as error:  # the check proves rules wrong, and nothing else: a model that runs must run
            logger.debug(f"the geometry rule of {self.family!r} could not be checked: {error}")
            self._checked.add(key)
            return
        try:
            off: Deviation | str = deviation(measurement.geometries, found.geometries)
        except ValueError as error:
            off = str(error)
        if is_wrong(off):
            raise ValueError(
                f"expected the geometry rule of {self.family!r} to fit this model and processor, but {described(off)} "
                f"for images of (height, width) {[tuple(size) for size in sizes]}: use geometry=measured, or "
                "geometry=registered to go on unchecked"
            )
        self._checked.add(key)


def check_tokens(config: Any, found: Found, count: int) -> None:
    """Raise ValueError if a prompt's geometries do not fit its `count` image tokens, or give one image no place."""
    geometries, expected = found.geometries, found.tokens
    # With cross-attention, the image tokens are not part of the prompt.
    is_crossing = bool(getattr(config.get_text_config(), "cross_attention_layers", None))
    if expected != count and not is_crossing:
        raise ValueError(
            f"expected {expected} image tokens of {config.model_type!r} for images of (height, width) "
            f"{[geometry.size for geometry in geometries]}, but the prompt holds {count}: the geometry does not match "
            "the processor; use geometry=measured, or register a rule that matches"
        )
    for geometry in geometries:
        if np.isnan(geometry.boxes[:, 0]).all():
            raise ValueError(
                f"expected image tokens of {config.model_type!r} that stand for places in the image, but none of the "
                f"{len(geometry.boxes)} does, for an image of (height, width) {geometry.size}: there is no map to draw"
            )


def is_wrong(off: Deviation | str) -> bool:
    """Return whether a deviation proves a rule wrong: other numbers of tokens, or boxes clearly elsewhere."""
    return isinstance(off, str) or bool(off.missing or off.extra) or (off.pixels > _PIXELS and off.boxes > _BOXES)


def described(off: Deviation | str) -> str:
    """Return a deviation in words."""
    if isinstance(off, str):
        return off
    words = f"boxes differ from measured ones by up to {off.pixels:.1f} px ({off.boxes:.0%} of a side)"
    if off.missing or off.extra:
        words += f", {off.missing} tokens with a box see no place and {off.extra} without one see a place"
    return words


def _layout(geometry: TokenGeometry) -> tuple[int, int, int]:
    """Return what tells the layouts of an image's tokens apart: their number, and the numbers of columns and rows."""
    boxes = geometry.boxes[~np.isnan(geometry.boxes[:, 0])]
    columns, rows = (len(np.unique(np.round(boxes[:, axis], 3))) for axis in (0, 1))
    return len(geometry.boxes), columns, rows
