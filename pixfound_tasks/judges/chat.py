"""A judge on a server with the chat-completions protocol: OpenAI's, or your own (vLLM, SGLang, llama.cpp).

It uses lmms-eval's client for such servers and its variables: OPENAI_API_KEY for the key, and OPENAI_API_URL for the
address, such as `http://localhost:8000/v1`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from lmms_eval.llm_judge import ProviderFactory, Request, ServerConfig
from lmms_eval.llm_judge.providers.openai import build_sampling_kwargs

from pixfound_tasks.judges.base import JudgeDown, NoReply
from pixfound_tasks.judges.retries import PATIENT, RetryPolicy, describe, is_about_the_question, retrying
from pixfound_tasks.settings import read_setting

if TYPE_CHECKING:
    from PIL import Image

# The reply should be a yes, a no or a number, but models may think first.
MAX_TOKENS, MAX_TOKENS_THINKING = 1024, 4096


class ChatJudge:
    """Asks one model of a server, at temperature 0 if the model accepts a temperature. Images are sent as JPEG.

    Raises ValueError if OPENAI_API_KEY is not set.
    """

    def __init__(self, model: str, retry_policy: RetryPolicy = PATIENT) -> None:
        self.name = f"openai:{model}"
        if not read_setting("OPENAI_API_KEY"):
            raise ValueError(
                f"expected OPENAI_API_KEY to hold a key for the judge {self.name!r}, but it is not set; "
                "set it (any text for a server of your own, which OPENAI_API_URL names) or choose another judge"
            )
        # One attempt, because lmms-eval's own retries wait a fixed time after any error.
        config = ServerConfig(model, temperature=0.0, max_tokens=MAX_TOKENS, num_retries=1)
        if "max_completion_tokens" in build_sampling_kwargs(config):  # lmms-eval treats it as a reasoning model
            config.max_tokens = MAX_TOKENS_THINKING
        self._server = ProviderFactory.create_provider("openai", config)
        # Turn off the client's own retries, which are not logged, and set a time limit, because lmms-eval sets none.
        self._client = self._server.client.with_options(max_retries=0, timeout=retry_policy.timeout)
        self._server.client = SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=self._complete)))
        self._retry_policy = retry_policy
        self.settings = {"url": str(self._client.base_url), **build_sampling_kwargs(config)}

    def ask(self, prompt: str, images: Sequence[Image.Image] = ()) -> str:
        """Return the reply. Raises `JudgeDown` if the server gives none after all retries."""
        request = Request([{"role": "user", "content": prompt}], images=list(images))
        try:
            return self._server.evaluate(request).content
        except Exception as error:  # a server's reply may cause any error
            down = NoReply if is_about_the_question(error) else JudgeDown
            raise down(f"{self.name} gave no reply: {describe(error)}") from error

    def _complete(self, **payload: Any) -> Any:
        completion = retrying(self.name, self._retry_policy)(self._client.chat.completions.create, **payload)
        choice = completion.choices[0]
        if not (choice.message.content or "").strip():
            raise NoReply(f"expected a reply in text, but got none (finish_reason: {choice.finish_reason!r})")
        return completion
