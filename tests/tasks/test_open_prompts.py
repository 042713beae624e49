"""Kinds of open questions, and what the judge is shown of them."""

from __future__ import annotations

import json

import pytest

from pixfound_tasks import benchmarks, settings
from pixfound_tasks.prompts.text import open_question
from pixfound_tasks.tasks import grading
from pixfound_tasks.tasks import open as open_task


@pytest.fixture
def doc():
    row = benchmarks.load("pixmini")["test"].remove_columns("image")[0]
    return row | {
        "question": "Are the wings {open}?",
        "options_text": "(a) Open (b) Closed",
        "options": ["Open", "Closed"],
    }


@pytest.fixture
def shown(monkeypatch):
    """The questions that a judge is shown, which says yes to everything."""
    questions = []

    class Judge:
        name = "yes"

        def ask(self, prompt, images=()):
            questions.append(prompt.partition("Given the following question ")[2].partition(", the correct")[0])
            return "yes"

    monkeypatch.setattr(open_task, "judge_from_environment", lambda: Judge())
    return questions


PLAIN = "Are the wings {open}? (a) Open (b) Closed"
ONE_SENTENCE = f"{PLAIN} Answer the question. Please answer in one sentence."


@pytest.mark.parametrize(("kind", "prompt"), [("", PLAIN), ("plain", PLAIN), ("rga3", ONE_SENTENCE)])
def test_the_kind_of_open_question_is_set_and_the_judge_sees_it(doc, shown, monkeypatch, kind, prompt):
    monkeypatch.setenv("PIXFOUND_OPENKIND", kind)
    assert open_task.open_prompt(doc) == prompt
    open_task.score_open(doc, ["Open."])
    assert shown == [prompt]


def test_a_benchmarks_own_prompt_stays(doc, monkeypatch):
    monkeypatch.setenv("PIXFOUND_OPENKIND", "rga3")
    assert open_task.open_prompt(doc | {"prompt": "How many?\n(A) 1\n(B) 2"}) == "How many?\n(A) 1\n(B) 2"


def test_an_unknown_kind_is_refused(doc, monkeypatch):
    monkeypatch.setenv("PIXFOUND_OPENKIND", "rga")
    with pytest.raises(ValueError, match=r"\(PIXFOUND_OPENKIND\) to be one of \['plain', 'rga3'\], but got 'rga'"):
        open_task.open_prompt(doc)
    (setting,) = [each for each in settings.OWN if each.name == "PIXFOUND_OPENKIND"]
    with pytest.raises(ValueError, match="rga3"):
        settings.check_setting(setting, "rga")
    assert open_question("Q?", "(a) x") == "Q? (a) x"


@pytest.mark.parametrize(
    ("judging", "preset", "before"),
    [("study", "paper", "<image>\n"), ("default", "paper", ""), ("study", None, ""), ("study", "other", "")],
)
def test_the_studys_judge_is_shown_llavas_prompt_with_its_image_token(doc, shown, monkeypatch, judging, preset, before):
    monkeypatch.setenv("PIXFOUND_JUDGING", judging)
    provenance = {} if preset is None else {"preset": preset}
    answer = json.dumps({"schema": "pixfound/1", "text": "Open.", "masks": [], "provenance": provenance})
    judgement = open_task.score_open(doc, [answer])["judgement"]
    assert shown == [before + PLAIN] and judgement["verdict"] is True
    assert judgement["by"].endswith("(study's prompt)") == (judging == "study") and grading.STUDY == "study"
