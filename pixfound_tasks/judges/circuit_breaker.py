"""A circuit breaker: a judge that keeps failing is no longer asked."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

from loguru import logger

from pixfound_tasks.judges.base import Judge, JudgeDown, NoReply

if TYPE_CHECKING:
    from PIL import Image

FAILURES = 3


class CircuitBreaker:
    """Asks a judge until `limit` questions in a row have failed, each after all its retries.

    From then on it raises `JudgeDown` at once, so that the run ends.
    """

    def __init__(self, judge: Judge, limit: int = FAILURES) -> None:
        self.name = judge.name
        self._judge, self._limit = judge, limit
        self._failures = 0
        self._lock = Lock()

    def ask(self, prompt: str, images: Sequence[Image.Image] = ()) -> str:
        """Return the judge's reply. Raises `JudgeDown` if there is none or if the judge is no longer asked."""
        if self._failures >= self._limit:
            raise JudgeDown(f"{self.name} is no longer asked: {self._limit} questions in a row have failed")
        try:
            reply = self._judge.ask(prompt, images)
        except NoReply as error:
            logger.warning(f"{error}; this question stays unjudged")
            raise
        except JudgeDown as error:
            self._note_failure(error)
            raise
        with self._lock:
            # Questions of other threads may have broken the circuit in the meantime. Then it stays broken.
            if self._failures < self._limit:
                self._failures = 0
        return reply

    def _note_failure(self, error: JudgeDown) -> None:
        with self._lock:
            self._failures += 1
            failures = self._failures
        if failures == self._limit:
            logger.error(
                f"{self.name} is no longer asked: {failures} questions in a row have failed, the last with {error}. "
                "The rest of the run stays unjudged. To complete it, run the same command again when the judge is up: "
                "the judge's replies are cached, and with --use_cache so are the model's answers"
            )
        elif failures < self._limit:
            logger.warning(
                f"{error}; this question stays unjudged ({failures} failures in a row; "
                f"after {self._limit} the judge is not asked again)"
            )
