"""The judge protocol, its errors, and `make_judge`.

Importing this module imports nothing heavy. What a judge needs is imported when the judge is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pixfound_tasks.choices import check_choice

if TYPE_CHECKING:
    from PIL import Image

# The names that `make_judge` accepts, for messages.
FORMS = ("local:CHECKPOINT", "openai:MODEL")


class JudgeDown(Exception):
    """The judge gave no reply. The message says why."""


class NoReply(JudgeDown):
    """The judge gave no reply to this question, for example because a filter refused it. Others may get one."""


class OneImageOnly(ValueError):
    """The judge does not accept several images in one question."""


_ONE_IMAGE_FAMILIES = frozenset({"llava", "llava_next", "vipllava"})


def check_images(config: Any, images: Sequence[Image.Image]) -> None:
    """Raise `OneImageOnly` for several images if a transformers model was trained on one image at a time.

    These models are LLaVA up to 1.6 and its relatives. They accept several images, but the result is meaningless. Later
    models with the same family names have other image encoders.
    """
    encoder = getattr(getattr(config, "vision_config", None), "model_type", None)
    if len(images) > 1 and config.model_type in _ONE_IMAGE_FAMILIES and encoder == "clip_vision_model":
        raise OneImageOnly(f"{config.model_type} with a CLIP encoder takes one image")


class Judge(Protocol):
    """Answers questions. Several threads may ask at once.

    `name` is recorded in every result: `openai:gpt-4o`, `local:Qwen/Qwen2.5-VL-7B-Instruct`.
    """

    @property
    def name(self) -> str: ...

    def ask(self, prompt: str, images: Sequence[Image.Image] = ()) -> str:
        """Return the reply without leading and trailing whitespace.

        Raises `JudgeDown` if there is no reply, and `OneImageOnly` if the model accepts fewer images.
        """


def is_judge_form(name: str) -> bool:
    """Return whether a name begins like one of the `FORMS`, such as "openai:"."""
    kind, colon, _ = name.partition(":")
    return bool(colon) and kind in [form.partition(":")[0] for form in FORMS]


def check_judge_name(name: str) -> None:
    """Raise ValueError unless a name has one of the `FORMS`."""
    kind, _, model = name.partition(":")
    if not model:
        raise ValueError(f"expected a judge as one of {list(FORMS)}, but got {name!r}; name its model behind a colon")
    check_choice("the kind of judge", kind, [form.partition(":")[0] for form in FORMS])


def make_judge(
    name: str, sees: bool = False, writes: bool = False, system: str = "", temperature: float = 0.0
) -> Judge:
    """Return the judge with this name. Its replies are cached on disk, and it is no longer asked if it keeps failing.

    Args:
        name: "openai:MODEL", a model on a server with the chat-completions protocol (see `chat`), or
            "local:CHECKPOINT", a transformers model from the hub or a folder (see `local`).
        sees: whether it will be shown images.
        writes: whether it will be asked for more than a word or a number.
        system: a system message before every question, of a judge on a server.
        temperature: of a judge on a server, if its model takes one.

    Raises:
        ValueError: the name has another form, the API key is not set, the checkpoint does not exist, or it does not
            accept images although `sees` is set, or there is a system message for a local judge.
    """
    check_judge_name(name)
    kind, _, model = name.partition(":")
    if system and kind == "local":
        raise ValueError(f"expected a judge on a server for a system message, but got {name}; choose openai:MODEL")

    from pixfound_tasks.judges.cache import CachedJudge
    from pixfound_tasks.judges.circuit_breaker import CircuitBreaker

    if kind == "local":
        from pixfound_tasks.judges.local import MAX_NEW_TOKENS, MAX_NEW_TOKENS_WRITING, LocalJudge

        local = LocalJudge(model, MAX_NEW_TOKENS_WRITING if writes else MAX_NEW_TOKENS)
        if sees and not local.takes_images:
            raise ValueError(f"expected a judge that takes images, but {name} reads text only; choose another one")
        return CachedJudge(CircuitBreaker(local), local.settings)

    from pixfound_tasks.judges.chat import ChatJudge

    chat = ChatJudge(model, writes=writes, system=system, temperature=temperature)
    return CachedJudge(CircuitBreaker(chat), chat.settings)
