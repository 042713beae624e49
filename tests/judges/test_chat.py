from __future__ import annotations

import base64
import io
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from judges.chat_server import ChatServer, dawdles, drops, fails, raves, says
from PIL import Image

from pixfound_tasks.judges.base import JudgeDown, NoReply, make_judge
from pixfound_tasks.judges.chat import ChatJudge
from pixfound_tasks.judges.retries import PATIENT, RetryPolicy, retry_after

HASTY = RetryPolicy(attempts=4, first=0.001, longest=0.5, timeout=20)


@pytest.fixture
def ask(monkeypatch):
    """Ask a server that takes these turns; the reply, or the JudgeDown, and what the server received."""
    monkeypatch.setenv("OPENAI_API_KEY", "any")

    def asked(*turns, images=(), model="m", retry_policy=HASTY):
        with ChatServer(*turns) as server:
            monkeypatch.setenv("OPENAI_API_URL", server.url)
            try:
                return ChatJudge(model, retry_policy).ask("Is it?", images), server.received
            except JudgeDown as error:
                return error, server.received

    return asked


def test_a_question_is_one_request_and_makes_no_noise(ask, warnings):
    reply, received = ask(says(" Yes.\n"))
    assert (reply, len(received), warnings) == ("Yes.", 1, [])
    body = received[0].body
    assert (body["path"], body["model"], body["temperature"]) == ("/v1/chat/completions", "m", 0.0)
    assert body["messages"] == [{"role": "user", "content": "Is it?"}] and body["max_tokens"] == 4096


def test_reasoning_models_get_room_and_no_temperature(ask):
    _, received = ask(says("yes"), model="o3-mini")
    assert received[0].body["max_completion_tokens"] == 4096
    assert "temperature" not in received[0].body and "max_tokens" not in received[0].body


def test_images_arrive(ask):
    images = [Image.new("RGB", (40, 30), "red"), Image.new("RGBA", (8, 16), "blue")]
    _, received = ask(says("2"), images=images)
    text, *parts = received[0].body["messages"][0]["content"]
    sent = [Image.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].partition(",")[2]))) for part in parts]
    assert text == {"type": "text", "text": "Is it?"}
    assert [image.size for image in sent] == [(40, 30), (8, 16)]
    red, blue = (image.getpixel((3, 3)) for image in sent)
    assert red[0] > 240 > 15 > red[2] and blue[2] > 240 > 15 > blue[0]


@pytest.mark.parametrize("trouble", [fails(429), fails(500), fails(503), fails(408), drops])
def test_what_may_pass_is_asked_again(ask, warnings, trouble):
    reply, received = ask(trouble, trouble, says("no"))
    assert (reply, len(received)) == ("no", 3)
    # One message per wait, and none of lmms-eval's own about attempts that are not its own.
    assert len(warnings) == 2 and "(3 of 4)" in warnings[1]


@pytest.mark.parametrize(
    "trouble", [*(fails(status) for status in (400, 401, 403, 404)), fails(429, code="insufficient_quota"), raves]
)
def test_what_a_retry_cannot_mend_is_asked_once(ask, trouble):
    error, received = ask(trouble, says("yes"))
    assert isinstance(error, JudgeDown) and len(received) == 1


def test_a_server_that_stays_down_is_asked_a_bounded_number_of_times(ask):
    error, received = ask(fails(500))
    assert len(received) == HASTY.attempts == 4
    assert str(error).startswith("openai:m gave no reply: InternalServerError") and "told to fail with 500" in str(
        error
    )


def test_a_slow_server_is_given_up_and_asked_again(ask, warnings):
    reply, received = ask(dawdles, says("no"), retry_policy=HASTY._replace(timeout=0.5))
    assert (reply, len(received)) == ("no", 2)
    assert "APITimeoutError" in warnings[0]


def test_waits_double(ask):
    _, (first, second, third) = ask(fails(500), retry_policy=RetryPolicy(attempts=3, first=0.1, longest=0.5))
    # 0.1 s and 0.2 s, and up to 0.1 s more by chance.
    assert second.at - first.at >= 0.1 and third.at - second.at >= 0.2


def test_retry_after_is_obeyed(ask):
    reply, (first, second) = ask(fails(429, Retry_After="0.3"), says("yes"))
    assert reply == "yes" and second.at - first.at >= 0.3


def test_a_retry_after_beyond_the_longest_wait_is_a_no(ask):
    error, received = ask(fails(429, Retry_After="3600"), says("yes"))
    assert isinstance(error, JudgeDown) and len(received) == 1


def test_retry_after_as_a_date():
    def answered(**headers):
        return SimpleNamespace(response=SimpleNamespace(headers=headers))

    now = datetime.now(timezone.utc)
    soon = answered(**{"retry-after": format_datetime(now + timedelta(seconds=90), usegmt=True)})
    assert 85 < retry_after(soon) <= 90
    assert retry_after(answered(**{"retry-after": format_datetime(now - timedelta(days=1), usegmt=True)})) == 0.0
    for unreadable in ("soon", "nan", "-3"):
        assert retry_after(answered(**{"retry-after": unreadable})) is None
    assert retry_after(answered()) is None and retry_after(ValueError()) is None


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_a_reply_without_text_is_none(ask, text):
    error, received = ask(says(text, finish_reason="length"))
    assert "expected a reply in text, but got none (finish_reason: 'length')" in str(error) and len(received) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [("<think>It says", "stop"), ("The user asks. It says yes", "length"), ("<think>\nYes", "length")],
)
def test_a_reply_that_ends_within_its_thinking_is_none(ask, text, reason):
    error, received = ask(says(text, finish_reason=reason))
    assert isinstance(error, NoReply) and "expected a whole reply" in str(error) and len(received) == 1


def test_a_reply_cut_off_is_used_if_the_judge_writes(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    with ChatServer(says("1. One?\n2. Tw", finish_reason="length")) as server:
        monkeypatch.setenv("OPENAI_API_URL", server.url)
        assert ChatJudge("m", HASTY, writes=True).ask("Paraphrase it.") == "1. One?\n2. Tw"


def test_a_server_with_a_small_context_is_asked_for_fewer_tokens(ask):
    refused = fails(400, message="max_tokens=4096 is larger than the maximum context length of 2048")
    reply, received = ask(refused, says("yes"))
    assert reply == "yes" and [request.body["max_tokens"] for request in received] == [4096, 1024]


def test_by_default_rate_limits_of_a_minute_are_waited_out():
    assert sum(min(PATIENT.first * 2**n, PATIENT.longest) for n in range(PATIENT.attempts - 1)) > 60


def test_a_missing_key_is_told_at_once(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with pytest.raises(ValueError, match="expected OPENAI_API_KEY to hold a key for the judge 'openai:gpt-4o'"):
        make_judge("openai:gpt-4o")
