"""Texts that end an answer although they are no tokens of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import StoppingCriteria

if TYPE_CHECKING:
    from jaxtyping import Bool, Int


class StopTexts(StoppingCriteria):
    """Ends each answer whose text ends with one of the texts; line breaks in it are ignored, as the authors do.

    Args:
        tokenizer: decodes the answers.
        texts: the texts, at least one.
        prompt_length: the tokens before the answers.
    """

    def __init__(self, tokenizer: Any, texts: Sequence[str], prompt_length: int) -> None:
        self.tokenizer, self.texts, self.prompt_length = tokenizer, tuple(texts), prompt_length
        self._tail = 4 * max(map(len, texts))  # a character has at most 4 tokens

    def __call__(self, input_ids: Int[Tensor, "batch tokens"], scores: Any, **options: Any) -> Bool[Tensor, " batch"]:
        answers = input_ids[:, self.prompt_length :]
        ends = [self.tokenizer.decode(row).replace("\r", "").replace("\n", "") for row in answers[:, -self._tail :]]
        return torch.tensor([end.endswith(self.texts) for end in ends], device=input_ids.device)


def without_stop(tokenizer: Any, ids: Sequence[int], texts: Sequence[str]) -> list[int]:
    """Return the tokens of an answer that come before the stop text at its end, if there is one."""
    whole = tokenizer.decode(ids)
    stop = next((text for text in texts if whole.rstrip("\r\n").endswith(text)), None)
    kept = len(ids)
    if stop is not None:
        length = len(whole.rstrip("\r\n")) - len(stop)
        while kept and len(tokenizer.decode(ids[:kept])) > length:
            kept -= 1
    return list(ids[:kept])


def stop_at(model: Any, tokenizer: Any, texts: Sequence[str]) -> None:
    """Make `model.generate` end answers at the texts, which are replaced by its end-of-text token."""
    generate, end = model.generate, model.generation_config.eos_token_id
    end = end[0] if isinstance(end, (list, tuple)) else end

    def stopped(**options: Any) -> Any:
        length = options["input_ids"].shape[1]
        criteria = [*(options.get("stopping_criteria") or ()), StopTexts(tokenizer, texts, length)]
        output = generate(**{**options, "stopping_criteria": criteria})
        for row in getattr(output, "sequences", output):
            answer = row[length:].tolist()
            padding = len(answer) - len(_trimmed(answer, model.generation_config.pad_token_id))
            kept = len(without_stop(tokenizer, answer[: len(answer) - padding], texts))
            row[length + kept : len(row) - padding] = end
        return output

    model.generate = stopped


def _trimmed(ids: list[int], pad: int | None) -> list[int]:
    """Return the ids without padding at their end."""
    count = len(ids)
    while count and ids[count - 1] == pad:
        count -= 1
    return ids[:count]
