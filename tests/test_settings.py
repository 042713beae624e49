"""The table of environment variables: read in one place, printed by a command, and documented."""

from __future__ import annotations

import ast
import json
import threading
from pathlib import Path

import pytest
from places import REPOSITORY
from typer.testing import CliRunner

import pixfound_tasks
from pixfound_tasks import settings
from pixfound_tasks.cli import app as command

PACKAGE = Path(pixfound_tasks.__file__).parent
# Those that examine the environment as a whole, and one variable of the CI's, which is no setting.
READERS = {"settings.py", "doctor/variables.py", "cli/settings.py", "cli/check.py"}


def test_variables_are_read_in_one_place():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        if any(isinstance(node, ast.Attribute) and ast.unparse(node) == "os.environ" for node in nodes):
            found.add(str(path.relative_to(PACKAGE)))
    assert found == READERS


def test_a_variable_that_is_unset_or_empty_has_its_default(monkeypatch):
    monkeypatch.delenv("PIXFOUND_JUDGE", raising=False)
    monkeypatch.setenv("PIXFOUND_ANSWERS", "")
    monkeypatch.setenv("PIXFOUND_CONCEPTS", "auto")
    read = [settings.read_setting(f"PIXFOUND_{name}") for name in ("JUDGE", "ANSWERS", "CONCEPTS", "DATA")]
    assert read[:3] == ["rule", "original", "auto"]
    with pytest.raises(KeyError):
        settings.read_setting("PIXFOUND_JUGDE")


@pytest.mark.parametrize("setting", [each for each in settings.OWN if each.check], ids=lambda each: each.name)
def test_the_check_of_a_variable_takes_its_default_and_refuses_nonsense(setting):
    if setting.default:
        settings.check_setting(setting, setting.default)
    with pytest.raises(ValueError, match=r"expected"):
        settings.check_setting(setting, "no=such,thing")


def test_the_command_says_where_a_value_is_from_and_prints_no_secret(monkeypatch):
    monkeypatch.setenv("PIXFOUND_JUDGE", "local:somewhere")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.delenv("PIXFOUND_CONCEPTS", raising=False)
    runner = CliRunner()
    rows = {row["name"]: row for row in json.loads(runner.invoke(command.app, ["settings", "--json"]).stdout)}
    assert list(rows) == [each.name for each in (*settings.OWN, *settings.FOREIGN)]
    assert (rows["PIXFOUND_JUDGE"]["value"], rows["PIXFOUND_JUDGE"]["from"]) == ("local:somewhere", "environment")
    assert (rows["PIXFOUND_CONCEPTS"]["value"], rows["PIXFOUND_CONCEPTS"]["from"]) == ("words", "default")
    text = runner.invoke(command.app, ["settings"]).stdout
    assert "PIXFOUND_JUDGE = local:somewhere" in text and "OPENAI_API_KEY = (set)" in text
    assert "sk-secret" not in text + json.dumps(rows)


@pytest.mark.skipif(not (REPOSITORY / "docs").is_dir(), reason="needs the sources")
def test_the_documentation_is_the_table():
    assert (REPOSITORY / "docs" / "settings.md").read_text() == settings.as_markdown(), (
        "run: python -m pixfound_tasks.settings > docs/settings.md"
    )


def test_what_is_made_once_is_made_once_by_threads_too():
    made, barrier = [], threading.Barrier(8)

    @settings.made_once
    def make(name: str) -> str:
        made.append(name)
        return name.upper()

    def ask() -> None:
        barrier.wait()
        assert make("a") == "A"

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["a"]
