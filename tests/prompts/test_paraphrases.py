"""Paraphrases: the file, and what a judge on a server adds to it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from judges.chat_server import ChatServer, fails, says, waits

from pixfound_tasks.prompts.paraphrases import are_wanted, paraphrases, read_paraphrases

# Two images of a pair, which share their question, and another one.
QUESTIONS = {"1": "Is it open?", "2": "Is it open?", "3": "Is it red?"}
TWO = says("1. Would you call it so?\n2. Does it look so?")


@pytest.fixture
def file(monkeypatch, tmp_path):
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.setenv("PIXFOUND_PARAPHRASER", "openai:m")
    place = tmp_path / "made" / "paraphrases.jsonl"
    monkeypatch.setenv("PIXFOUND_PARAPHRASES", str(place))
    return place


def rows(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def asked(monkeypatch, *turns, questions=QUESTIONS, count=2, benchmark="pixmini"):
    """What is found, and how many requests were made."""
    with ChatServer(*turns) as server:
        monkeypatch.setenv("OPENAI_API_URL", server.url)
        return paraphrases(benchmark, questions, count), len(server.received)


def refused(monkeypatch, *turns, **options) -> str:
    with pytest.raises(ValueError) as raised:
        asked(monkeypatch, *turns, **options)
    return str(raised.value)


def test_what_a_judge_makes_is_saved_and_read_like_a_users_file(file, monkeypatch):
    found, requests = asked(monkeypatch, TWO)
    texts = ["Would you call it so?", "Does it look so?"]
    assert found == dict.fromkeys(QUESTIONS, texts) and requests == 2, "the pair's question is asked once"
    assert rows(file) == [
        {"id": id, "benchmark": "pixmini", "paraphrase": text, "by": "openai:m"} for id in QUESTIONS for text in texts
    ]
    assert {path.name for path in file.parent.iterdir()} <= {file.name, f".{file.name}.lock"}
    monkeypatch.delenv("PIXFOUND_PARAPHRASER")
    assert asked(monkeypatch, fails(401)) == (found, 0)
    assert read_paraphrases(file, "pixmini") == found


def test_a_users_file_is_completed_and_what_it_holds_stays(file, monkeypatch):
    file.parent.mkdir()
    own = [
        {"id": 3, "paraphrase": "Ist es rot?"},
        {"id": 1, "benchmark": "pixmmvp", "paraphrase": "Of another benchmark?"},
        {"id": 1, "benchmark": "pixmini", "paraphrase": "One?", "note": "mine"},
        {"id": 1, "benchmark": "pixmini", "paraphrase": "Two?"},
    ]
    before = "\n\n".join(map(json.dumps, own))  # and no line's end behind it
    file.write_text(before)
    found, requests = asked(monkeypatch, TWO)
    assert found["1"] == ["One?", "Two?"] and found["2"] == ["Would you call it so?", "Does it look so?"]
    assert found["3"] == ["Ist es rot?", "Would you call it so?"] and requests == 2
    assert file.read_text().startswith(before + "\n") and file.read_text().count('"by"') == 3
    # More variations are asked for what is missing to them.
    with_more, requests = asked(monkeypatch, says("1. Is that how it looks?"), count=3, questions={"2": QUESTIONS["2"]})
    assert with_more == {"2": [*found["2"], "Is that how it looks?"]} and requests == 1
    # The same document of another benchmark is another document.
    assert asked(monkeypatch, TWO, benchmark="pixmmvp", questions={"1": "Is it open?"})[0]["1"] == [
        "Of another benchmark?", "Would you call it so?"
    ]  # fmt: skip


def test_a_judge_that_is_down_loses_nothing(file, monkeypatch):
    monkeypatch.setattr("pixfound_tasks.prompts.paraphrases._THREADS", 1)
    message = refused(monkeypatch, TWO, fails(401))
    assert message.startswith(
        f"expected 2 paraphrases of document 3 of pixmini in {file}, but got 0, and 1 of 3 documents have too few; "
        "openai:m gave no reply: AuthenticationError"
    )
    assert (
        "The replies are saved: run the same command again if the judge was down, add them to the file, name another"
        in (message)
    )
    assert [row["id"] for row in rows(file)] == ["1", "1", "2", "2"]
    found, requests = asked(monkeypatch, TWO)
    assert len(found["3"]) == 2 and requests == 1


def test_too_few_usable_ones_are_saved_and_not_asked_again(file, monkeypatch):
    questions = {"1": QUESTIONS["1"]}
    message = refused(monkeypatch, says("1. Would you call it so?\n2. Is it open?"), questions=questions)
    assert "but got 1, and 1 of 1 documents have too few; 5 replies of openai:m held no more usable ones." in message
    assert [row["paraphrase"] for row in rows(file)] == ["Would you call it so?"]
    found, requests = asked(monkeypatch, says("1. Does it look so?"), questions=questions)
    assert found == {"1": ["Would you call it so?", "Does it look so?"]} and requests == 1


def test_where_nothing_came_there_is_no_file(file, monkeypatch):
    assert "but got 0, and 3 of 3 documents have too few" in refused(monkeypatch, fails(401))
    assert not file.exists()


def test_processes_that_load_a_task_at_once_ask_once(file, monkeypatch):
    """Each has a judge and a lock of its own; the others come while the first is being served."""
    coming = Event()
    with ChatServer(waits(coming, TWO), TWO) as server, ThreadPoolExecutor(3) as pool:
        monkeypatch.setenv("OPENAI_API_URL", server.url)
        # For the kept replies not to hide what is asked twice.
        monkeypatch.setattr("pixfound_tasks.judges.cache._read", lambda place: None)
        found = [pool.submit(paraphrases, "pixmini", QUESTIONS, 2) for _ in range(3)]
        coming.wait(0.5)
        coming.set()
        assert len({json.dumps(each.result()) for each in found}) == 1
        assert len(server.received) == 2
    assert len(rows(file)) == 6


def test_without_file_and_judge_both_ways_are_told(file, monkeypatch):
    monkeypatch.delenv("PIXFOUND_PARAPHRASER")
    with pytest.raises(ValueError) as raised:
        paraphrases("pixmini", QUESTIONS, 2)
    assert str(raised.value) == (
        f"expected {file}, which PIXFOUND_PARAPHRASES names, to hold paraphrases (columns id and paraphrase, one per "
        "row), but there is no such file; write it, or name a judge that writes them in PIXFOUND_PARAPHRASER "
        "(openai:MODEL or local:CHECKPOINT)"
    )
    file.parent.mkdir()
    file.write_text('{"id": 1, "paraphrase": "One?"}\n')
    with pytest.raises(ValueError, match="add them to the file, name a judge that writes them in PIXFOUND_PARAPHRASER"):
        paraphrases("pixmini", QUESTIONS, 1)


def test_a_judge_without_a_file_is_an_error(file, monkeypatch):
    assert are_wanted()
    monkeypatch.delenv("PIXFOUND_PARAPHRASES")
    with pytest.raises(ValueError, match=r"expected PIXFOUND_PARAPHRASES to name the \.jsonl file for what openai:m"):
        are_wanted()
    monkeypatch.delenv("PIXFOUND_PARAPHRASER")
    assert not are_wanted()


@pytest.mark.parametrize(
    ("maker", "name", "message"),
    [
        ("openai:m", "a.csv", r"expected PIXFOUND_PARAPHRASES as a \.jsonl file, so that openai:m .* but got .*a\.csv"),
        ("opena:m", "a.jsonl", "expected the kind of judge to be one of .* did you mean 'openai'?"),
    ],
)
def test_what_cannot_be_made_is_told_before_anybody_is_asked(file, monkeypatch, maker, name, message):
    monkeypatch.setenv("PIXFOUND_PARAPHRASES", str(file.with_name(name)))
    monkeypatch.setenv("PIXFOUND_PARAPHRASER", maker)
    with pytest.raises(ValueError, match=message):
        paraphrases("pixmini", QUESTIONS, 2)
    assert not file.parent.exists()


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("a.txt", "", r"as a \.csv or \.jsonl file, but got .*a\.txt"),
        ("a.csv", "id,text\n1,Where?\n", r"expected id and paraphrase in row 1 of .*a\.csv"),
        ("a.jsonl", '{"paraphrase": "Where?"}', r"expected id and paraphrase in row 1 of .*a\.jsonl"),
    ],
)
def test_a_file_that_holds_no_paraphrases_is_an_error(tmp_path, name, text, error):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=error):
        read_paraphrases(tmp_path / name, "pixmini")
