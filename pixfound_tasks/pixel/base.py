"""What all pixel-level models share: a language model whose mask tokens become prompts of a mask decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pixfound_tasks.attention import Lens
from pixfound_tasks.attention.inputs import answer_ids, end_tokens, token_spans
from pixfound_tasks.attention.lens import Answer
from pixfound_tasks.attention.look import Look
from pixfound_tasks.images import as_rgb
from pixfound_tasks.pixel.states import MaskStates, StateOf, record_states

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float32

MAX_NEW_TOKENS = 512  # of the authors' scripts


@dataclass(frozen=True, eq=False)
class PixelAnswer:
    """An answer and the masks that the model drew for it.

    Attributes:
        text: the answer without special tokens and surrounding whitespace. Mask tokens stay in it if the family's
            tokenizer has them as ordinary tokens.
        ids: the generated tokens, up to end-of-text.
        masks: one for each mask token that has a mask, in order, in pixels of the original image.
        chars: for each mask the half-open range in `text` of the phrase that it belongs to; None if there is none.
        low_res_logits: for each mask the decoder's own output.
        scores: for each mask the decoder's estimate of its IoU; not finite if the decoder gives none.
        chosen: for each mask the index of the candidate that was taken; None if the decoder gives one mask only.
        states: for each mask the language model's hidden state.
        embeddings: for each mask the projected state, which prompts the decoder.
        token_chars: half-open character ranges in `text`, one per token of `ids`.
    """

    text: str
    ids: tuple[int, ...]
    masks: Bool[np.ndarray, "masks height width"]
    chars: tuple[tuple[int, int] | None, ...]
    low_res_logits: Float32[np.ndarray, "masks low_height low_width"] = field(repr=False)
    scores: Float32[np.ndarray, " masks"]
    chosen: tuple[int, ...] | None
    states: Float32[np.ndarray, "masks width"] = field(repr=False)
    embeddings: Float32[np.ndarray, "masks prompt_width"] = field(repr=False)
    token_chars: tuple[tuple[int, int], ...] = field(default=(), repr=False)


class PixelLook(NamedTuple):
    """An answer with its masks, and the attention of the same generation."""

    answer: PixelAnswer
    look: Look


class Drawing(NamedTuple):
    """What a mask decoder returns for the embeddings of one image, on the CPU; see `PixelAnswer`."""

    masks: Bool[np.ndarray, "masks height width"]
    low_res_logits: Float32[np.ndarray, "masks low_height low_width"]
    scores: Float32[np.ndarray, " masks"]
    chosen: tuple[int, ...] | None


class MaskDecoder(Protocol):
    """The segmenter of a pixel-level model. The modules that hold its weights are those of transformers."""

    def draw(self, image: Image.Image, embeddings: Float[Tensor, "masks prompt_width"]) -> Drawing:
        """Return one mask for each embedding, at least one, over an RGB image. Nothing is kept over calls."""
        ...


@dataclass
class PixelModel:
    """A pixel-level model. A family is an instance of this class, or of a subclass with rules of its own.

    Attributes:
        family: its name in `families.registry.FAMILIES`.
        model: a transformers image-text-to-text model of a family that `Lens` knows.
        processor: its processor, as `Lens` uses it: `processor(images=[[image], ...], text=[...], padding=True,
            padding_side="left", return_tensors="pt")`, `apply_chat_template`, `tokenizer`, `image_processor`.
        projection: from hidden states to embeddings that prompt the decoder.
        decoder: the mask decoder with its image encoder.
        mask_token: the id of the mask token, such as [SEG].
        state_of: "predict" if a mask token's state is the one that predicts it, "consume" if it is the one at its own
            position. With "consume", a mask token that ends an answer without end-of-text has no mask.
        is_normed: whether the states are those after the language model's final norm.
        counts_prompt: whether mask tokens of the prompt get masks too, before those of the answer.
        phrase_tokens: the ids of the tokens around a phrase, such as <p> and </p>; None if the family has none.
        lens_options: other arguments of `Lens`.
        revision: the commit of the hub that was loaded; None if the model is from a folder.
    """

    family: str
    model: Any
    processor: Any
    projection: nn.Module
    decoder: MaskDecoder
    mask_token: int
    state_of: StateOf = "predict"
    is_normed: bool = True
    counts_prompt: bool = False
    phrase_tokens: tuple[int, int] | None = None
    lens_options: dict[str, Any] = field(default_factory=dict)
    revision: str | None = None

    @property
    def lens(self) -> Lens:
        """The lens of the language model."""
        return Lens(self.model, self.processor, **self.lens_options)

    def text_all(self, images: Sequence[Image.Image], prompts: Sequence[str], **generation: Any) -> list[Answer]:
        """Return one answer per prompt without masks; see `answer_all`."""
        return self.lens.answer_all(images, prompts, **{"max_new_tokens": MAX_NEW_TOKENS, **generation})

    def answer_all(self, images: Sequence[Image.Image], prompts: Sequence[str], **generation: Any) -> list[PixelAnswer]:
        """Return one answer per prompt, generated in one batch; each prompt has one image.

        `generation` are options of `model.generate`. Generation is greedy unless they say otherwise.

        Raises:
            ValueError: if the inputs differ in length or are empty, or the generation is a beam search.
        """
        with self._recording() as states:
            self.lens.answer_all(images, prompts, **self._options(states, generation))
        return self._answers(images, states, self._generated(states, generation))

    def look_all(self, images: Sequence[Image.Image], prompts: Sequence[str], **generation: Any) -> list[PixelLook]:
        """Return one answer per prompt with the attention of the same generation; see `answer_all`, `Lens.look_all`."""
        with self._recording() as states:
            looks = self.lens.look_all(images, prompts, **self._options(states, generation))
        answers = self._answers(images, states, self._generated(states, generation))
        return [PixelLook(*both) for both in zip(answers, looks)]

    def read_all(
        self, images: Sequence[Image.Image], prompts: Sequence[str], answers: Sequence[str]
    ) -> list[PixelLook]:
        """Return the masks and the attention of given answers, read in one forward pass."""
        with self._recording() as states:
            looks = self.lens.look_all(images, prompts, answers)
        ids = [self.processor.tokenizer(answer, add_special_tokens=False).input_ids for answer in answers]
        # The pass has the answers too, padded on the right to the longest.
        states.prompt_length -= max(map(len, ids))
        return [PixelLook(*both) for both in zip(self._answers(images, states, ids), looks)]

    def chars_of(self, ids: Sequence[int], at: int, token_chars: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
        """Return the characters of the phrase that a mask token belongs to: the last one that ends before it.

        Args:
            ids: the tokens of the answer.
            at: the index of the mask token among them.
            token_chars: the character range of each token in the answer's text.
        """
        if self.phrase_tokens is None:
            return None
        opening, closing = self.phrase_tokens
        ends = [index for index in range(at) if ids[index] == closing]
        starts = [index for index in range(ends[-1] if ends else 0) if ids[index] == opening]
        # A mask token after an earlier mask token of the same phrase belongs to no phrase.
        if not starts or self.mask_token in ids[ends[-1] : at]:
            return None
        inside = token_chars[starts[-1] + 1 : ends[-1]]
        return (inside[0][0], inside[-1][1]) if inside and inside[0][0] < inside[-1][1] else None

    def _recording(self) -> Any:
        return record_states(self.model, (self.mask_token,), self.state_of, self.is_normed)

    def _options(self, states: MaskStates, generation: dict[str, Any]) -> dict[str, Any]:
        """The options of `generate`, with the recorder among its stopping criteria."""
        criteria = [*(generation.get("stopping_criteria") or ()), states]
        return {"max_new_tokens": MAX_NEW_TOKENS, **generation, "stopping_criteria": criteria}

    def _generated(self, states: MaskStates, generation: dict[str, Any]) -> list[list[int]]:
        assert states.sequences is not None
        ends = end_tokens(generation, self.model.generation_config)
        return answer_ids(states.sequences, states.prompt_length, ends)

    def _answers(
        self, images: Sequence[Image.Image], states: MaskStates, answers: Sequence[Sequence[int]]
    ) -> list[PixelAnswer]:
        if len(answers) != len(images):
            raise ValueError(
                f"expected one sequence per prompt, {len(images)}, but the model ran {len(answers)}: generate with "
                "num_beams=1 and num_return_sequences=1"
            )
        return [
            self._answer(as_rgb(image), states, index, ids) for index, (image, ids) in enumerate(zip(images, answers))
        ]

    @torch.inference_mode()
    def _answer(self, image: Image.Image, states: MaskStates, sample: int, ids: Sequence[int]) -> PixelAnswer:
        assert states.sequences is not None
        text, token_chars = token_spans(self.processor.tokenizer, ids)
        prompt = states.sequences[sample, : states.prompt_length].tolist() if self.counts_prompt else []
        # The first token of a sequence has no state before it.
        places = [(at - states.prompt_length, at) for at, token in enumerate(prompt) if at and token == self.mask_token]
        places += [(at, states.prompt_length + at) for at, token in enumerate(ids) if token == self.mask_token]
        found = [(at, state) for at, place in places if (state := states.of(sample, place)) is not None]
        chars = tuple(self.chars_of(ids, at, token_chars) if at >= 0 else None for at, _ in found)
        if not found:
            return _without_masks(text, ids, image, token_chars)
        kept = torch.stack([state for _, state in found])
        weight = next(self.projection.parameters())
        embeddings = self.projection(kept.to(weight.device, weight.dtype))
        drawing = self.decoder.draw(image, embeddings)
        return PixelAnswer(
            text=text,
            ids=tuple(ids),
            chars=chars,
            states=kept.float().cpu().numpy(),
            embeddings=embeddings.float().cpu().numpy(),
            token_chars=token_chars,
            **drawing._asdict(),
        )


def _without_masks(
    text: str, ids: Sequence[int], image: Image.Image, token_chars: tuple[tuple[int, int], ...]
) -> PixelAnswer:
    masks, logits, states = (np.zeros((0, *size), np.float32) for size in ((image.height, image.width), (0, 0), (0,)))
    scores = np.zeros(0, np.float32)
    return PixelAnswer(text, tuple(ids), masks > 0, (), logits, scores, (), states, states, token_chars)
