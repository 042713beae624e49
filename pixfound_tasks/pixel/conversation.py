"""The conversations that LLaVA's descendants were trained on, as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pixfound_tasks.choices import check_choice

IMAGE = "<image>"


@dataclass(frozen=True)
class Template:
    """How the turns of a conversation become one text.

    `system` is the usual system message. `opening` holds it; `user` and `assistant` hold the turns of the two, and
    `ending` follows what the assistant said.
    """

    system: str
    opening: str
    user: str
    assistant: str
    ending: str
    folds_system: bool = False  # into the first user's turn


TEMPLATES = {
    "llava_v1": Template(
        system=(
            "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, "
            "detailed, and polite answers to the human's questions."
        ),
        opening="{} ",
        user="USER: {} ",
        assistant="ASSISTANT:",
        ending="</s>",
    ),
    "llava_llama_2": Template(
        system=(
            "You are a helpful language and vision assistant. You are able to understand the visual content that the "
            "user provides, and assist the user with a variety of tasks using natural language."
        ),
        opening="<<SYS>>\n{}\n<</SYS>>\n\n",
        user="[INST] {} [/INST]",
        assistant="",
        ending="</s>",
        folds_system=True,
    ),
}


def check_template(name: str) -> Template:
    """Return the template of this name. Raises ValueError if there is none."""
    check_choice("template", name, TEMPLATES)
    return TEMPLATES[name]


def conversation(template: Template, messages: Sequence[Mapping[str, Any]], frame: str) -> str:
    """Return the text of messages as transformers' chat templates take them, with the place of the next answer.

    `frame` is the text around the first user's words: it holds `<image>`, and `{}` for the words.

    Raises:
        ValueError: if the conversation does not have exactly one image, in the first user's turn.
    """
    system = next((_words(message) for message in messages if message["role"] == "system"), template.system)
    opening = template.opening.format(system)
    text = "" if template.folds_system else opening
    turns = [message for message in messages if message["role"] != "system"]
    for index, message in enumerate(turns):
        if message["role"] == "assistant":
            text += f" {_words(message)}{template.ending}"
            continue
        words = _words(message)
        if index == 0:
            words = (opening if template.folds_system else "") + frame.replace("{}", words)
        text += template.user.replace("{}", words) + template.assistant
    images = sum(_images(message) for message in turns)
    if images != 1 or not turns or _images(turns[0]) != 1 or text.count(IMAGE) != 1:
        raise ValueError(
            f"expected one image, in the first user's turn, and no {IMAGE} in its words, but got {images} images and "
            f"the words {[_words(message) for message in turns]}"
        )
    return text


def _words(message: Mapping[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(p["text"] for p in content if p["type"] == "text")


def _images(message: Mapping[str, Any]) -> int:
    content = message["content"]
    return 0 if isinstance(content, str) else sum(part["type"] == "image" for part in content)
