"""Turn images, prompts and answers into model inputs, and answer tokens into text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from PIL import Image
from torch import Tensor
from transformers import ProcessorMixin, logging

from pixfound_tasks.attention.measured.image_tokens import MARKED

if TYPE_CHECKING:
    from jaxtyping import Int

# Per-token inputs other than the ids. A new token takes the value of the last token, as in generation.
_PER_TOKEN = (
    "attention_mask", "token_type_ids", "mm_token_type_ids", "cross_attention_mask", "image_attention_mask", MARKED,
)  # fmt: skip

_FRAMES = 4  # of a video that shows an image, as InstructBLIP-Video's prompts have

# What stands for an image in the text of each processor, see `image_placeholder`.
_PLACEHOLDERS: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def prompt_inputs(
    processor: Any,
    images: Sequence[Sequence[Image.Image]],
    prompts: Sequence[str],
    images_kwargs: dict[str, Any],
    chat_kwargs: dict[str, Any] | None = None,
    system: str = "",
    padding_side: str = "left",
) -> Any:
    """Return the model inputs of a batch of prompts, each preceded by its images and padded on the left.

    Encoders are padded on the right, with `padding_side`.

    If the processor has no chat template (base models, PaliGemma), a prompt is its image placeholders followed by the
    text.

    Raises:
        ValueError: if the processor makes another number of prompts.
    """
    texts = [_text(processor, len(own), prompt, chat_kwargs or {}, system) for own, prompt in zip(images, prompts)]
    bos = processor.tokenizer.bos_token
    # Left padding puts each answer directly after its prompt.
    options = {"padding": True, "padding_side": padding_side, "return_tensors": "pt", **images_kwargs}
    if bos and all(text.startswith(bos) for text in texts):
        options["add_special_tokens"] = False  # the chat template already added it
    inputs = _processed(processor, images, texts, options)
    inputs.pop("labels", None)  # added by PaliGemma's processor, but there is no answer yet
    if "input_ids" in inputs and len(inputs["input_ids"]) != len(texts):
        raise ValueError(
            f"expected one prompt for each of {len(texts)} texts, but {type(processor).__name__} makes "
            f"{len(inputs['input_ids'])}: set its options so that it makes one, such as "
            'images_kwargs={"policies": ["dangerous"]} of ShieldGemma 2'
        )
    return inputs


def _processed(
    processor: Any, images: Sequence[Sequence[Image.Image]], texts: Sequence[str], options: dict[str, Any]
) -> Any:
    """Call a processor with the images of each text, or with one list of all images if it takes no other.

    A processor for videos alone gets each image as a video of equal frames.
    """
    if getattr(processor, "video_processor", None) and not getattr(processor, "image_processor", None):
        images = [_as_video(own) for own in images]
    try:
        return processor(images=[list(own) for own in images], text=list(texts), **options)
    except (TypeError, ValueError, AttributeError) as error:
        try:
            return processor(images=[image for own in images for image in own], text=list(texts), **options)
        except Exception:
            raise error from None


def _as_video(images: Sequence[Image.Image]) -> Sequence[Image.Image]:
    """Return the frames of a video that shows an image. Raises ValueError if there are several images."""
    if len(images) != 1:
        raise ValueError(
            f"expected one image per prompt for a model that reads videos, shown to it as one, but got {len(images)}"
        )
    return [*images] * _FRAMES


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
    given = padded_answers(answers).to(ids.device)
    labels = torch.cat([torch.full_like(ids, -100), given], dim=1)
    inputs["input_ids"] = torch.cat([ids, given.clamp(min=0)], dim=1)
    for name in _PER_TOKEN:
        if name in inputs and inputs[name].shape[:2] == ids.shape:  # Phi-4's image_attention_mask is one of patches
            inputs[name] = torch.cat(
                [inputs[name], inputs[name][:, -1:].expand(-1, length, *inputs[name].shape[2:])], 1
            )
    inputs["attention_mask"][:, -length:] = (given >= 0).to(inputs["attention_mask"])
    if family == "paligemma":
        inputs["token_type_ids"][:, -length:] = 1  # the suffix, the only part with causal attention
    return inputs, labels


def padded_answers(answers: Sequence[Sequence[int]]) -> Int[Tensor, "batch tokens"]:
    """Return answers' ids, padded on the right with -100."""
    given = torch.full((len(answers), max(len(answer) for answer in answers)), -100)
    for row, answer in zip(given, answers):
        row[: len(answer)] = torch.tensor(answer)
    return given


def with_prompt(inputs: Any, ids: Int[Tensor, "batch begun"]) -> Any:
    """Return the inputs with other ids for their prompts, which may leave out the last ones. `inputs` is changed."""
    before = inputs["input_ids"].shape
    inputs["input_ids"] = ids
    for name in _PER_TOKEN:
        if name in inputs and inputs[name].shape[:2] == before:
            inputs[name] = inputs[name][:, : ids.shape[1]]
    return inputs


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
    return image_placeholder(processor) * image_count + prompt


def image_placeholder(processor: Any) -> str:
    """Return what stands for an image in the text of a processor without a chat template.

    It is empty if the processor has no image token, or writes the image tokens itself, as BLIP-2's, Fuyu's and
    Florence-2's do. That is found out with a small image: such a processor needs no placeholder, and takes one for an
    image more.
    """
    placeholder = str(getattr(processor, "boi_token", None) or getattr(processor, "image_token", None) or "")
    if not placeholder or not isinstance(processor, ProcessorMixin) or not hasattr(processor, "image_token"):
        return placeholder
    if processor not in _PLACEHOLDERS:
        without, given = (_image_token_count(processor, text) for text in ("a", f"{placeholder}a"))
        writes_itself = without is not None and without > 0 and (given is None or given > without)
        _PLACEHOLDERS[processor] = "" if writes_itself else placeholder
    return _PLACEHOLDERS[processor]


def _image_token_count(processor: Any, text: str) -> int | None:
    """Return how many image tokens a prompt with one image has. None if the processor does not take the text."""
    image = Image.new("RGB", (64, 64))
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # some processors warn of a missing placeholder
    try:
        inputs = _processed(processor, [[image]], [text], {"return_tensors": "pt"})
    except Exception:  # each processor has its own
        return None
    finally:
        logging.set_verbosity(verbosity)
    token = processor.tokenizer.convert_tokens_to_ids(str(processor.image_token))
    return int((inputs["input_ids"] == token).sum())
