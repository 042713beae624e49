"""Names, the cache and the circuit breaker, over judges that only count."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock

import pytest
from judges.chat_server import ChatServer, fails, says, waits
from PIL import Image

from pixfound_tasks.judges.base import JudgeDown, NoReply, make_judge
from pixfound_tasks.judges.cache import CachedJudge
from pixfound_tasks.judges.circuit_breaker import CircuitBreaker


@pytest.fixture(autouse=True)
def kept(monkeypatch, tmp_path):
    """The folder of kept replies."""
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path))
    return tmp_path / "judgements"


class Counting:
    """Says what it is told in turn, None for being down, the last over and over; knows what it was asked."""

    name = "counting"

    def __init__(self, *replies: str | None) -> None:
        self.replies, self.asked, self._lock = list(replies), [], Lock()

    def ask(self, prompt, images=()):
        with self._lock:
            self.asked.append(prompt)
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply is None:
            raise JudgeDown("told to be down")
        return reply


def down(judge, prompt="p") -> str:
    with pytest.raises(JudgeDown) as raised:
        judge.ask(prompt)
    return str(raised.value)


def test_importing_is_cheap():
    code = "import sys, pixfound_tasks.judges, pixfound_tasks.tasks.grading as _; print({!r} & set(sys.modules))"
    heavy = {"torch", "transformers", "openai", "lmms_eval", "PIL", "datasets"}
    assert subprocess.check_output([sys.executable, "-c", code.format(heavy)], text=True).strip() == "set()"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpt-4o", "one of ['local:CHECKPOINT', 'openai:MODEL'], but got 'gpt-4o'; name its model behind a colon"),
        ("openai:", "but got 'openai:'"),
        ("opena:gpt-4o", "the kind of judge to be one of ['local', 'openai'], but got 'opena'; did you mean 'openai'?"),
        ("local:/no/such/folder", "expected the judge 'local:/no/such/folder' to name a transformers checkpoint"),
    ],
)
def test_wrong_names_are_told(name, message):
    with pytest.raises(ValueError) as raised:
        make_judge(name)
    assert message in str(raised.value)


def test_a_question_is_asked_once_also_in_another_run():
    first, second = Counting("yes"), Counting("never")
    assert [CachedJudge(first).ask("p") for _ in range(2)] == ["yes", "yes"]
    assert CachedJudge(second).ask("p") == "yes"
    assert (first.asked, second.asked) == (["p"], [])


def test_whatever_decides_a_reply_is_part_of_its_key():
    red, blue = Image.new("RGB", (4, 6), "red"), Image.new("RGB", (4, 6), "blue")
    turned = Image.new("RGB", (6, 4), "red")  # the same bytes
    judge = Counting("yes")
    other = Counting("yes")
    other.name = "other"
    plain = CachedJudge(judge)
    for ask in [
        lambda: plain.ask("p"),
        lambda: plain.ask("q"),
        lambda: plain.ask("p", [red]),
        lambda: plain.ask("p", [blue]),
        lambda: plain.ask("p", [turned]),
        lambda: plain.ask("p", [red, blue]),
        lambda: CachedJudge(judge, {"temperature": 1}).ask("p"),
        lambda: CachedJudge(other).ask("p"),
    ]:
        before = len(judge.asked) + len(other.asked)
        ask()
        ask()
        assert len(judge.asked) + len(other.asked) == before + 1


def test_failures_are_not_kept(kept):
    judge = Counting(None, "yes")
    cached = CachedJudge(judge)
    assert down(cached) == "told to be down" and not list(kept.rglob("*.json"))
    assert cached.ask("p") == "yes" and len(judge.asked) == 2


@pytest.mark.parametrize("content", [b"", b'{"reply": "y', b"\xff\xfe", b"[]", b'{"reply": 3}', b"null"])
def test_a_corrupt_file_counts_as_absent(kept, content):
    CachedJudge(Counting("yes")).ask("p")
    (file,) = kept.rglob("*.json")
    file.write_bytes(content)
    judge = Counting("no")
    assert [CachedJudge(judge).ask("p") for _ in range(2)] == ["no", "no"] and len(judge.asked) == 1
    assert json.loads(file.read_text())["prompt"] == "p"


def test_a_kept_reply_that_ends_within_its_thinking_is_asked_for_again():
    assert CachedJudge(Counting("<think>It says")).ask("p") == "<think>It says"
    assert CachedJudge(Counting("<think>It says yes.</think>yes")).ask("p").endswith("yes")


def test_a_cache_that_cannot_be_written_costs_no_reply(kept, warnings):
    kept.write_text("a file, not a folder")
    assert CachedJudge(Counting("yes")).ask("p") == "yes"
    assert len(warnings) == 1 and "a reply of counting is not kept" in warnings[0]


def test_writers_that_know_nothing_of_each_other(kept, warnings):
    """Eight caches, as eight processes have them, write the same replies at once."""
    together = Barrier(8)

    class AllAtOnce(Counting):
        def ask(self, prompt, images=()):
            together.wait(10)
            return "yes" * 5000

    caches = [CachedJudge(AllAtOnce("yes")) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for n in range(20):
            assert set(pool.map(lambda cache, n=n: cache.ask(f"p{n}"), caches)) == {"yes" * 5000}
    files = [path for path in kept.rglob("*") if path.is_file()]
    assert len(files) == 20 and {path.suffix for path in files} == {".json"}
    assert warnings == []


def test_threads_with_one_question_make_one_request(monkeypatch):
    together, may_reply = Barrier(5), Event()
    with ChatServer(waits(may_reply, says("yes"))) as server, ThreadPoolExecutor(4) as pool:
        monkeypatch.setenv("OPENAI_API_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        judge = make_judge("openai:m")
        replies = [pool.submit(lambda: (together.wait(10), judge.ask("p"))[1]) for _ in range(4)]
        together.wait(10)
        time.sleep(0.2)  # for every thread to come as far as it gets without a reply
        may_reply.set()
        assert [reply.result() for reply in replies] == ["yes"] * 4
        assert len(server.received) == 1 and judge.name == "openai:m"


def test_servers_at_two_addresses_are_two_judges(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    for reply in ("yes", "no"):
        with ChatServer(says(reply)) as server:
            monkeypatch.setenv("OPENAI_API_URL", server.url)
            assert make_judge("openai:m").ask("p") == reply


def test_the_breaker_stops_asking(warnings):
    judge = Counting(None)
    breaker = CircuitBreaker(judge, limit=3)
    assert [down(breaker) for _ in range(3)] == ["told to be down"] * 3
    assert down(breaker) == "counting is no longer asked: 3 questions in a row have failed"
    assert down(breaker) and len(judge.asked) == 3
    # Two questions' failures, and once how to go on.
    assert len(warnings) == 3 and "To complete it, run the same command again" in warnings[2]


def test_only_failures_in_a_row_break_the_circuit():
    breaker = CircuitBreaker(Counting(None, None, "yes", None, None, "no"), limit=3)
    assert (down(breaker), down(breaker), breaker.ask("p")) == ("told to be down", "told to be down", "yes")
    assert (down(breaker), down(breaker), breaker.ask("p")) == ("told to be down", "told to be down", "no")


def test_questions_that_are_refused_for_themselves_do_not_break_the_circuit(monkeypatch, warnings):
    """A filter's 400, a reply cut off before its first word: the next question may have a reply."""
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    refused, silent = fails(400), says("")
    with ChatServer(refused, refused, silent, refused, silent, says("yes")) as server:
        monkeypatch.setenv("OPENAI_API_URL", server.url)
        judge = make_judge("openai:m")
        for number in range(5):
            with pytest.raises(NoReply):
                judge.ask(f"question {number}")
        assert judge.ask("question 5") == "yes" and len(server.received) == 6
    assert not [line for line in warnings if "no longer asked" in line]


def test_kept_replies_are_given_when_the_circuit_is_broken():
    judge = CachedJudge(CircuitBreaker(Counting("yes", None), limit=1))
    assert judge.ask("p") == "yes"
    down(judge, "q")
    assert "no longer asked" in down(judge, "q") and judge.ask("p") == "yes"
