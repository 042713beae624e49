"""Ask a model about images, and keep what every token of its answer looked at."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from pixfound_tasks.attention.activations import record_activations
from pixfound_tasks.attention.families import token_geometries
from pixfound_tasks.attention.geometry import TokenGeometry
from pixfound_tasks.attention.inputs import answer_ids, append_answers, prompt_inputs, token_spans
from pixfound_tasks.attention.localization_heads import choose_heads
from pixfound_tasks.attention.look import Look
from pixfound_tasks.attention.record import QUERIES, Heads, Query
from pixfound_tasks.attention.recorder import Layers, choose_layers, record_attention, seeing_layers
from pixfound_tasks.attention.reducers import GENERIC_PROMPT, REDUCERS, Recorded
from pixfound_tasks.choices import check_choice

Images = Image.Image | Sequence[Image.Image]  # of one prompt


class Answer(NamedTuple):
    """An answer, nothing recorded; `tokens` counts its tokens without the end-of-text."""

    text: str
    tokens: int


@dataclass(frozen=True)
class Lens:
    """A transformers image-text-to-text model with its processor, through which one sees what its answers look at.

    `layers` and `heads` are as in `record_attention`, `query` as in `AttentionRecord.rows`, `reducer` is a name in
    `REDUCERS`; "heads" needs `calibrate`, or heads named. `images_kwargs` go to every call of the processor.
    """

    model: Any
    processor: Any
    reducer: str = "mean_centered"
    layers: Layers = "all"
    heads: Heads = "all"
    query: Query = "predict"
    images_kwargs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("reducer", self.reducer, REDUCERS)
        check_choice("query", self.query, QUERIES)
        choose_layers(self.layers, len(seeing_layers(self.model.config.get_text_config())))

    def look(self, image: Images, prompt: str, answer: str | None = None, **generation: Any) -> Look:
        """What an answer looks at: the model's own, greedy unless `generation` says otherwise, or a given one, which
        is read without generating. `image` is one, or several that the prompt is about."""
        return self.look_all([image], [prompt], None if answer is None else [answer], **generation)[0]

    def look_all(
        self, images: Sequence[Images], prompts: Sequence[str], answers: Sequence[str] | None = None, **generation: Any
    ) -> list[Look]:
        """One look per prompt, in one batch. Images may differ in size and number."""
        needs = REDUCERS[self.reducer].needs
        if "heads" in needs and self.heads == "all":
            raise ValueError(
                "expected chosen heads for reducer='heads': name them, or take what lens.calibrate returns"
            )
        images = [(image,) if isinstance(image, Image.Image) else tuple(image) for image in images]
        inputs = self._inputs(images, prompts)
        prompt_ids = inputs["input_ids"]
        image_tokens = prompt_ids == self._image_token
        with ExitStack() as recording:
            if "activations" in needs:
                activations = recording.enter_context(record_activations(self.model, image_tokens))
            options = {"layers": self.layers, "heads": self.heads, "value_norm": "value_norm" in needs}
            record = recording.enter_context(record_attention(self.model, image_tokens, **options))
            ids = self._generate(inputs, generation) if answers is None else self._read(inputs, answers)
        rows = record.rows(self.query, [len(answer) for answer in ids]).numpy()
        generic = self._generic(images) if "generic" in needs else None
        looks = []
        for sample, (own, answer) in enumerate(zip(images, ids)):
            geometries = self._geometries(own, images, image_tokens[sample], rows)
            count = sum(len(geometry.boxes) for geometry in geometries)
            recorded = Recorded(rows[sample, : len(answer), :count])
            if "generic" in needs:
                recorded = replace(recorded, generic=generic[sample, :count])
            if "activations" in needs:
                recorded = replace(
                    recorded,
                    activations=activations.values(sample, answer),
                    interference=activations.interference(sample, answer, prompt_ids[sample].tolist()),
                )
            values = REDUCERS[self.reducer].function(recorded)
            text, chars = token_spans(self.processor.tokenizer, answer)
            looks.append(Look(text, chars, recorded.rows, values, geometries, self._settings(prompts[sample]), own))
        return looks

    def answer_all(self, images: Sequence[Images], prompts: Sequence[str], **generation: Any) -> list[Answer]:
        """The answers alone, nothing recorded."""
        images = [(image,) if isinstance(image, Image.Image) else tuple(image) for image in images]
        ids = self._generate(self._inputs(images, prompts), generation)
        decode = self.processor.tokenizer.decode
        return [Answer(decode(answer, skip_special_tokens=True).strip(), len(answer)) for answer in ids]

    def calibrate(self, images: Sequence[Image.Image], prompts: Sequence[str], count: int = 3) -> Lens:
        """A lens that records only the `count` heads that localise best on these images (see `choose_heads`).

        The images must not be among those that are scored. No truth is used.
        """
        maps = []
        for image, prompt in zip(images, prompts):
            inputs = self._inputs([(image,)], [prompt])
            image_tokens = inputs["input_ids"] == self._image_token
            with record_attention(self.model, image_tokens, reduce=None, layers=self.layers) as record:
                self._generate(inputs, {"max_new_tokens": 1})
            rows = record.rows()[0, 0].numpy()
            (geometry,) = self._geometries([image], [(image,)], image_tokens[0], rows)
            maps.append(rows[..., geometry.finest_grid()])
        chosen = choose_heads(maps, count)
        return replace(self, layers="all", heads=tuple((record.layers[layer], head) for layer, head in chosen))

    @property
    def _image_token(self) -> int:
        return self.model.config.image_token_id

    def _inputs(self, images: Sequence[Sequence[Image.Image]], prompts: Sequence[str]):
        inputs = prompt_inputs(self.processor, images, prompts, self.images_kwargs)
        return inputs.to(self.model.device, self.model.dtype)

    @torch.inference_mode()
    def _generate(self, inputs, generation: dict[str, Any]) -> list[list[int]]:
        sequences = self.model.generate(**inputs, **{"do_sample": False, **generation})
        return answer_ids(sequences, inputs["input_ids"].shape[1], self.model.generation_config)

    @torch.inference_mode()
    def _read(self, inputs, answers: Sequence[str]) -> list[list[int]]:
        """Run the model over given answers; their ids."""
        ids = [self.processor.tokenizer(answer, add_special_tokens=False).input_ids for answer in answers]
        if not all(ids):
            raise ValueError(f"expected answers of at least one token, but got {list(answers)!r}")
        self.model(**append_answers(inputs, ids, self.model.config.model_type), use_cache=False)
        return ids

    def _generic(self, images: Sequence[Sequence[Image.Image]]) -> np.ndarray:
        """The row that predicts the first token of a general description, (batch, image tokens)."""
        inputs = self._inputs(images, [GENERIC_PROMPT] * len(images))
        options = {"layers": self.layers, "heads": self.heads}
        with record_attention(self.model, inputs["input_ids"] == self._image_token, **options) as record:
            self._generate(inputs, {"max_new_tokens": 1})
        return record.rows()[:, 0].numpy()

    def _geometries(self, own, images, image_tokens, rows: np.ndarray) -> tuple[TokenGeometry, ...]:
        """The geometries of one sample's images."""
        count = int(image_tokens.sum())
        if getattr(self.model.config.get_text_config(), "cross_attention_layers", None):
            # A batch's samples have as many keys as the one with the most images.
            count = rows.shape[-1] // max(map(len, images)) * len(own)
        sizes = [(image.height, image.width) for image in own]
        return token_geometries(self.model.config, self.processor, sizes, count, self.images_kwargs)

    def _settings(self, prompt: str) -> dict[str, Any]:
        """What made a look, for its file."""
        chosen = {name: getattr(self, name) for name in ("reducer", "layers", "heads", "query", "images_kwargs")}
        return {"model": self.model.config._name_or_path, "prompt": prompt, **chosen}
