"""Run a model on images and keep what each token of its answer attends to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from pixfound_tasks.attention.answer_start import left_out
from pixfound_tasks.attention.geometry import Size, TokenGeometry
from pixfound_tasks.attention.geometry_source import Found, GeometryMode, GeometrySource, check_mode, check_tokens
from pixfound_tasks.attention.inputs import (
    answer_ids,
    check_chat_option,
    check_system,
    end_tokens,
    padded_to_square,
    prompt_inputs,
    token_spans,
)
from pixfound_tasks.attention.localization_heads import choose_heads
from pixfound_tasks.attention.look import Look
from pixfound_tasks.attention.measured.image_tokens import prompt_image_mask
from pixfound_tasks.attention.measured.measure import Measurement
from pixfound_tasks.attention.record import QUERIES, Heads, Query
from pixfound_tasks.attention.recorded_batch import record_batch
from pixfound_tasks.attention.recorder import Layers, choose_layers, image_attention_modules, record_attention
from pixfound_tasks.attention.reducers import REDUCERS, non_finite_rows_to_nan
from pixfound_tasks.choices import check_choice
from pixfound_tasks.hosts.attention_modules import reads_encoder
from pixfound_tasks.images import as_rgb

if TYPE_CHECKING:
    from jaxtyping import Bool
    from torch import Tensor

AnyImage = Image.Image | str | Path | np.ndarray  # see `as_rgb`
Images = AnyImage | Sequence[AnyImage]  # the images of one prompt
THROUGH = "through the resampler"  # a look's geometry if image tokens read patches, and have no place of their own
_MEASURED_PROMPT = "Describe the image."


class Answer(NamedTuple):
    """An answer without a recording. `tokens` counts its tokens, without end-of-text."""

    text: str
    tokens: int


@dataclass(frozen=True)
class Lens:
    """A transformers image-text-to-text model with its processor. It shows what the model's answers attend to.

    Attributes:
        model: the model.
        processor: its processor.
        reducer: a name in `REDUCERS`. "heads" needs explicit `heads`, or the lens that `calibrate` returns.
        layers: as in `record_attention`.
        heads: as in `record_attention`.
        query: as in `AttentionRecord.rows`.
        images_kwargs: options passed to every call of the processor.
        chat_kwargs: options passed to the chat template, such as `{"enable_thinking": False}`.
        system: a system message before every prompt; "" for none.
        pad: whether to pad images to a centered square in the processor's mean color before it sees them, as in
            LLaVA-1.5's training.
        geometry: where image tokens lie in the image: "registered", by the rule of the model's family; "measured", on
            the model and processor themselves; "auto", by the rule if the family has one, else measured.

    Raises:
        ValueError: if the reducer or query is unknown, `layers` names a layer that the model does not have, or the chat
            template does not read one of `chat_kwargs`.
    """

    model: Any
    processor: Any
    reducer: str = "mean_centered"
    layers: Layers = "all"
    heads: Heads = "all"
    query: Query = "predict"
    images_kwargs: dict[str, Any] = field(default_factory=dict)
    chat_kwargs: dict[str, Any] = field(default_factory=dict)
    system: str = ""
    pad: bool = False
    geometry: GeometryMode = "auto"
    _source: GeometrySource = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_choice("reducer", self.reducer, REDUCERS)
        check_choice("query", self.query, QUERIES)
        choose_layers(self.layers, len(image_attention_modules(self.model)))
        for name, value in self.chat_kwargs.items():
            if isinstance(value, bool):
                check_chat_option(self.processor, name)
        if self.system:
            check_system(self.processor, self.system)
        check_mode(self.geometry)
        source = GeometrySource(self.model, self.processor, self.geometry, self.inputs_of_images, self.images_kwargs)
        object.__setattr__(self, "_source", source)

    def look(self, image: Images, prompt: str, answer: str | None = None, **generation: Any) -> Look:
        """Return an answer and what it attends to.

        Args:
            image: one image, or all images of the prompt: Pillow images of any mode, paths of image files, or arrays,
                uint8 (height, width, 3). Each is turned into RGB, and rotated as its EXIF data says.
            prompt: the text of the prompt.
            answer: a given answer, read in one forward pass. If None, the model generates its own.
            generation: options for `model.generate`. Generation is greedy unless they say otherwise.
        """
        return self.look_all([image], [prompt], None if answer is None else [answer], **generation)[0]

    def look_all(
        self, images: Sequence[Images], prompts: Sequence[str], answers: Sequence[str] | None = None, **generation: Any
    ) -> list[Look]:
        """Return one look per prompt, computed in one batch. Images may differ in size and in number per prompt.

        Raises:
            ValueError: if the inputs differ in length or are empty, the model's family has no geometry rule, a given
                answer is empty or contains an image token, or the call cannot be recorded (see `record_attention`).
            TypeError: if an image or a prompt has another type.
        """
        _check_lengths(images, prompts, answers)
        image_lists = [_several(image) for image in images]
        inputs = self.inputs(image_lists, prompts)
        # Computed before the model runs, so that a family without a geometry fails at once.
        places = [self.find_geometry([(image.height, image.width) for image in own]) for own in image_lists]
        image_tokens = self.image_tokens(inputs)
        counts = [found.tokens for found in places]
        held = counts if image_tokens is None else image_tokens.sum(dim=1).tolist()
        for found, count in zip(places, held):
            check_tokens(self.model.config, found, count)
        ids, recordings, faults = record_batch(self, image_lists, inputs, image_tokens, counts, answers, generation)
        texts = [token_spans(self.processor.tokenizer, answer) for answer in ids]
        values = [REDUCERS[self.reducer].function(non_finite_rows_to_nan(recorded)) for recorded in recordings]
        settings = [self._settings(prompt) | fault for prompt, fault in zip(prompts, faults)]
        looks = []
        for index, found in enumerate(places):
            rows, reduced = self._over_patches(
                found, image_lists[index], prompts[index], [recordings[index].rows, values[index]]
            )
            through = {} if found.reading is None else {"geometry": THROUGH}
            looks.append(
                Look(*texts[index], rows, reduced, found.geometries, settings[index] | through, image_lists[index])
            )
        return looks

    def _over_patches(
        self, found: Found, images: Sequence[Image.Image], prompt: str, values: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Return `found.over_patches` of values of one prompt."""
        inputs = {} if found.reading is None else self.inputs([images], [prompt])
        return found.over_patches(self.model, inputs, values)

    def answer_all(self, images: Sequence[Images], prompts: Sequence[str], **generation: Any) -> list[Answer]:
        """Generate one answer per prompt without recording anything."""
        _check_lengths(images, prompts)
        ids = self.generate(self.inputs([_several(image) for image in images], prompts), generation)
        decode = self.processor.tokenizer.decode
        return [Answer(decode(answer, skip_special_tokens=True).strip(), len(answer)) for answer in ids]

    def calibrate(self, images: Sequence[Image.Image], prompts: Sequence[str], count: int = 3) -> Lens:
        """Return a lens that records only the `count` heads that localize best on these images (see `choose_heads`).

        The images must not be among those that are scored. No ground truth is used.
        """
        maps = []
        for image, prompt in zip(images, prompts):
            inputs = self.inputs([(image,)], [prompt])
            found = self.find_geometry([(image.height, image.width)])
            image_tokens = self.image_tokens(inputs)
            check_tokens(self.model.config, found, found.tokens if image_tokens is None else int(image_tokens.sum()))
            self.left_out(inputs)  # found out before the recording
            with record_attention(self.model, image_tokens, reduce=None, layers=self.layers) as record:
                self.generate(inputs, {"max_new_tokens": 1})
            (rows,) = found.over_patches(self.model, inputs, [record.rows()[0, 0].numpy()])
            maps.append(rows[..., found.geometries[0].finest_grid()])
        chosen = choose_heads(maps, count)
        return replace(self, layers="all", heads=tuple((record.layers[layer], head) for layer, head in chosen))

    @property
    def geometry_used(self) -> str:
        """How geometries are found: "auto" for a registered rule that is checked, "registered", or "measured"."""
        return self.geometry if self._source.is_registered else "measured"

    @property
    def has_rule(self) -> bool:
        """Whether the model's family has a registered rule."""
        return self._source.has_rule

    def measure_geometry(self, sizes: Sequence[Size]) -> Measurement:
        """Measure the geometry of a prompt with images of these (height, width) anew, as the processor sees them.

        Raises ValueError if it cannot be measured with certainty.
        """
        return self._source.measure(sizes)

    def registered_geometry(self, sizes: Sequence[Size]) -> tuple[TokenGeometry, ...]:
        """Return the geometry of the same prompt by the registered rule. Raises ValueError if there is none."""
        return self._source.registered(sizes)

    @property
    def image_ids(self) -> tuple[int, ...]:
        """The ids of the image tokens. They are measured if the configuration names none."""
        return self._source.image_ids()

    def inputs(self, images: Sequence[Sequence[Image.Image]], prompts: Sequence[str]) -> Any:
        """Return the model's inputs for a batch of prompts, on its device and in its dtype."""
        if self.pad:
            images = [[padded_to_square(image, self.processor) for image in own] for own in images]
        return self._on_cpu(images, prompts).to(self.model.device, self.model.dtype)

    def _on_cpu(self, images: Sequence[Sequence[Image.Image]], prompts: Sequence[str]) -> Any:
        side = "right" if reads_encoder(self.model) else "left"
        return prompt_inputs(self.processor, images, prompts, self.images_kwargs, self.chat_kwargs, self.system, side)

    def inputs_of_images(self, images: Sequence[Image.Image]) -> Any:
        """Return the inputs of a prompt with these images, which are not padded, for measurements."""
        return self._on_cpu([images], [_MEASURED_PROMPT])

    @torch.inference_mode()
    def generate(self, inputs: Any, generation: dict[str, Any]) -> list[list[int]]:
        """Generate one answer per prompt from the model's inputs. Returns their ids, without end-of-text."""
        output = self.model.generate(**inputs, **{"do_sample": False, **generation})
        ends = end_tokens(generation, self.model.generation_config)
        sequences = getattr(output, "sequences", output)
        if reads_encoder(self.model):
            return answer_ids(sequences, 1, ends)  # after the token that a decoder starts with
        return answer_ids(sequences, inputs["input_ids"].shape[1] - self.left_out(inputs), ends)

    def left_out(self, inputs: Any) -> int:
        """Return how many of a prompt's last tokens `model.generate` leaves out, see `answer_start.left_out`."""
        return 0 if reads_encoder(self.model) or self.image_ids else left_out(self.model, inputs)

    def image_tokens(self, inputs: Any) -> Bool[Tensor, "batch prompt"] | None:
        """Return which prompt tokens are image tokens. None if the decoder reads the image by cross-attention alone."""
        ids = self.image_ids
        return prompt_image_mask(inputs, ids) if ids else None

    def find_geometry(self, sizes: Sequence[Size]) -> Found:
        """Return the geometry of the image tokens of a prompt with images of these (height, width).

        Raises ValueError as `look_all` does.
        """
        # With `pad`, the model sees squares.
        seen = [(max(size), max(size)) if self.pad else size for size in sizes]
        found = self._source.find(seen)
        if not self.pad:
            return found
        cropped = tuple(geometry.cropped(size) for geometry, size in zip(found.geometries, sizes))
        return found._replace(geometries=cropped)

    def _settings(self, prompt: str) -> dict[str, Any]:
        """Return how a look was recorded, for its file."""
        chosen = {name: getattr(self, name) for name in ("reducer", "layers", "heads", "query", "images_kwargs")}
        given = {name: value for name in ("chat_kwargs", "system", "pad") if (value := getattr(self, name))}
        return {"model": self.model.config.name_or_path, "prompt": prompt, **chosen, **given}


def _several(images: Images) -> tuple[Image.Image, ...]:
    """The images of one prompt, as RGB."""
    return tuple(map(as_rgb, images if isinstance(images, (list, tuple)) else [images]))


def _check_lengths(images: Sequence[Any], prompts: Sequence[str], answers: Sequence[str] | None = None) -> None:
    for name, texts in (("prompts", prompts), ("answers", answers or [])):
        kinds = [type(texts)] if isinstance(texts, str) else [type(text) for text in texts if not isinstance(text, str)]
        if kinds:
            raise TypeError(f"expected {name} as strings, one for each image, but got {kinds[0].__name__}")
    counts = [len(given) for given in (images, prompts, answers) if given is not None]
    if min(counts) == 0 or min(counts) != max(counts):
        raise ValueError(f"expected as many images as prompts (and answers), at least one of each, but got {counts}")
