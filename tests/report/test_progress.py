"""How far a command is: bars where a person looks, and everything that is tracked is passed on."""

import io

import pytest
from rich.console import Console

from pixfound_tasks.runs import progress


@pytest.fixture
def terminal(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(file=shown, force_terminal=True, width=100))
    return shown


def test_a_terminal_sees_what_is_done_and_how_much(terminal):
    with progress.progress_shown("writing") as track:
        items = track(iter("abc"), "reading [red]", 3)
        assert list(items) == ["a", "b", "c"]
    assert "reading [red]" in terminal.getvalue() and "3/3" in terminal.getvalue()
    assert "writing" not in terminal.getvalue()


def test_elsewhere_there_is_one_line(capsys):
    with progress.progress_shown("writing [red]") as track:
        assert list(track(iter("abc"), "reading", None)) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "writing [red]\n")
