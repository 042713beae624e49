"""`--model pixfound`: a transformers image-text-to-text model, with what it looked at or says turned into masks.

Grounding by attention needs a model whose family is in `attention.families.GEOMETRIES`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
import transformers
from lmms_eval.api.instance import GenerationResult, Instance
from tqdm import tqdm
from transformers import AutoModelForImageTextToText, AutoProcessor

from pixfound_tasks import __version__, mini
from pixfound_tasks.attention import Lens
from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding import segmenters
from pixfound_tasks.grounding.attend import AttentionGrounder
from pixfound_tasks.grounding.judged import LensJudge
from pixfound_tasks.grounding.phrases import make_chunker
from pixfound_tasks.grounding.selection import check_select
from pixfound_tasks.grounding.similarity import make_similarity
from pixfound_tasks.grounding.words import WordGrounder, convention_of
from pixfound_tasks.judges import Judge, make_judge
from pixfound_tasks.mini.calibration import calibration_scenes
from pixfound_tasks.models.base import ChatModel, Request, check_arguments, timed
from pixfound_tasks.prompts import referring_prompt
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
        is_mini = pretrained == mini.NAME
        segmenter = segmenter or ("region" if is_mini else segmenters.DEFAULT)
        segmenters.check_segmenter(segmenter)
        self.batch_size = _count("batch_size", batch_size)
        rank = _count("point_rank", point_rank)
        self.grounding = grounding
        self.grounder: AttentionGrounder | None = None
        self.words: WordGrounder | None = None
        self.save_attention = Path(save_attention) if save_attention else None
        if device:
            self.device = torch.device(device)
        path = str(mini.weights_folder()) if is_mini else pretrained
        # The embedded model is stored in half precision to be small, not to be run in it.
        options = {"dtype": dtype or ("float32" if is_mini else "auto"), "attn_implementation": attn_implementation}
        model = AutoModelForImageTextToText.from_pretrained(path, device_map=device_map or str(self.device), **options)
        self.lens = Lens(model.eval(), AutoProcessor.from_pretrained(path), reducer, _layers(layers), query=query)
        if reducer == "heads":
            self.lens = self.lens.calibrate(*calibration_scenes())
        if grounding in ("box", "point"):
            self.words = self._word_grounder(pretrained, segmenter)
        elif grounding == "attention":
            phrases = phrases or ("rules" if is_mini else "auto")
            settings = {"select": select, "control": bool(control), "seed": int(seed), "point_rank": rank}
            self.grounder = self._attention_grounder(pretrained, segmenter, phrases, judge, settings)

    def _provenance(self, pretrained: str, segmenter: str) -> dict[str, Any]:
        model = self.lens.model
        return {
            "model": pretrained, "revision": getattr(model.config, "_commit_hash", None),
            "dtype": str(model.dtype).removeprefix("torch."), "grounding": self.grounding, "segmenter": segmenter,
            "versions": {"pixfound-tasks": __version__, "transformers": transformers.__version__},
        }  # fmt: skip

    def _word_grounder(self, pretrained: str, segmenter: str) -> WordGrounder:
        convention = convention_of(self.lens.model.config, self.lens.processor)
        made = segmenters.make_segmenter(segmenter, str(self.device))
        return WordGrounder(made, self.grounding, convention, self._provenance(pretrained, segmenter))

    def _attention_grounder(
        self, pretrained: str, segmenter: str, phrases: str, judge: str | None, settings: dict[str, Any]
    ) -> AttentionGrounder:
        lens = self.lens
        chunker, chunker_name = make_chunker(phrases)
        similarity, similarity_name = make_similarity(chunker_name, settings["select"])
        provenance = self._provenance(pretrained, segmenter) | {
            "attention": lens.model.config._attn_implementation, "reducer": lens.reducer, "query": lens.query,
            "layers": lens.layers, "heads": lens.heads, "phrases": chunker_name, "similarity": similarity_name,
            **settings,
        }  # fmt: skip
        made = segmenters.make_segmenter(segmenter, str(self.device))
        return AttentionGrounder(made, chunker, similarity, provenance=provenance, judge=self._judge(judge), **settings)

    def _judge(self, name: str | None) -> Judge | None:
        return LensJudge(self.lens) if name == "self" else name and make_judge(name, sees=True)

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """Answers in the order of the requests: text, or on referring tasks the response contract's JSON."""
        progress = tqdm(requests, desc="answering", disable=self.rank != 0)
        return list(timed(self._answers(self.unpack(instance) for instance in progress)))

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
            response = self.grounder.ground(look, request.image, request.expression)
            yield to_text(response), response.tokens

    def _said(self, batch: list[Request], options: dict[str, Any]) -> Iterator[tuple[str, int | None]]:
        """Answers grounded by the boxes or points in them; the prompt is the task's own or the study's for them."""
        prompts = [request.box_prompt or referring_prompt(request.expression, self.grounding) for request in batch]
        answers = self.lens.answer_all([r.image for r in batch], prompts, **options)
        for request, prompt, answer in zip(batch, prompts, answers):
            yield to_text(self.words.ground(answer, request.image, prompt)), answer.tokens

    def clean(self) -> None:
        """Free the model, and what holds it or is of its size, before scoring."""
        self.lens = self.grounder = self.words = None
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
    if not str(value).isdecimal() or int(value) < 1:
        raise ValueError(f"expected {name} as a whole number of at least 1, but got {value!r}")
    return int(value)


def _cut(text: str, until: list[str]) -> str:
    for stop in until:
        text = text.split(stop)[0]
    return text
