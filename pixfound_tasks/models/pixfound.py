"""`--model pixfound`: a transformers image-text-to-text model, with its attention or its coordinates turned into masks.

Grounding by attention needs a model whose family is in `attention.families.GEOMETRIES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from lmms_eval.api.instance import GenerationResult, Instance
from tqdm import tqdm

from pixfound_tasks import mini
from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding import pipeline
from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
from pixfound_tasks.grounding.segmenters import base as segmenters
from pixfound_tasks.grounding.selection import check_select
from pixfound_tasks.grounding.text_grounder import WordGrounder, convention_of
from pixfound_tasks.models.base import ChatModel, Request, check_arguments, timed
from pixfound_tasks.prompts.text import referring_prompt
from pixfound_tasks.response import to_text

_ARGUMENTS = (
    "pretrained", "device", "device_map", "dtype", "batch_size", "attn_implementation", "grounding", "reducer",
    "layers", "query", "phrases", "select", "segmenter", "judge", "control", "point_rank",
    "save_attention", "seed",
)  # fmt: skip
# The generation_kwargs that are passed to `generate`; `until` is applied afterwards.
_GENERATION = ("max_new_tokens", "do_sample", "temperature", "top_p", "top_k", "num_beams", "repetition_penalty")


class PixFound(ChatModel):
    """A model whose answers are grounded if the prompt is a referring prompt or an open question.

    Args, in addition to the usual ones of lmms-eval:
        pretrained: a Hugging Face hub name or a folder; `pixfound/mini` is the embedded model.
        grounding: "attention"; "box" or "point", for which the model is prompted, on referring tasks only; or "none"
            for text answers alone.
        reducer: a name in `attention.REDUCERS`; "heads" selects its heads on drawn scenes that no task scores.
        layers: "all", "last", "middle", "i:j", or decoder layers joined by "+", such as `layers=12+13`.
        query: "predict" or "consume", see `attention.record`.
        phrases: "auto", "rules" or "spacy:PACKAGE", see `grounding.phrases`.
        select: "similarity", "similarity:lexical", "similarity:spacy:PACKAGE", "similarity:sentence:NAME", "phrase",
            "first" or "judge".
        segmenter: "region", the embedded model's default; "sam:CHECKPOINT" (SAM ViT-H is the default for all other
            models), "sam2:CHECKPOINT" or "sam3:CHECKPOINT".
        judge: for `select=judge`: "self", "openai:MODEL" or "local:CHECKPOINT".
        control: whether to add a random-point baseline to every response grounded by attention.
        save_attention: a folder for the recorded attention, one file per document that `Look.load` reads.
        seed: the seed of the random-point baseline.
        point_rank: the rank of the attention pixel that the segmenter is prompted with: 1 for a phrase's highest pixel,
            k for the k-th highest, see `attention.geometry.peak`. A phrase whose map has fewer pixels gets no mask.
    """

    def __init__(
        self,
        pretrained: str = mini.NAME,
        device: str | None = None,
        device_map: str | None = None,
        dtype: str | None = None,
        batch_size: int = 1,
        attn_implementation: str | None = None,
        grounding: str = "attention",
        reducer: str = "mean_centered",
        layers: str | int = "all",
        query: str = "predict",
        phrases: str | None = None,
        select: str = "similarity",
        segmenter: str | None = None,
        judge: str | None = None,
        control: bool = True,
        save_attention: str | None = None,
        seed: int = 0,
        point_rank: int = 1,
        max_batch_size: int | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__()
        check_arguments(unknown, _ARGUMENTS)
        check_choice("grounding", grounding, ("attention", "box", "point", "none"))
        check_select(select, judge)
        segmenter = segmenter or pipeline.default_segmenter(pretrained)
        segmenters.check_segmenter(segmenter)
        self.batch_size = _count("batch_size", batch_size)
        rank = _count("point_rank", point_rank)
        self.grounding = grounding
        self.grounder: AttentionGrounder | None = None
        self.words: WordGrounder | None = None
        self.save_attention = Path(save_attention) if save_attention else None
        if device:
            self.device = torch.device(device)
        self.lens = pipeline.open_lens(
            pretrained, device_map or str(self.device), dtype, attn_implementation, reducer, _layers(layers), query
        )
        if grounding in ("box", "point"):
            self.words = self._word_grounder(pretrained, segmenter)
        elif grounding == "attention":
            phrases, asked = phrases or pipeline.default_phrases(pretrained), pipeline.named_judge(judge, self.lens)
            settings = {"select": select, "control": bool(control), "seed": int(seed), "point_rank": rank}
            self.grounder = pipeline.attention_grounder(
                self.lens, pretrained, str(self.device), segmenter, phrases, asked, **settings
            )

    def _word_grounder(self, pretrained: str, segmenter: str) -> WordGrounder:
        convention = convention_of(self.lens.model.config, self.lens.processor)
        made = segmenters.make_segmenter(segmenter, str(self.device))
        provenance = pipeline.provenance(self.lens, pretrained, self.grounding, segmenter)
        return WordGrounder(made, self.grounding, convention, provenance)

    def generate_until(self, requests: list[Instance]) -> Iterator[GenerationResult]:
        """Answers in the order of the requests, as they are made: text, or the contract's JSON if grounded."""
        progress = tqdm(requests, desc="answering", disable=self.rank != 0)
        return timed(self._answers(self.unpack(instance) for instance in progress), len(requests))

    def _answers(self, requests: Iterator[Request]) -> Iterator[tuple[str, int | None]]:
        for batch in batches(requests, self.batch_size):
            first = batch[0]
            options = {name: first.generation[name] for name in _GENERATION if first.generation.get(name) is not None}
            if self.grounding == "attention" and first.protocol != "choice":
                yield from self._attended(batch, options)
            elif self.grounding in ("box", "point") and first.protocol == "referring":
                yield from self._said(batch, options)
            else:
                for answer in self.lens.answer_all([r.image for r in batch], [r.prompt for r in batch], **options):
                    yield _cut(answer.text, first.generation.get("until") or ()), answer.tokens

    def _attended(self, batch: list[Request], options: dict[str, Any]) -> Iterator[tuple[str, int | None]]:
        """Answers grounded by the attention of their phrases."""
        looks = self.lens.look_all([r.image for r in batch], [r.prompt for r in batch], **options)
        for request, look in zip(batch, looks):
            if self.save_attention:
                look.save(self.save_attention / f"{request.task}_{request.doc_id}.safetensors")
            assert self.grounder is not None
            response = self.grounder.ground(look, request.image, _asked(request))
            yield to_text(response), response.tokens

    def _said(self, batch: list[Request], options: dict[str, Any]) -> Iterator[tuple[str, int | None]]:
        """Answers grounded by the boxes or points in them.

        The prompt is the task's own, or the study's prompt for boxes or points.
        """
        prompts = [request.box_prompt or referring_prompt(_asked(request), self.grounding) for request in batch]
        answers = self.lens.answer_all([r.image for r in batch], prompts, **options)
        for request, prompt, answer in zip(batch, prompts, answers):
            assert self.words is not None
            yield to_text(self.words.ground(answer, request.image, prompt)), answer.tokens

    def clean(self) -> None:
        """Free the model, and whatever refers to it or is of similar size, before scoring."""
        self.grounder = self.words = None
        if hasattr(self, "lens"):
            del self.lens
        super().clean()


def batches(requests: Iterator[Request], size: int) -> Iterator[list[Request]]:
    """Consecutive requests of one task with the same generation arguments, in batches of at most `size`."""
    for _, group in groupby(requests, key=lambda request: (request.task, str(request.generation))):
        batch: list[Request] = []
        for request in group:
            batch.append(request)
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch


def _layers(layers: str | float) -> str:
    """The layers as a string; lmms-eval passes a single number as an int, and a negative one as a float."""
    return str(int(layers)) if isinstance(layers, (int, float)) and layers == int(layers) else str(layers)


def _count(name: str, value: object) -> int:
    if not str(value).isdecimal() or int(str(value)) < 1:
        raise ValueError(f"expected {name} as a whole number of at least 1, but got {value!r}")
    return int(str(value))


def _asked(request: Request) -> str:
    """The referring expression of a request that is not a choice question."""
    assert request.expression is not None
    return request.expression


def _cut(text: str, until: Iterable[str]) -> str:
    for stop in until:
        text = text.split(stop)[0]
    return text
