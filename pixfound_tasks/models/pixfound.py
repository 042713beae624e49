"""`--model pixfound`: a transformers image-text-to-text model, with its attention or its coordinates turned into masks.

Grounding by attention needs to know where image tokens lie: by the rule of the model's family, or by measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from lmms_eval.api.instance import GenerationResult, Instance
from PIL import Image
from tqdm import tqdm
from transformers import set_seed

from pixfound_tasks import mini
from pixfound_tasks.attention import Lens, Look
from pixfound_tasks.attention.lens import Answer
from pixfound_tasks.grounding import pipeline
from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
from pixfound_tasks.grounding.products import make_product_selector
from pixfound_tasks.grounding.segmenters import base as segmenters
from pixfound_tasks.grounding.text_grounder import WordGrounder, convention_of, enlarged
from pixfound_tasks.grounding.text_profiles import PROFILES, ObjectGrounder, check_joint
from pixfound_tasks.models import presets
from pixfound_tasks.models.arguments import read_arguments
from pixfound_tasks.models.base import ChatModel, Request, timed
from pixfound_tasks.models.overlap import Generated, Work, can_overlap, finished, grounding_worker
from pixfound_tasks.prompts.text import referring_prompt
from pixfound_tasks.response import to_text

# The generation_kwargs that are passed to `generate`; `until` is applied afterwards.
_GENERATION = ("max_new_tokens", "do_sample", "temperature", "top_p", "top_k", "num_beams", "repetition_penalty")


Answered = tuple[str, int | None]  # a response, and the number of its tokens


class PixFound(ChatModel):
    """A model whose answers are grounded if the prompt is a referring prompt or an open question.

    Its arguments are those of `arguments.Arguments`.
    """

    def __init__(self, pretrained: str = mini.NAME, **given: Any) -> None:
        super().__init__()
        self.arguments = arguments = read_arguments({"pretrained": pretrained, **given})
        self.batch_size, self.grounding = arguments.batch_size, arguments.grounding
        self.grounder: AttentionGrounder | None = None
        self.words: WordGrounder | ObjectGrounder | None = None
        self.save_attention = Path(arguments.save_attention) if arguments.save_attention else None
        if arguments.device:
            self.device = torch.device(arguments.device)
        self.lens = self._open_lens()
        template = getattr(self.lens.processor, "chat_template", None)
        self.chat_template = template if isinstance(template, str) else None
        if self.grounding in ("box", "point"):
            self.words = self._word_grounder(pretrained, arguments.segmenter)
        elif self.grounding == "text":
            self.words = self._object_grounder(pretrained, arguments.segmenter)
        elif self.grounding == "attention":
            self.grounder = pipeline.attention_grounder(
                self.lens,
                pretrained,
                str(self.device),
                arguments.segmenter,
                arguments.phrases,
                pipeline.named_judge(arguments.judge, self.lens, arguments.judging),
                arguments.of_study,
                **arguments.of_grounder,
            )
        self._worker = grounding_worker(self.device) if can_overlap(arguments.judge) else None
        if arguments.sampling_seed is not None:
            set_seed(arguments.sampling_seed)

    def _open_lens(self) -> Lens:
        """The lens of the model. A preset is checked against the model's family, and sets what documents depend on."""
        given = self.arguments
        options: dict[str, Any] = {"system": given.system, "pad": given.pad, "geometry": given.geometry}
        if given.enable_thinking is not None:
            options["chat_kwargs"] = {"enable_thinking": given.enable_thinking}
        if given.preset:
            presets.check_model(given.preset, pipeline.checkpoint(given.pretrained))
            presets.set_variables(given.preset)  # the documents are loaded after the model
        return pipeline.open_lens(
            given.pretrained,
            given.device_map or str(self.device),
            given.dtype,
            given.attn_implementation,
            given.reducer,
            given.layers,
            given.query,
            **options,
        )

    def _word_grounder(self, pretrained: str, segmenter: str) -> WordGrounder:
        given, mask = self.arguments, self.arguments.mask
        convention = convention_of(self.lens.model.config, self.lens.processor)
        made = segmenters.make_segmenter(segmenter, str(self.device), multimask=mask != "single")
        provenance = pipeline.provenance(self.lens, pretrained, self.grounding, segmenter)
        provenance |= given.of_study | given.of_prompting
        selector = None
        if given.candidates == "products":
            judge = pipeline.named_judge(given.judge, self.lens, given.judging)
            selector = make_product_selector(given.select, judge, mask, given.judging)
        return WordGrounder(made, self.grounding, convention, provenance, mask, selector, given.enlarge)

    def _object_grounder(self, pretrained: str, segmenter: str) -> ObjectGrounder:
        given = self.arguments
        made = check_joint(segmenters.make_segmenter(segmenter, str(self.device)))
        provenance = pipeline.provenance(self.lens, pretrained, self.grounding, segmenter)
        provenance |= given.of_study | {"profile": given.profile}
        return ObjectGrounder(PROFILES[str(given.profile)], made, provenance)

    def generate_until(self, requests: list[Instance]) -> Iterator[GenerationResult]:
        """Answers in the order of the requests, as they are made: text, or the contract's JSON if grounded."""
        progress = tqdm(requests, desc="answering", disable=self.rank != 0)
        made = self._generated(self.unpack(instance) for instance in progress)
        return timed(finished(made, self._worker), len(requests))

    def _generated(self, requests: Iterator[Request]) -> Iterator[Generated[Answered]]:
        """Generate the answers of batches, and say how their responses are made."""
        for batch in batches(requests, self.batch_size):
            first = batch[0]
            options = {name: first.generation[name] for name in _GENERATION if first.generation.get(name) is not None}
            options |= self.arguments.generation
            if self.grounding == "attention" and first.protocol != "choice":
                yield Generated(self._attended(batch, options), is_grounded=True)
            elif self.words is not None and first.protocol == "referring":
                yield Generated(self._said(batch, options), is_grounded=True)
            else:
                images = [self._seen(request.image) for request in batch]
                answers = self.lens.answer_all(images, [r.prompt for r in batch], **options)
                until = first.generation.get("until") or ()
                yield Generated([partial(_plain, answer, until) for answer in answers], is_grounded=False)

    def _seen(self, image: Image.Image) -> Image.Image:
        """The image that the model sees, if no attention is read."""
        if isinstance(self.words, ObjectGrounder):
            return self.words.profile.seen(image)
        return image

    def _attended(self, batch: list[Request], options: dict[str, Any]) -> list[Work[Answered]]:
        """Answers grounded by the attention of their phrases."""
        looks = self.lens.look_all([r.image for r in batch], [r.prompt for r in batch], **options)
        return [partial(self._ground, request, look) for request, look in zip(batch, looks)]

    def _ground(self, request: Request, look: Look) -> Answered:
        if self.save_attention:
            look.save(self.save_attention / f"{request.task}_{request.doc_id}.safetensors")
        assert self.grounder is not None
        response = self.grounder.ground(look, request.image, _asked(request))
        return to_text(response), response.tokens

    def _said(self, batch: list[Request], options: dict[str, Any]) -> list[Work[Answered]]:
        """Answers grounded by the boxes or points in them.

        The prompt is the task's own, or the study's prompt for boxes or points; with grounding=text the profile's.
        """
        if isinstance(self.words, ObjectGrounder):
            profile = self.words.profile
            prompts = [profile.prompt(_asked(request)) for request in batch]
            images = [self._seen(request.image) for request in batch]
            options = {**options, "max_new_tokens": self.arguments.max_new_tokens or profile.max_new_tokens}
        else:
            prompts = [request.box_prompt or referring_prompt(_asked(request), self.grounding) for request in batch]
            images = [enlarged(request.image, self.arguments.enlarge) for request in batch]
        answers = self.lens.answer_all(images, prompts, **options)
        return [partial(self._locate, *found) for found in zip(batch, prompts, answers)]

    def _locate(self, request: Request, prompt: str, answer: Answer) -> Answered:
        assert self.words is not None
        return to_text(self.words.ground(answer, request.image, prompt, _asked(request))), answer.tokens

    def clean(self) -> None:
        """Free the model, and whatever refers to it or is of similar size, before scoring."""
        if self._worker is not None:
            self._worker.shutdown(cancel_futures=True)
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


def _asked(request: Request) -> str:
    """The referring expression of a request that is not a choice question."""
    assert request.expression is not None
    return request.expression


def _plain(answer: Answer, until: Iterable[str]) -> Answered:
    text = answer.text
    for stop in until:
        text = text.split(stop)[0]
    return text, answer.tokens
