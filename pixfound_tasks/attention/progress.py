"""Track how far a generation has come from the sizes of its attention calls alone."""

from __future__ import annotations


class Progress:
    """Count the tokens of a sequence from the calls of its first recorded layer.

    Args:
        width: number of tokens in the prompt. None if it is not known: the first forward pass is then the prompt.
        is_crossing: whether the layers cross-attend to the image instead of attending to the sequence.
    """

    def __init__(self, width: int | None, is_crossing: bool) -> None:
        self._width, self.is_crossing = width, is_crossing
        self.end = 0  # tokens of the sequence, up to and including the last query
        self.steps = 0  # recorded forward passes, counted once the prompt is complete
        self.chunk = 0

    @property
    def width(self) -> int:
        """The number of tokens in the prompt."""
        return self.chunk if self._width is None else self._width

    @property
    def is_prompt_complete(self) -> bool:
        return self.end >= self.width

    def advance(self, queries: int, keys: int, sliding_window: int | None) -> None:
        """Count another forward pass.

        Raises:
            ValueError: if the pass is not part of one plain generation or forward call.
        """
        before = self.end
        if not before:
            self.chunk = queries
            # A cache may already hold the beginning of the prompt.
            self.end = self.width if keys == self.width and not self.is_crossing else queries
        else:
            # Without a cache, every pass runs the whole sequence again.
            anew = queries > 1 and before >= self.width if self.is_crossing else queries == keys
            self.end = queries if anew else before + queries
        if (not before and queries > self.width) or (
            0 < before < self.width and queries != min(self.chunk, self.width - before)
        ):
            raise ValueError(
                f"expected image_tokens to cover the prompt, (batch, prompt tokens), but it covers {self.width} tokens "
                f"and the model ran {queries} after {before}; assisted generation is not recorded either"
            )
        if not self.is_crossing and keys < self.end and not sliding_window:
            raise ValueError(
                f"expected attention to all {self.end} tokens of the sequence, but the model attends to {keys} and "
                "reports no sliding window: guidance and second calls are not recorded"
            )
        if self.steps and self.end != before + 1:
            raise ValueError(
                f"expected one plain generation or forward call per recording, but after {before} tokens the model ran "
                f"{queries} with {keys} keys: assisted generation, guidance and second calls are not recorded"
            )
