"""RGA3, also called UniGR: Qwen2.5-VL whose [SEG] prompts SAM 2, in an answer that it is given. Images only.

Source: Wang et al., "Object-centric Video Question Answering with Visual Grounding and Referring" (arXiv 2507.19599).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image
from transformers import GenerationConfig

from pixfound_tasks.attention.inputs import append_answers, token_spans
from pixfound_tasks.choices import check_choice
from pixfound_tasks.images import as_rgb
from pixfound_tasks.pixel.base import PixelAnswer, PixelLook, PixelModel
from pixfound_tasks.pixel.checkpoint import Checkpoint
from pixfound_tasks.pixel.families.registry import Options
from pixfound_tasks.pixel.qwen_vl import TOKEN, QwenProcessor, Resize, build_qwen, open_processor, qwen_rules
from pixfound_tasks.pixel.sam2_decoder import RGA3
from pixfound_tasks.pixel.with_sam2 import load_with_sam2

ANSWER = "Sure, [SEG]."
# The most pixels of an image, by what the authors' scripts pass it as.
LIMITS = {"video": 384 * TOKEN**2, "image": 1280 * TOKEN**2}
_LEAST = 4 * TOKEN**2


@dataclass
class Rga3Model(PixelModel):
    """RGA3. Its masks are those of a given answer, so that there always is one, whatever the model itself answers.

    The text and the attention of an answer are those that the model generates; `read_all` gives the attention of a
    given answer.

    Attributes:
        given: the answer whose [SEG] get masks.
    """

    given: str = ANSWER

    def answer_all(self, images: Sequence[Image.Image], prompts: Sequence[str], **generation: Any) -> list[PixelAnswer]:
        """Return one generated answer per prompt, with the masks of the given answer; see `PixelModel.answer_all`."""
        with self._recording() as states:
            self.lens.answer_all(images, prompts, **self._options(states, generation))
        return self._drawn(images, prompts, self._generated(states, generation))

    def look_all(self, images: Sequence[Image.Image], prompts: Sequence[str], **generation: Any) -> list[PixelLook]:
        """Return one generated answer per prompt with its attention, and the masks of the given answer."""
        with self._recording() as states:
            looks = self.lens.look_all(images, prompts, **self._options(states, generation))
        answers = self._drawn(images, prompts, self._generated(states, generation))
        return [PixelLook(*both) for both in zip(answers, looks)]

    @torch.inference_mode()
    def draw_all(self, images: Sequence[Image.Image], prompts: Sequence[str]) -> list[PixelAnswer]:
        """Return the given answer with its masks, one per prompt, read in one forward pass."""
        ids = self.processor.tokenizer(self.given, add_special_tokens=False).input_ids
        inputs = self.lens.inputs([(as_rgb(image),) for image in images], prompts)
        inputs, _ = append_answers(inputs, [ids] * len(images), self.model.config.model_type)
        with self._recording() as states:
            self.model(**inputs, use_cache=False, logits_to_keep=1)
        states.prompt_length -= len(ids)
        return self._answers(images, states, [ids] * len(images))

    def _drawn(
        self, images: Sequence[Image.Image], prompts: Sequence[str], generated: Sequence[Sequence[int]]
    ) -> list[PixelAnswer]:
        """Return the generated answers with the masks of the given one."""
        found = []
        for answer, ids in zip(self.draw_all(images, prompts), generated, strict=True):
            text, token_chars = token_spans(self.processor.tokenizer, ids)
            chars = (None,) * len(answer.masks)
            found.append(replace(answer, text=text, ids=tuple(ids), token_chars=token_chars, chars=chars))
        return found


def load_rga3(checkpoint: Checkpoint, options: Options) -> PixelModel:
    """Return RGA3. The state that predicts [SEG] prompts SAM 2; [SEG] stays in the text.

    Options: `passed_as`, "video" (a video of one frame, as in the study) or "image" (as in the authors' evaluations of
    images, with more pixels); `given`, the answer whose [SEG] get masks, such as "[SEG].".

    Raises:
        ValueError: if an option is invalid, or the given answer has no [SEG].
        CheckpointError: if the weights are not those of the model.
    """
    more = dict(options.more or {})
    passed_as, given = str(more.get("passed_as") or "video"), str(more.get("given") or ANSWER)
    check_choice("passed_as", passed_as, LIMITS)
    model = build_qwen(checkpoint, options)
    most = Resize(TOKEN, _LEAST, LIMITS[passed_as])
    processor = QwenProcessor(open_processor(checkpoint), most, as_video=passed_as == "video")
    if passed_as == "video":
        config = model.config
        config.image_token_id, config.video_token_id = config.video_token_id, config.image_token_id
    rules = qwen_rules("visual", "model", "lm_head", model.config.tie_word_embeddings)
    drawer = load_with_sam2(checkpoint, options, model, rules, "text_hidden_fcs.0", RGA3)
    model.generation_config = _generation_config(checkpoint, processor.tokenizer)
    token = processor.tokenizer("[SEG]", add_special_tokens=False).input_ids[-1]  # as the authors' scripts find it
    if token not in processor.tokenizer(given, add_special_tokens=False).input_ids:
        raise ValueError(f"expected a given answer with [SEG], such as {ANSWER!r}, but got {given!r}")
    return Rga3Model("rga3", model, processor, drawer.projection, drawer.decoder, token, given=given)


def _generation_config(checkpoint: Checkpoint, tokenizer: Any) -> GenerationConfig:
    """Return the checkpoint's own, which the authors' scripts generate with."""
    if (checkpoint.folder / "generation_config.json").is_file():
        config = GenerationConfig.from_dict(checkpoint.read("generation_config.json"))
    else:
        config = GenerationConfig(eos_token_id=tokenizer.eos_token_id)
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id
    return config
