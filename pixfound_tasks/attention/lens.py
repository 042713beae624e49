"""Run a model on images and keep what each token of its answer attends to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from pixfound_tasks.attention.activations import record_activations
from pixfound_tasks.attention.families.registry import token_geometries
from pixfound_tasks.attention.geometry import TokenGeometry
from pixfound_tasks.attention.inputs import (
    answer_ids,
    append_answers,
    check_chat_option,
    check_system,
    end_tokens,
    padded_to_square,
    prompt_inputs,
    token_spans,
)
from pixfound_tasks.attention.localization_heads import choose_heads
from pixfound_tasks.attention.look import Look
from pixfound_tasks.attention.record import QUERIES, AttentionRecord, Heads, Query
from pixfound_tasks.attention.recorder import Layers, choose_layers, image_attention_layers, record_attention
from pixfound_tasks.attention.reducers import GENERIC_PROMPT, REDUCERS, Recorded, non_finite_rows_to_nan
from pixfound_tasks.choices import check_choice
from pixfound_tasks.images import as_rgb

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32
    from torch import Tensor

AnyImage = Image.Image | str | Path | np.ndarray  # see `as_rgb`
Images = AnyImage | Sequence[AnyImage]  # the images of one prompt
EMPTY = "the answer is empty, and the attention behind it is not finite (NaN or infinite)"


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

    def __post_init__(self) -> None:
        check_choice("reducer", self.reducer, REDUCERS)
        check_choice("query", self.query, QUERIES)
        choose_layers(self.layers, len(image_attention_layers(self.model.config.get_text_config())))
        for name, value in self.chat_kwargs.items():
            if isinstance(value, bool):
                check_chat_option(self.processor, name)
        if self.system:
            check_system(self.processor, self.system)

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
        inputs = self._inputs(image_lists, prompts)
        # Computed before the model runs, so that an unknown family fails at once.
        geometries = [self._geometries(own, tokens) for own, tokens in zip(image_lists, self._image_tokens(inputs))]
        counts = [sum(len(geometry.boxes) for geometry in own) for own in geometries]
        ids, recordings, faults = self._record(image_lists, inputs, counts, answers, generation)
        texts = [token_spans(self.processor.tokenizer, answer) for answer in ids]
        values = [REDUCERS[self.reducer].function(non_finite_rows_to_nan(recorded)) for recorded in recordings]
        settings = [self._settings(prompt) | fault for prompt, fault in zip(prompts, faults)]
        return [
            Look(text, chars, recorded.rows, reduced, own_geometries, own_settings, own_images)
            for (text, chars), recorded, reduced, own_geometries, own_settings, own_images in zip(
                texts, recordings, values, geometries, settings, image_lists
            )
        ]

    def answer_all(self, images: Sequence[Images], prompts: Sequence[str], **generation: Any) -> list[Answer]:
        """Generate one answer per prompt without recording anything."""
        _check_lengths(images, prompts)
        ids = self._generate(self._inputs([_several(image) for image in images], prompts), generation)
        decode = self.processor.tokenizer.decode
        return [Answer(decode(answer, skip_special_tokens=True).strip(), len(answer)) for answer in ids]

    def calibrate(self, images: Sequence[Image.Image], prompts: Sequence[str], count: int = 3) -> Lens:
        """Return a lens that records only the `count` heads that localize best on these images (see `choose_heads`).

        The images must not be among those that are scored. No ground truth is used.
        """
        maps = []
        for image, prompt in zip(images, prompts):
            inputs = self._inputs([(image,)], [prompt])
            image_tokens = self._image_tokens(inputs)
            (geometry,) = self._geometries([image], image_tokens[0])
            with record_attention(self.model, image_tokens, reduce=None, layers=self.layers) as record:
                self._generate(inputs, {"max_new_tokens": 1})
            maps.append(record.rows()[0, 0].numpy()[..., geometry.finest_grid()])
        chosen = choose_heads(maps, count)
        return replace(self, layers="all", heads=tuple((record.layers[layer], head) for layer, head in chosen))

    def _inputs(self, images: Sequence[Sequence[Image.Image]], prompts: Sequence[str]) -> Any:
        if self.pad:
            images = [[padded_to_square(image, self.processor) for image in own] for own in images]
        inputs = prompt_inputs(self.processor, images, prompts, self.images_kwargs, self.chat_kwargs, self.system)
        return inputs.to(self.model.device, self.model.dtype)

    def _record(
        self,
        images: Sequence[Sequence[Image.Image]],
        inputs: Any,
        counts: Sequence[int],
        answers: Sequence[str] | None,
        generation: dict[str, Any],
    ) -> tuple[list[list[int]], list[Recorded], list[dict[str, str]]]:
        """Run the batch and record it.

        Returns three items per answer: its ids, the inputs of the reducer, and the fault EMPTY for its settings if it
        is empty with attention that is not finite. Such an answer has no rows that would show it.
        """
        needs = REDUCERS[self.reducer].needs
        if "heads" in needs and isinstance(self.heads, str):
            raise ValueError(
                "expected chosen heads for reducer='heads', but none were chosen: pass heads, or use the lens that "
                "calibrate returns"
            )
        prompt_ids, image_tokens = inputs["input_ids"], self._image_tokens(inputs)
        options: dict[str, Any] = {"layers": self.layers, "heads": self.heads, "value_norm": "value_norm" in needs}
        options["before_last"] = self.query == "study"
        with ExitStack() as recording:
            if "activations" in needs:
                hidden = recording.enter_context(record_activations(self.model, image_tokens))
            record = recording.enter_context(record_attention(self.model, image_tokens, **options))
            ids = self._generate(inputs, generation) if answers is None else self._read(inputs, answers, record)
        rows = record.rows(self.query, [len(answer) + ("end" in needs) for answer in ids]).numpy()
        if rows.shape[-1] != max(counts):
            raise ValueError(
                f"expected {max(counts)} image tokens, but the model attends to {rows.shape[-1]}: register a geometry "
                "rule that matches the model"
            )
        firsts = record.rows()[:, 0].numpy()
        is_faulty = [not ids[i] and not np.isfinite(firsts[i, :count]).all() for i, count in enumerate(counts)]
        # Copy, because a view would keep the whole batch in memory.
        recordings = [Recorded(rows[i, : len(ids[i]), :count].copy()) for i, count in enumerate(counts)]
        if "end" in needs:
            ends = [
                rows[i, len(ids[i]), :count].copy() if len(ids[i]) < rows.shape[1] else None
                for i, count in enumerate(counts)
            ]
            recordings = [replace(recorded, end=end) for recorded, end in zip(recordings, ends)]
        if "generic" in needs:
            generic = self._generic(images)
            recordings = [replace(recorded, generic=generic[i, : counts[i]]) for i, recorded in enumerate(recordings)]
        if "activations" in needs:
            recordings = [
                replace(
                    recorded,
                    activations=hidden.values(i, ids[i]),
                    interference=hidden.interference(i, ids[i], prompt_ids[i].tolist()),
                )
                for i, recorded in enumerate(recordings)
            ]
        return ids, recordings, [{"fault": EMPTY} if faulty else {} for faulty in is_faulty]

    @torch.inference_mode()
    def _generate(self, inputs: Any, generation: dict[str, Any]) -> list[list[int]]:
        output = self.model.generate(**inputs, **{"do_sample": False, **generation})
        ends = end_tokens(generation, self.model.generation_config)
        return answer_ids(getattr(output, "sequences", output), inputs["input_ids"].shape[1], ends)

    @torch.inference_mode()
    def _read(self, inputs: Any, answers: Sequence[str], record: AttentionRecord) -> list[list[int]]:
        """Run the model on given answers in one forward pass. Returns their ids."""
        ids = [self.processor.tokenizer(answer, add_special_tokens=False).input_ids for answer in answers]
        if not all(ids) or any(self.model.config.image_token_id in answer for answer in ids):
            raise ValueError(f"expected answers of at least one token, none an image token, but got {list(answers)!r}")
        inputs, labels = append_answers(inputs, ids, self.model.config.model_type)
        # Labels are not passed to the model: it would then compute logits for the whole prompt.
        record.expect(labels)
        self.model(**inputs, use_cache=False, logits_to_keep=1)
        return ids

    def _generic(self, images: Sequence[Sequence[Image.Image]]) -> Float32[np.ndarray, "batch image_tokens"]:
        """Return the row that predicts the first token of a general description."""
        inputs = self._inputs(images, [GENERIC_PROMPT] * len(images))
        options: dict[str, Any] = {"layers": self.layers, "heads": self.heads}
        with record_attention(self.model, self._image_tokens(inputs), **options) as record:
            self._generate(inputs, {"max_new_tokens": 1})
        return record.rows()[:, 0].numpy()

    def _image_tokens(self, inputs: Any) -> Bool[Tensor, "batch prompt"]:
        """Return which prompt tokens are image tokens."""
        token = getattr(self.model.config, "image_token_id", None)
        if token is None:
            raise ValueError(f"expected a config with image_token_id, but that of {type(self.model).__name__} has none")
        return inputs["input_ids"] == token

    def _geometries(
        self, images: Sequence[Image.Image], image_tokens: Bool[Tensor, " prompt"]
    ) -> tuple[TokenGeometry, ...]:
        """Return the geometries of one prompt's images."""
        # With cross-attention, the image tokens are not part of the prompt.
        crosses = getattr(self.model.config.get_text_config(), "cross_attention_layers", None)
        count = None if crosses else int(image_tokens.sum())
        sizes = [(image.height, image.width) for image in images]
        seen = [(max(size), max(size)) if self.pad else size for size in sizes]
        found = token_geometries(self.model.config, self.processor, seen, count, self.images_kwargs)
        return tuple(geometry.cropped(size) for geometry, size in zip(found, sizes)) if self.pad else found

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
