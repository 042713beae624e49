"""When to ask a server again, and how long to wait before that."""

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

# Besides 5xx: request timeout, conflict, too many requests.
_TEMPORARY = (408, 409, 429)


class RetryPolicy(NamedTuple):
    """The limits of retrying.

    `attempts` is how often a question is sent. The others are in seconds: the first wait (each wait is twice the one
    before), the longest wait, and the time limit of a reply.
    """

    attempts: int = 7
    first: float = 1.0
    longest: float = 60.0
    timeout: float = 300.0  # a judge may think for thousands of tokens


PATIENT = RetryPolicy()


def retrying(name: str, retry_policy: RetryPolicy) -> Retrying:
    """Return a retrier for calls of an OpenAI client. It repeats calls that fail temporarily and logs each wait.

    It obeys a server's Retry-After header. If the header asks for more than the longest wait, the call is not repeated.
    The last error is raised unchanged.
    """

    def is_passing(error: BaseException) -> bool:
        return _is_temporary(error) and (retry_after(error) or 0.0) <= retry_policy.longest

    def wait(state: RetryCallState) -> float:
        asked = retry_after(_failure(state))
        backoff = min(retry_policy.first * 2 ** (state.attempt_number - 1), retry_policy.longest)
        # Not `random`'s global generator: all processes seed it alike, and seeded draws must not be disturbed.
        return (backoff if asked is None else asked) + SystemRandom().uniform(0, retry_policy.first)

    def announce(state: RetryCallState) -> None:
        logger.warning(
            f"{name}: {describe(_failure(state))}; "
            f"asking again in {state.upcoming_sleep:.1f} s ({state.attempt_number + 1} of {retry_policy.attempts})"
        )

    return Retrying(
        retry=retry_if_exception(is_passing),
        stop=stop_after_attempt(retry_policy.attempts),
        wait=wait,
        before_sleep=announce,
        reraise=True,
    )


def retry_after(error: BaseException | None) -> float | None:
    """Return the seconds that an error's Retry-After header asks for (a number or a date), or None without a header."""
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
    """Return an error's type and text on one line of bounded length."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def is_about_the_question(error: BaseException) -> bool:
    """Return whether an error concerns one question only: it was too long or filtered, or its reply is empty."""
    refused = isinstance(error, (openai.BadRequestError, openai.UnprocessableEntityError))
    return refused or isinstance(error, NoReply) or getattr(error, "status_code", None) == 413


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _is_temporary(error: BaseException) -> bool:
    if isinstance(error, openai.APIConnectionError):  # includes timeouts
        return True
    if not isinstance(error, openai.APIStatusError) or error.code == "insufficient_quota":
        return False
    return error.status_code >= 500 or error.status_code in _TEMPORARY
