"""`--model pixfound`: a transformers image-text-to-text model, with what it looked at or says turned into masks.

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
from pixfound_tasks.grounding import assembly
from pixfound_tasks.grounding.attend import AttentionGrounder
from pixfound_tasks.grounding.segmenters import base as segmenters
from pixfound_tasks.grounding.selection import check_select
from pixfound_tasks.grounding.words import WordGrounder, convention_of
from pixfound_tasks.models.base import ChatModel, Request, check_arguments, timed
from pixfound_tasks.prompts.text import referring_prompt
from pixfound_tasks.response import to_text

_ARGUMENTS = (
    "pretrained", "device", "device_map", "dtype", "batch_size", "attn_implementation", "grounding", "reducer",
    "layers", "query", "phrases", "select", "segmenter", "judge", "control", "point_rank",
    "save_attention", "seed",
)  # fmt: skip
# Of a task's generation_kwargs, those that `generate` takes; `until` is cut off afterwards.
_GENERATION = ("max_new_tokens", "do_sample", "temperature", "top_p", "top_k", "num_beams", "repetition_penalty")


class PixFound(ChatModel):
    """The model answers; where it is asked to find something, or for an open answer, the answer is grounded.

    Args, beside the usual ones of lmms-eval:
        pretrained: a model of the hub or a folder; `pixfound/mini` is the embedded one.
        grounding: "attention"; "box" or "point", which the model is asked for, on referring tasks only; or "none" for
            the answers' text alone.
        reducer: a name in `attention.REDUCERS`; "heads" chooses its heads on drawn scenes that no task scores.
        layers: "all", "last", "middle", "i:j", or decoder layers joined by "+", such as `layers=12+13`.
        query: "predict" or "consume", see `attention.record`.
        phrases: "auto", "rules" or "spacy:PACKAGE", see `grounding.phrases`.
        select: "similarity", also "similarity:lexical", "similarity:spacy:PACKAGE" or "similarity:sentence:NAME";
            "phrase", "first" or "judge".
        segmenter: "region", the embedded model's; "sam:CHECKPOINT" (SAM ViT-H for all others), "sam2:CHECKPOINT" or
            "sam3:CHECKPOINT".
        judge: for `select=judge` "self", "openai:MODEL" or "local:CHECKPOINT".
        control: whether to add a chance control to every grounded response.
        save_attention: a folder for what was recorded, one file per document that `Look.load` reads.
        seed: of the chance control.
        point_rank: the segmenter is prompted with the highest pixel of a phrase's attention (1), or the k-th highest
            (k), see `attention.geometry.peak`; a phrase whose map has fewer pixels gets no mask.
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
        segmenter = segmenter or assembly.default_segmenter(pretrained)
        segmenters.check_segmenter(segmenter)
        self.batch_size = _count("batch_size", batch_size)
        rank = _count("point_rank", point_rank)
        self.grounding = grounding
        self.grounder: AttentionGrounder | None = None
        self.words: WordGrounder | None = None
        self.save_attention = Path(save_attention) if save_attention else None
        if device:
            self.device = torch.device(device)
        self.lens = assembly.open_lens(
            pretrained, device_map or str(self.device), dtype, attn_implementation, reducer, _layers(layers), query
        )
        if grounding in ("box", "point"):
            self.words = self._word_grounder(pretrained, segmenter)
        elif grounding == "attention":
            phrases, asked = phrases or assembly.default_phrases(pretrained), assembly.named_judge(judge, self.lens)
            settings = {"select": select, "control": bool(control), "seed": int(seed), "point_rank": rank}
            self.grounder = assembly.attention_grounder(
                self.lens, pretrained, str(self.device), segmenter, phrases, asked, **settings
            )

    def _word_grounder(self, pretrained: str, segmenter: str) -> WordGrounder:
        convention = convention_of(self.lens.model.config, self.lens.processor)
        made = segmenters.make_segmenter(segmenter, str(self.device))
        provenance = assembly.provenance(self.lens, pretrained, self.grounding, segmenter)
        return WordGrounder(made, self.grounding, convention, provenance)

    def generate_until(self, requests: list[Instance]) -> Iterator[GenerationResult]:
        """Answers in the order of the requests, as they are made: text, or on referring tasks the contract's JSON."""
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
        """Answers grounded by what their phrases looked at."""
        looks = self.lens.look_all([r.image for r in batch], [r.prompt for r in batch], **options)
        for request, look in zip(batch, looks):
            if self.save_attention:
                look.save(self.save_attention / f"{request.task}_{request.doc_id}.safetensors")
            assert self.grounder is not None
            response = self.grounder.ground(look, request.image, _asked(request))
            yield to_text(response), response.tokens

    def _said(self, batch: list[Request], options: dict[str, Any]) -> Iterator[tuple[str, int | None]]:
        """Answers grounded by the boxes or points in them; the prompt is the task's own or the study's for them."""
        prompts = [request.box_prompt or referring_prompt(_asked(request), self.grounding) for request in batch]
        answers = self.lens.answer_all([r.image for r in batch], prompts, **options)
        for request, prompt, answer in zip(batch, prompts, answers):
            assert self.words is not None
            yield to_text(self.words.ground(answer, request.image, prompt)), answer.tokens

    def clean(self) -> None:
        """Free the model, and what holds it or is of its size, before scoring."""
        self.grounder = self.words = None
        if hasattr(self, "lens"):
            del self.lens
        super().clean()


def batches(requests: Iterator[Request], size: int) -> Iterator[list[Request]]:
    """Neighbouring requests of one task and one way of generating, at most `size` of them together."""
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
    """A lone number comes as a number, a negative one as a float."""
    return str(int(layers)) if isinstance(layers, (int, float)) and layers == int(layers) else str(layers)


def _count(name: str, value: object) -> int:
    if not str(value).isdecimal() or int(str(value)) < 1:
        raise ValueError(f"expected {name} as a whole number of at least 1, but got {value!r}")
    return int(str(value))


def _asked(request: Request) -> str:
    """The expression of a request that is no choice question, which has one."""
    assert request.expression is not None
    return request.expression


def _cut(text: str, until: Iterable[str]) -> str:
    for stop in until:
        text = text.split(stop)[0]
    return text
