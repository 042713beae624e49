"""Judges: they are asked in text, with images or without, and reply in text.

Importing this package imports nothing heavy; what a judge needs is imported when it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pixfound_tasks.choices import check_choice

if TYPE_CHECKING:
    from PIL import Image

# What `make_judge` takes, for messages.
FORMS = ("local:CHECKPOINT", "openai:MODEL")


class JudgeDown(Exception):
    """No reply is to be had from a judge; the message says why."""


class NoReply(JudgeDown):
    """No reply to this question, such as one that a filter refuses; others may have one."""


class OneImageOnly(ValueError):
    """A judge that cannot be shown several images in one question."""


_ONE_IMAGE_FAMILIES = frozenset({"llava", "llava_next", "vipllava"})


def check_images(config: Any, images: Sequence[Image.Image]) -> None:
    """Raise `OneImageOnly` where a transformers model's training had one image at a time, and these are several.

    LLaVA up to 1.6 and its kin: several pass through the model, but mean nothing to it. Later models under the same
    family names have other encoders.
    """
    encoder = getattr(getattr(config, "vision_config", None), "model_type", None)
    if len(images) > 1 and config.model_type in _ONE_IMAGE_FAMILIES and encoder == "clip_vision_model":
        raise OneImageOnly(f"{config.model_type} with a CLIP encoder takes one image")


class Judge(Protocol):
    """Replies to questions; several threads may ask at once.

    `name` goes into every result: `openai:gpt-4o`, `local:Qwen/Qwen2.5-VL-7B-Instruct`.
    """

    @property
    def name(self) -> str: ...

    def ask(self, prompt: str, images: Sequence[Image.Image] = ()) -> str:
        """The reply, without outer blanks.

        Raises `JudgeDown` where none is to be had, `OneImageOnly` where a model takes fewer images than these.
        """


def is_judge_form(name: str) -> bool:
    """Whether a name begins as one of the `FORMS`, such as "openai:"."""
    kind, colon, _ = name.partition(":")
    return bool(colon) and kind in [form.partition(":")[0] for form in FORMS]


def check_judge_name(name: str) -> None:
    """Raise ValueError unless a name has one of the `FORMS`."""
    kind, _, model = name.partition(":")
    if not model:
        raise ValueError(f"expected a judge as one of {list(FORMS)}, but got {name!r}; name its model behind a colon")
    check_choice("the kind of judge", kind, [form.partition(":")[0] for form in FORMS])


def make_judge(name: str, sees: bool = False, writes: bool = False) -> Judge:
    """The judge of this name. Its replies are kept on disk; it stops asking where it fails again and again.

    Args:
        name: "openai:MODEL", whatever speaks the chat-completions protocol (see `chat`), or "local:CHECKPOINT", a
            transformers model of the hub or a folder (see `local`).
        sees: whether it will be shown images.
        writes: whether it will be asked for more than a word or a number.

    Raises ValueError for other names, where the key is missing, and where there is no such checkpoint or it takes no
    images and shall.
    """
    check_judge_name(name)
    kind, _, model = name.partition(":")

    from pixfound_tasks.judges.breaker import CircuitBreaker
    from pixfound_tasks.judges.cache import CachedJudge

    if kind == "local":
        from pixfound_tasks.judges.local import MAX_NEW_TOKENS, MAX_NEW_TOKENS_WRITING, LocalJudge

        local = LocalJudge(model, MAX_NEW_TOKENS_WRITING if writes else MAX_NEW_TOKENS)
        if sees and not local.takes_images:
            raise ValueError(f"expected a judge that takes images, but {name} reads text only; choose another one")
        return CachedJudge(CircuitBreaker(local), local.settings)

    from pixfound_tasks.judges.chat import ChatJudge

    chat = ChatJudge(model)
    return CachedJudge(CircuitBreaker(chat), chat.settings)
