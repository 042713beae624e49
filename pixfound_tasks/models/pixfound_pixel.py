"""`--model pixfound_pixel`: a pixel-level model, with the masks that it draws and, if asked for, its attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lmms_eval.api.instance import GenerationResult, Instance
from tqdm import tqdm
from transformers import set_seed

from pixfound_tasks.attention.look import Look
from pixfound_tasks.grounding import pipeline
from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
from pixfound_tasks.mini.calibration import calibration_scenes
from pixfound_tasks.models.base import ChatModel, Request, timed
from pixfound_tasks.models.pixel_arguments import read_pixel_arguments
from pixfound_tasks.models.pixfound import batches
from pixfound_tasks.pixel.adapters import AdaptedModel
from pixfound_tasks.pixel.base import MAX_NEW_TOKENS, PixelAnswer, PixelModel
from pixfound_tasks.pixel.families.registry import FAMILIES, Options, load_pixel_model
from pixfound_tasks.pixel.responses import own_response, with_own_masks
from pixfound_tasks.prompts.text import referring_prompt
from pixfound_tasks.response import to_text
from pixfound_tasks.settings import read_setting

# The generation_kwargs that are passed to `generate`; `until` is applied afterwards.
_GENERATION = ("max_new_tokens", "do_sample", "temperature", "top_p", "top_k", "repetition_penalty")
_DECLARED = "mask"  # the kind of referring prompt of `tasks.model_profiles`


class PixFoundPixel(ChatModel):
    """A model that draws masks for referring prompts and open questions, and answers choice questions with text.

    Its arguments are those of `pixel_arguments.PixelArguments`.
    """

    def __init__(self, pretrained: str = "", **given: Any) -> None:
        super().__init__()
        self.arguments = read_pixel_arguments({"pretrained": pretrained, **given})
        shared = self.arguments.shared
        self.batch_size = shared.batch_size
        self.save_attention = Path(shared.save_attention) if shared.save_attention else None
        if shared.device:
            self.device = torch.device(shared.device)
        self.model = self._load()
        self.chat_template = str(getattr(self.model.processor, "chat_template", "") or "") or None
        self.provenance = self._provenance()
        self.grounder = None if self.arguments.grounding == "own" else self._grounder()
        if shared.sampling_seed is not None:
            set_seed(shared.sampling_seed)

    def _load(self) -> PixelModel | AdaptedModel:
        shared = self.arguments.shared
        options = Options(
            self.arguments.dtype,
            shared.device_map or str(self.device),
            shared.attn_implementation,
            self.arguments.options,
        )
        model = load_pixel_model(shared.pretrained, self.arguments.family, options)
        names = ("reducer", "layers", "query", "system")
        model.lens_options |= {name: getattr(shared, name) for name in names}
        if shared.reducer == "heads" and self.arguments.records_attention:
            lens = model.lens.calibrate(*calibration_scenes())
            model.lens_options |= {"layers": lens.layers, "heads": lens.heads}
        return model

    def _provenance(self) -> dict[str, Any]:
        """What every response records: the model, and how its answers are grounded."""
        shared, grounding = self.arguments.shared, self.arguments.grounding
        if isinstance(self.model, AdaptedModel) and not self.arguments.records_attention:
            found = self.model.provenance
        else:
            found = pipeline.provenance(self.model.lens, shared.pretrained, grounding, "own")
        own = {"family": self.model.family, "revision": self.model.revision, **self.arguments.options}
        if grounding != "attention":
            own["masks"] = self.arguments.mask
        return found | own | shared.of_study

    def _grounder(self) -> AttentionGrounder:
        shared = self.arguments.shared
        notes = {name: value for name, value in self.provenance.items() if name not in ("segmenter", "versions")}
        return pipeline.attention_grounder(
            self.model.lens,
            shared.pretrained,
            str(self.device),
            shared.segmenter,
            shared.phrases,
            pipeline.named_judge(shared.judge, self.model.lens, shared.judging),
            notes,
            **shared.of_grounder,
        )

    def generate_until(self, requests: list[Instance]) -> Iterator[GenerationResult]:
        """Answers in the order of the requests, as they are made: text, or the contract's JSON if grounded."""
        progress = tqdm(requests, desc="answering", disable=self.rank != 0)
        return timed(self._answers(self.unpack(instance) for instance in progress), len(requests))

    def _answers(self, requests: Iterator[Request]) -> Iterator[tuple[str, int | None]]:
        for batch in batches(requests, self.batch_size):
            first = batch[0]
            options = {name: first.generation[name] for name in _GENERATION if first.generation.get(name) is not None}
            options |= self.arguments.shared.generation
            if first.protocol == "choice":
                yield from self._told(batch, options)
            elif self.arguments.records_attention:
                yield from self._looked(batch, options)
            else:
                yield from self._drawn(batch, options)

    def _told(self, batch: list[Request], options: dict[str, Any]) -> Iterator[tuple[str, int | None]]:
        """Answers as text."""
        found = self.model.text_all([r.image for r in batch], [r.prompt for r in batch], **options)
        for request, answer in zip(batch, found):
            text = answer.text
            for stop in request.generation.get("until") or ():
                text = text.split(stop)[0]
            yield text, answer.tokens

    def _drawn(self, batch: list[Request], options: dict[str, Any]) -> Iterator[tuple[str, int | None]]:
        """Answers with the masks that the model draws."""
        prompts = [self._prompt(request) for request in batch]
        answers = self.model.answer_all([r.image for r in batch], prompts, **options)
        for request, prompt, answer in zip(batch, prompts, answers):
            yield self._own(request, prompt, answer), len(answer.ids)

    def _looked(self, batch: list[Request], options: dict[str, Any]) -> Iterator[tuple[str, int | None]]:
        """Answers whose attention is recorded."""
        prompts = [self._prompt(request) for request in batch]
        images = [request.image for request in batch]
        if self.arguments.grounding == "attention":
            looks = self.model.lens.look_all(images, prompts, **{"max_new_tokens": MAX_NEW_TOKENS, **options})
            found: list[tuple[PixelAnswer | None, Look]] = [(None, look) for look in looks]
        else:
            found = list(self.model.look_all(images, prompts, **options))
        for request, prompt, (answer, look) in zip(batch, prompts, found):
            if self.save_attention:
                look.save(self.save_attention / f"{request.task}_{request.doc_id}.safetensors")
            if self.grounder is None and answer is not None:
                yield self._own(request, prompt, answer), len(answer.ids)
            else:
                yield self._attended(request, prompt, answer, look), len(look.token_chars)

    def _own(self, request: Request, prompt: str, answer: PixelAnswer) -> str:
        return to_text(own_response(answer, self.arguments.mask, self.provenance | _changed(request, prompt)))

    def _attended(self, request: Request, prompt: str, answer: PixelAnswer | None, look: Look) -> str:
        """The response grounded by attention; the masks of the model's own answer, if given, are its masks."""
        assert self.grounder is not None and request.expression is not None
        response = self.grounder.ground(look, request.image, request.expression)
        response = replace(response, provenance=response.provenance | _changed(request, prompt))
        return to_text(with_own_masks(response, answer, self.arguments.mask) if answer else response)

    def _prompt(self, request: Request) -> str:
        """The task's prompt; the family's own wording in place of the usual referring prompt.

        For attention alone it is that of `--model pixfound`. Variations of the prompt, and PIXFOUND_KIND, stay.
        """
        if request.protocol != "referring" or request.expression is None or read_setting("PIXFOUND_KIND"):
            return request.prompt
        kind = "attention" if self.arguments.grounding == "attention" else FAMILIES[self.model.family].prompt
        is_usual = request.prompt == referring_prompt(request.expression, _DECLARED)
        return referring_prompt(request.expression, kind) if is_usual else request.prompt

    def clean(self) -> None:
        """Free the model, and whatever refers to it or is of similar size, before scoring."""
        self.grounder = None
        if hasattr(self, "model"):
            del self.model
        super().clean()


def _changed(request: Request, prompt: str) -> dict[str, str]:
    """The prompt for the provenance, if it is not the task's, which lmms-eval logs."""
    return {"prompt": prompt} if prompt != request.prompt else {}
