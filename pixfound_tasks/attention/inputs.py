"""Turn images, prompts and answers into model inputs, and answer tokens into text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Int

# Per-token inputs other than the ids. A new token takes the value of the last token, as in generation.
_PER_TOKEN = ("attention_mask", "token_type_ids", "mm_token_type_ids", "cross_attention_mask")


def prompt_inputs(
    processor: Any,
    images: Sequence[Sequence[Image.Image]],
    prompts: Sequence[str],
    images_kwargs: dict[str, Any],
    chat_kwargs: dict[str, Any] | None = None,
    system: str = "",
) -> Any:
    """Return the model inputs of a batch of prompts, each preceded by its images and padded on the left.

    If the processor has no chat template (base models, PaliGemma), a prompt is its image placeholders followed by the
    text.
    """
    texts = [_text(processor, len(own), prompt, chat_kwargs or {}, system) for own, prompt in zip(images, prompts)]
    bos = processor.tokenizer.bos_token
    # Left padding puts each answer directly after its prompt.
    options = {"padding": True, "padding_side": "left", "return_tensors": "pt", **images_kwargs}
    if bos and all(text.startswith(bos) for text in texts):
        options["add_special_tokens"] = False  # the chat template already added it
    inputs = processor(images=[list(own) for own in images], text=texts, **options)
    inputs.pop("labels", None)  # added by PaliGemma's processor, but there is no answer yet
    return inputs


def padded_to_square(image: Image.Image, processor: Any) -> Image.Image:
    """Return the image in the middle of a square in the processor's mean color, as LLaVA-1.5's code pads it."""
    side = max(image.size)
    color = [int(255 * value) for value in processor.image_processor.image_mean]
    square = Image.new("RGB", (side, side), (color[0], color[1], color[2]))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def append_answers(
    inputs: Any, answers: Sequence[Sequence[int]], family: str
) -> tuple[Any, Int[Tensor, "batch tokens"]]:
    """Append given answers to their prompts, padded on the right. `inputs` is changed in place.

    Returns the inputs and the labels: the answers' ids, and -100 elsewhere.
    """
    ids, length = inputs["input_ids"], max(len(answer) for answer in answers)
    given = torch.full((len(answers), length), -100)
    for row, answer in zip(given, answers):
        row[: len(answer)] = torch.tensor(answer)
    given = given.to(ids.device)
    labels = torch.cat([torch.full_like(ids, -100), given], dim=1)
    inputs["input_ids"] = torch.cat([ids, given.clamp(min=0)], dim=1)
    for name in _PER_TOKEN:
        if name in inputs:
            inputs[name] = torch.cat(
                [inputs[name], inputs[name][:, -1:].expand(-1, length, *inputs[name].shape[2:])], 1
            )
    inputs["attention_mask"][:, -length:] = (given >= 0).to(inputs["attention_mask"])
    if family == "paligemma":
        inputs["token_type_ids"][:, -length:] = 1  # the suffix, the only part with causal attention
    return inputs, labels


def token_spans(tokenizer: Any, ids: Sequence[int]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the text of an answer's tokens without surrounding whitespace, and each token's character range in it.

    A token's range is the text that decoding it adds to the previous tokens. If it adds nothing yet, such as the first
    bytes of a character, its range is empty.
    """
    whole = tokenizer.decode(ids, skip_special_tokens=True)
    lead = len(whole) - len(whole.lstrip())
    text = whole.strip()
    ends = [0]
    for count in range(1, len(ids) + 1):
        so_far = tokenizer.decode(ids[:count], skip_special_tokens=True)
        agreed = next((at for at, (a, b) in enumerate(zip(so_far, whole)) if a != b), min(len(so_far), len(whole)))
        ends.append(max(ends[-1], agreed))
    ends = [min(max(end - lead, 0), len(text)) for end in ends]
    return text, tuple(zip(ends[:-1], ends[1:]))


def answer_ids(sequences: Int[Tensor, "batch tokens"], prompt_length: int, ends: set[int | None]) -> list[list[int]]:
    """Return each sample's generated ids, up to its first end-of-text or padding token."""
    answers = []
    for ids in sequences[:, prompt_length:].tolist():
        stop = next((index for index, token in enumerate(ids) if token in ends), len(ids))
        answers.append(ids[:stop])
    return answers


def end_tokens(generation: dict[str, Any], default: Any) -> set[int | None]:
    """Return the ids that end an answer: those of the call if given, else those of the generation config."""
    config = generation.get("generation_config") or default
    eos, pad = (generation.get(name, getattr(config, name)) for name in ("eos_token_id", "pad_token_id"))
    return {pad, *(eos if isinstance(eos, (list, tuple)) else [eos])}


def check_chat_option(processor: Any, name: str) -> None:
    """Raise ValueError if the chat template has no such option: its prompt is the same with true and with false."""
    if getattr(processor, "chat_template", None):
        prompts = {_text(processor, 1, "?", {name: value}) for value in (True, False)}
        if len(prompts) == 2:
            return
    raise ValueError(
        f"expected a model whose chat template reads {name}, but the prompt of this one does not depend on it; leave "
        f"{name} out"
    )


def check_system(processor: Any, system: str) -> None:
    """Raise ValueError if the chat template leaves out a system message."""
    if not getattr(processor, "chat_template", None) or system not in _text(processor, 1, "?", {}, system):
        raise ValueError(
            "expected a model whose chat template takes a system message, but the prompt of this one does not have it; "
            "choose another model, or leave out the system message"
        )


def _text(processor: Any, image_count: int, prompt: str, chat_kwargs: dict[str, Any], system: str = "") -> str:
    if getattr(processor, "chat_template", None):
        content = [{"type": "image"}] * image_count + [{"type": "text", "text": prompt}]
        messages = [{"role": "user", "content": content}]
        if system:
            messages.insert(0, {"role": "system", "content": [{"type": "text", "text": system}]})
        return processor.apply_chat_template(messages, add_generation_prompt=True, **chat_kwargs)
    placeholder = getattr(processor, "boi_token", None) or processor.image_token
    return placeholder * image_count + prompt
