"""A judge on a server with the chat-completions protocol: OpenAI's, or your own (vLLM, SGLang, llama.cpp).

It uses lmms-eval's client for such servers and its variables: OPENAI_API_KEY for the key, and OPENAI_API_URL for the
address, such as `http://localhost:8000/v1`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import openai
from lmms_eval.llm_judge import ProviderFactory, Request, ServerConfig
from lmms_eval.llm_judge.providers.openai import build_sampling_kwargs

from pixfound_tasks.judges.base import JudgeDown, NoReply
from pixfound_tasks.judges.retries import PATIENT, RetryPolicy, describe, is_about_the_question, retrying
from pixfound_tasks.judges.thinking import MAX_TOKENS_THINKING
from pixfound_tasks.response.final_answer import final_answer
from pixfound_tasks.settings import read_setting

if TYPE_CHECKING:
    from PIL import Image

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
        # One attempt, because lmms-eval's own retries wait a fixed time after any error.
        config = ServerConfig(model, temperature=temperature, max_tokens=MAX_TOKENS_THINKING, num_retries=1)
        self._server = ProviderFactory.create_provider("openai", config)
        # Turn off the client's own retries, which are not logged, and set a time limit, because lmms-eval sets none.
        self._client = self._server.client.with_options(max_retries=0, timeout=retry_policy.timeout)
        self._server.client = SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=self._complete)))
        self._retry_policy, self._writes = retry_policy, writes
        self.settings = {"url": str(self._client.base_url), **build_sampling_kwargs(config)}
        self._first = [{"role": "system", "content": system}] if system else []
        if system:
            self.settings["system"] = system

    def ask(self, prompt: str, images: Sequence[Image.Image] = ()) -> str:
        """Return the reply. Raises `JudgeDown` if the server gives none after all retries."""
        request = Request([*self._first, {"role": "user", "content": prompt}], images=list(images))
        try:
            return self._server.evaluate(request).content
        except Exception as error:  # a server's reply may cause any error
            down = NoReply if is_about_the_question(error) else JudgeDown
            raise down(f"{self.name} gave no reply: {describe(error)}") from error

    def _complete(self, **payload: Any) -> Any:
        try:
            completion = self._create(payload)
        except openai.BadRequestError as error:
            if not _TOO_MANY.search(str(error)):
                raise
            names = {"max_tokens", "max_completion_tokens"} & payload.keys()
            completion = self._create(payload | dict.fromkeys(names, MAX_TOKENS_SHORT))
        choice = completion.choices[0]
        reply, reason = choice.message.content or "", choice.finish_reason
        if not reply.strip():
            raise NoReply(f"expected a reply in text, but got none (finish_reason: {reason!r})")
        if not final_answer(reply).is_finished or (reason == "length" and not self._writes):
            raise NoReply(
                f"expected a whole reply, but it ends after {len(reply)} characters (finish_reason: {reason!r})"
            )
        return completion

    def _create(self, payload: dict[str, Any]) -> Any:
        return retrying(self.name, self._retry_policy)(self._client.chat.completions.create, **payload)
