"""A judge on a server with the chat-completions protocol: OpenAI's, or your own (vLLM, SGLang, llama.cpp).

Its variables are those of lmms-eval's judges: OPENAI_API_KEY for the key, and OPENAI_API_URL for the address, such as
`http://localhost:8000/v1`. So are its requests; but lmms-eval itself is not needed, since other harnesses have judges,
too.
"""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import openai

from pixfound_tasks.judges.base import JudgeDown, NoReply
from pixfound_tasks.judges.retries import PATIENT, RetryPolicy, describe, is_about_the_question, retrying
from pixfound_tasks.judges.thinking import MAX_TOKENS_THINKING
from pixfound_tasks.response.final_answer import final_answer
from pixfound_tasks.settings import read_setting

if TYPE_CHECKING:
    from PIL import Image

_OPENAI = "https://api.openai.com/v1"
_REASONING = ("gpt-5", "o1", "o3", "o4")  # models that take another limit of tokens, and no temperature
_JPEG_QUALITY = 85
# The reply should be a yes, a no or a number, but models may think first.
MAX_TOKENS_SHORT = 1024  # for servers whose context has no room for `MAX_TOKENS_THINKING`
_TOO_MANY = re.compile(r"max_(?:completion_)?tokens|context (?:length|window|size)|maximum context", re.IGNORECASE)


class ChatJudge:
    """Asks one model of a server, at `temperature` if the model accepts one. Images are sent as JPEG.

    A `system` message, if there is one, comes before every question. A reply that is cut off is no reply, because it
    may be part of the model's thinking, unless the judge `writes`.
    Raises ValueError if OPENAI_API_KEY is not set.
    """

    def __init__(
        self,
        model: str,
        retry_policy: RetryPolicy = PATIENT,
        writes: bool = False,
        system: str = "",
        temperature: float = 0.0,
    ) -> None:
        self.name = f"openai:{model}"
        if not read_setting("OPENAI_API_KEY"):
            raise ValueError(
                f"expected OPENAI_API_KEY to hold a key for the judge {self.name!r}, but it is not set; "
                "set it (any text for a server of your own, which OPENAI_API_URL names) or choose another judge"
            )
        # Without the client's own retries, which are not logged.
        url = read_setting("OPENAI_API_URL") or _OPENAI
        self._client = openai.OpenAI(
            api_key=read_setting("OPENAI_API_KEY"), base_url=url, max_retries=0, timeout=retry_policy.timeout
        )
        self._model, self._retry_policy, self._writes = model, retry_policy, writes
        self._options = _sampling(model, temperature)
        self.settings = {"url": str(self._client.base_url), **self._options}
        self._first = [{"role": "system", "content": system}] if system else []
        if system:
            self.settings["system"] = system

    def ask(self, prompt: str, images: Sequence[Image.Image] = ()) -> str:
        """Return the reply. Raises `JudgeDown` if the server gives none after all retries."""
        content: str | list[dict[str, Any]] = prompt
        if images:
            content = [{"type": "text", "text": prompt}, *map(_image_part, images)]
        messages = [*self._first, {"role": "user", "content": content}]
        try:
            return self._complete({"model": self._model, "messages": messages, **self._options})
        except Exception as error:  # a server's reply may cause any error
            down = NoReply if is_about_the_question(error) else JudgeDown
            raise down(f"{self.name} gave no reply: {describe(error)}") from error

    def _complete(self, payload: dict[str, Any]) -> str:
        """Return the reply without leading and trailing whitespace."""
        try:
            completion = self._create(payload)
        except openai.BadRequestError as error:
            if not _TOO_MANY.search(str(error)):
                raise
            names = {"max_tokens", "max_completion_tokens"} & payload.keys()
            completion = self._create(payload | dict.fromkeys(names, MAX_TOKENS_SHORT))
        choice = completion.choices[0]
        _count_tokens(completion, self._model)
        reply, reason = choice.message.content or "", choice.finish_reason
        if not reply.strip():
            raise NoReply(f"expected a reply in text, but got none (finish_reason: {reason!r})")
        if not final_answer(reply).is_finished or (reason == "length" and not self._writes):
            raise NoReply(
                f"expected a whole reply, but it ends after {len(reply)} characters (finish_reason: {reason!r})"
            )
        return str(reply.strip())

    def _create(self, payload: dict[str, Any]) -> Any:
        return retrying(self.name, self._retry_policy)(self._client.chat.completions.create, **payload)


def _sampling(model: str, temperature: float) -> dict[str, Any]:
    if model.startswith(_REASONING):
        return {"max_completion_tokens": MAX_TOKENS_THINKING}
    return {"max_tokens": MAX_TOKENS_THINKING, "temperature": temperature}


def _image_part(image: Image.Image) -> dict[str, Any]:
    file = BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=_JPEG_QUALITY)
    return {
        "type": "image_url",
        "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"},
    }


def _count_tokens(completion: Any, model: str) -> None:
    """Let lmms-eval, if it runs, count the judge's tokens with those of its own judges."""
    host, usage = sys.modules.get("lmms_eval.models.model_utils.usage_metrics"), getattr(completion, "usage", None)
    if host is not None and usage:
        host.log_usage(
            model_name=getattr(completion, "model", None) or model,
            task_name=None,
            input_tokens=getattr(usage, "prompt_tokens", 0) or 0,
            output_tokens=getattr(usage, "completion_tokens", 0) or 0,
            reasoning_tokens=0,
            source="judge",
        )
