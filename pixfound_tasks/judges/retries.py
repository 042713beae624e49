"""When and how long to wait before a server is asked again."""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime
from random import SystemRandom
from typing import NamedTuple

import openai
from loguru import logger
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from pixfound_tasks.judges.base import NoReply

# Beside 5xx: request timeout, conflict, too many requests.
_TEMPORARY = (408, 409, 429)


class Patience(NamedTuple):
    """How often a question is sent, and seconds: the first wait (each is twice the one before), the longest, and how
    long a reply may take."""

    attempts: int = 7
    first: float = 1.0
    longest: float = 60.0
    timeout: float = 60.0


PATIENT = Patience()


def retrying(name: str, patience: Patience) -> Retrying:
    """Calls of an OpenAI client, repeated while it fails in a way that may pass; every wait is announced.

    A server's Retry-After is obeyed; one that asks for more than the longest wait is not asked again. The last
    failure is raised as it is.
    """

    def is_passing(error: BaseException) -> bool:
        return _is_temporary(error) and (retry_after(error) or 0.0) <= patience.longest

    def wait(state: RetryCallState) -> float:
        asked = retry_after(_failure(state))
        backoff = min(patience.first * 2 ** (state.attempt_number - 1), patience.longest)
        # Not `random`'s own generator: it is seeded alike in all processes, and seeded draws must not be disturbed.
        return (backoff if asked is None else asked) + SystemRandom().uniform(0, patience.first)

    def announce(state: RetryCallState) -> None:
        logger.warning(
            f"{name}: {describe(_failure(state))}; "
            f"asking again in {state.upcoming_sleep:.1f} s ({state.attempt_number + 1} of {patience.attempts})"
        )

    return Retrying(
        retry=retry_if_exception(is_passing),
        stop=stop_after_attempt(patience.attempts),
        wait=wait,
        before_sleep=announce,
        reraise=True,
    )


def retry_after(error: BaseException | None) -> float | None:
    """The seconds that a failed reply's Retry-After asks for, given as such or as a date; None where it has none."""
    response = getattr(error, "response", None)
    text = None if response is None else response.headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
        except ValueError:
            return None
    return seconds if seconds >= 0 and not math.isnan(seconds) else None


def describe(error: BaseException | None) -> str:
    """An error's type and text on one line of bounded length."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def is_about_the_question(error: BaseException) -> bool:
    """Whether a server has refused one question, as too long or filtered, or has nothing to say to it."""
    refused = isinstance(error, (openai.BadRequestError, openai.UnprocessableEntityError))
    return refused or isinstance(error, NoReply) or getattr(error, "status_code", None) == 413


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _is_temporary(error: BaseException) -> bool:
    if isinstance(error, openai.APIConnectionError):  # timeouts too
        return True
    if not isinstance(error, openai.APIStatusError) or error.code == "insufficient_quota":
        return False
    return error.status_code >= 500 or error.status_code in _TEMPORARY
