from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from judges.chat_server import ChatServer, fails, says

from pixfound_tasks.judges.base import JudgeDown
from pixfound_tasks.judges.cache import CachedJudge
from pixfound_tasks.judges.chat import ChatJudge
from pixfound_tasks.judges.circuit_breaker import FAILURES, CircuitBreaker
from pixfound_tasks.judges.retries import RetryPolicy
from pixfound_tasks.tasks import grading
from pixfound_tasks.tasks.grading import Judgement, grade, judge_from_environment

QUESTION, OPTIONS = "Are the wings open? (a) Open (b) Closed", ["Open", "Closed"]
HASTY = RetryPolicy(attempts=2, first=0.001, longest=0.01, timeout=5)


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.delenv("PIXFOUND_JUDGE", raising=False)
    monkeypatch.delenv("PIXFOUND_JUDGING", raising=False)


class Says:
    name = "says"

    def __init__(self, reply):
        self.reply, self.prompts = reply, []

    def ask(self, prompt, images=()):
        self.prompts.append(prompt)
        if self.reply is None:
            raise JudgeDown("told to be down")
        return self.reply


def test_the_wording_is_the_papers():
    judge = Says("Yes")
    grade(QUESTION, OPTIONS, 1, "They are {shut}.", judge)
    assert judge.prompts == [
        "Given the following question Are the wings open? (a) Open (b) Closed, the correct answer is (b) Closed. Does "
        "the following answer correctly answers the question, answer:They are {shut}.? Respond with a Yes/No"
    ]


@pytest.mark.parametrize(
    ("question", "letter"), [(QUESTION, "(b)"), ("Are the wings open?\n(A) Open\n(B) Closed", "(B)")]
)
def test_the_studys_judge_is_told_the_letter_alone(monkeypatch, question, letter):
    monkeypatch.setenv("PIXFOUND_JUDGING", "study")
    judge = Says("Yes")
    assert grade(question, OPTIONS, 1, "Shut.", judge) == Judgement("says (study's prompt)", True, "Yes")
    assert f"the correct answer is {letter}. Does the following" in judge.prompts[0]


def test_the_studys_judge_gets_a_system_prompt_and_a_temperature(monkeypatch):
    monkeypatch.setenv("PIXFOUND_JUDGING", "study")
    monkeypatch.setenv("PIXFOUND_JUDGE", "openai:m")
    with ChatServer(says("Yes")) as server:
        monkeypatch.setenv("OPENAI_API_URL", server.url)
        judge_from_environment().ask("Is it?")
        body = server.received[0].body
    assert [message["role"] for message in body["messages"]] == ["system", "user"] and body["temperature"] == 0.2
    assert body["messages"][0]["content"].startswith("You are a helpful and precise assistant for checking")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [("PIXFOUND_JUDGING", "studdy", "did you mean 'study'"), ("PIXFOUND_JUDGE", "local:x", "choose openai:MODEL")],
)
def test_the_studys_prompt_needs_a_server_and_its_name(monkeypatch, variable, value, message):
    monkeypatch.setenv("PIXFOUND_JUDGING", "study")
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=message):
        judge_from_environment()


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("yes", True), ("Yes.", True), ("YES", True), ("<think>No?</think>yes", True), ("no", False), ("No.", False),
        ("no...", False), ("yes..", None), ("Yes, it does.", None), ("**Yes**", None), ("Ja", None), ("", None),
    ],
)  # fmt: skip
def test_the_study_counts_a_bare_yes_with_at_most_one_period(monkeypatch, reply, verdict):
    """Its script lets `^(yes|no)\\.*$` pass and compares with "yes" and "yes."; whatever else is incorrect."""
    monkeypatch.setenv("PIXFOUND_JUDGING", "study")
    assert grade(QUESTION, OPTIONS, 0, "Open", Says(reply)).verdict is verdict


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("yes", True), ("Yes.", True), (" YES\n", True), ("no", False), ("No.", False),
        ("Yes, it does.", True), ("Yes/No", None), ("", None), ("True", None), ("nope", None), ("yes..", None),
        ("**Yes**", True), ("Yes\n\nThe answer matches.", True), ("Answer: Yes", True), ("Verdict: **No**", False),
        (r"\boxed{yes}", True), ('{"reason": "no, wait", "verdict": "yes"}', True), ('{"is_correct": false}', False),
        ("<think>No? Let me see.</think>\n\nYes", True), ("'No'", False), ("[[Yes]]", True), ("- yes", True),
        ("The answer is correct, so yes.", True), ("No it does not", False), ("Yes/No: No", False), ("1. No", False),
        ("Ja.", True), ("Nein, das stimmt nicht.", False), ("Sí, es correcto.", True), ("oui", True), ("Non.", False),
        ("Да", True), ("нет.", False), ("是的。", True), ("否", False), ("不是。", False), ("はい、そうです。", True),
        ("いいえ", False), ("네", True), ("아니요.", False), ("Sim", True), ("Não", False), ("نعم", True),
        ("لا،", False),
        ("हाँ", True), ("नहीं।", False), ("Yes. Yes.", True), ("Yes. No.", None), ("Yes\nNo", None),
        ("Yes and no", None),
        ("not yes", None), ("yes?", None), ("Yes, it does not match.", None), ("No, the answer is correct.", None),
        ("No, wait. Yes.", None), ("There is no dog.", None), ("No errors.", None), ("<think>Yes", None),
        ("Okay, let me see. The answer says yes, and", None),
    ],
)  # fmt: skip
def test_verdicts(reply, verdict):
    assert grade(QUESTION, OPTIONS, 0, "Open", Says(reply)) == Judgement("says", verdict, reply)


def test_halves_of_surrogate_pairs_in_a_reply_do_not_cut_the_log_short():
    assert grade(QUESTION, OPTIONS, 0, "Open", Says("Yes \ud800")) == Judgement("says", None, "Yes \ufffd")


def test_no_reply_is_no_verdict():
    assert grade(QUESTION, OPTIONS, 0, "Open", Says(None)) == Judgement("says", None, "")


@pytest.mark.parametrize("answer", ["", " \n"])
def test_an_empty_answer_is_wrong_and_nobody_is_asked(answer):
    judge = Says("yes")
    assert grade(QUESTION, OPTIONS, 0, answer, judge) == Judgement("says", False, "") and not judge.prompts
    assert grade(QUESTION, OPTIONS, 0, answer, None) == Judgement("rule", False, "")


def test_a_judge_gets_the_final_answer_as_it_is():
    judge = Says("Yes")
    grade(QUESTION, OPTIONS, 1, r"<think>Are they open?</think> They are \boxed{shut}.</s>", judge)
    assert judge.prompts[0].endswith(r"question, answer:They are \boxed{shut}.? Respond with a Yes/No")


@pytest.mark.parametrize("answer", ["<think>They are open", "Okay, let me look. They seem open, but"])
def test_unfinished_thinking_is_unjudged_and_nobody_is_asked(answer):
    judge = Says("yes")
    assert grade(QUESTION, OPTIONS, 0, answer, judge) == Judgement("says", None, "") and not judge.prompts
    assert grade(QUESTION, OPTIONS, 0, answer, None) == Judgement("rule", None, "")


@pytest.mark.parametrize(
    ("answer", "verdict", "reply"),
    [
        ("The wings are closed.", True, "b"),
        ("(a)", False, "a"),
        ("They look open.", False, "a"),
        ("They are not open.", True, "b"),
        ("They are neither.", None, ""),
        ("Open or closed, who knows.", None, ""),
        ("A butterfly", None, ""),
    ],
)
def test_the_rule(answer, verdict, reply):
    assert grade(QUESTION, OPTIONS, 1, answer, None) == Judgement("rule", verdict, reply)


def test_the_rule_is_the_default_and_names_are_checked(monkeypatch):
    assert judge_from_environment() is None
    monkeypatch.setenv("PIXFOUND_JUDGE", "rule")
    assert judge_from_environment() is None
    monkeypatch.setenv("PIXFOUND_JUDGE", "rules")
    with pytest.raises(ValueError, match="PIXFOUND_JUDGE to be one of .* but got 'rules'; did you mean 'rule'?"):
        judge_from_environment()
    monkeypatch.setenv("PIXFOUND_JUDGE", "openai:")
    with pytest.raises(ValueError, match="but got 'openai:'"):
        judge_from_environment()


def test_threads_share_the_judge_of_the_environment(monkeypatch):
    made = []

    def make_slowly(name):
        made.append(name)
        time.sleep(0.05)
        return Says("yes")

    monkeypatch.setattr(grading, "make_judge", make_slowly)
    monkeypatch.setenv("PIXFOUND_JUDGE", "openai:shared-by-threads")
    with ThreadPoolExecutor(8) as pool:
        judges = list(pool.map(lambda _: judge_from_environment(), range(64)))
    grading._made.cache_clear()
    assert made == ["openai:shared-by-threads"] and len({id(judge) for judge in judges}) == 1


def run(server: ChatServer, monkeypatch, count: int = 40) -> list[Judgement]:
    """Grade answers as lmms-eval does, from four threads, with a judge of its own as another process has it."""
    monkeypatch.setenv("OPENAI_API_URL", server.url)
    chat = ChatJudge("m", HASTY)
    # The address is left out of the key: another one is the same server, come back.
    judge = CachedJudge(CircuitBreaker(chat))
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda n: grade(QUESTION, OPTIONS, 0, f"Answer {n}", judge), range(count)))


def test_a_run_with_a_judge_that_stays_down_ends_and_is_completed_later(monkeypatch):
    # Ten replies, then nothing.
    with ChatServer(*[says("yes")] * 10, fails(503)) as server:
        judgements = run(server, monkeypatch)
        # Three questions in a row, and the three that other threads have under way by then.
        assert len(server.received) - 10 <= (FAILURES + 3) * HASTY.attempts
    assert sum(judgement.verdict is True for judgement in judgements) == 10
    assert sum(judgement.verdict is None for judgement in judgements) == 30

    with ChatServer(says("No.")) as server:
        judgements = run(server, monkeypatch)
        assert len(server.received) == 30
    assert [judgement.verdict for judgement in judgements].count(True) == 10
    assert [judgement.verdict for judgement in judgements].count(False) == 30

    with ChatServer(fails(503)) as server:
        assert run(server, monkeypatch) == judgements and not server.received


def test_garbage_is_unjudged_and_the_run_goes_on(monkeypatch):
    with ChatServer(says("As an AI, I cannot see wings.")) as server:
        judgements = run(server, monkeypatch, count=8)
        assert len(server.received) == 8
    assert {judgement.verdict for judgement in judgements} == {None}
