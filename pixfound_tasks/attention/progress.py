"""How far a generation has come, told from the sizes of its attention calls alone."""

from __future__ import annotations


class Progress:
    """Counts the tokens of a sequence, call by call of its first recorded layer.

    Args:
        width: how many tokens the prompt holds.
        is_crossing: whether the layers attend to the image beside the sequence, not to the sequence.
    """

    def __init__(self, width: int, is_crossing: bool) -> None:
        self.width, self.is_crossing = width, is_crossing
        self.end = 0  # tokens of the sequence, with the last query
        self.steps = 0  # forward passes recorded: those since the prompt was complete
        self.chunk = 0

    @property
    def is_prompt_complete(self) -> bool:
        return self.end >= self.width

    def advance(self, queries: int, keys: int, sliding_window: int | None) -> None:
        """Another forward pass of a generation; ValueError where it is no plain one."""
        before = self.end
        if not before:
            self.chunk = queries
            # A cache may hold the beginning of the prompt already.
            self.end = self.width if keys == self.width and not self.is_crossing else queries
        else:
            # Without a cache every pass runs the whole sequence anew.
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
                "tells of no sliding window: guidance, chunked attention and second calls are not recorded"
            )
        if self.steps and self.end != before + 1:
            raise ValueError(
                f"expected one plain generation or forward call per recording, but after {before} tokens the model ran "
                f"{queries} with {keys} keys: assisted generation, guidance and second calls are not recorded"
            )
