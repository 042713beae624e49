"""Choice answers graded by a judge: what it is asked, and what becomes of its verdicts."""

from __future__ import annotations

import pytest
from rectangles import rectangle

from pixfound_tasks.analysis.metrics import PairPart
from pixfound_tasks.judges.base import JudgeDown
from pixfound_tasks.tasks import choice, grading, sensitivity

QUESTION = (
    "Given the following question {}, the correct answer is {}. Does the following answer correctly answers the "
    "question, answer:{}? Respond with a Yes/No"
)


class Judge:
    name = "openai:m"

    def __init__(self):
        self.reply, self.prompts = "Yes", []

    def ask(self, prompt, images=()):
        self.prompts.append(prompt)
        if self.reply is None:
            raise JudgeDown("told to be down")
        return self.reply


@pytest.fixture
def judge(monkeypatch):
    """The judge that PIXFOUND_CHOICEJUDGE names, with the study's prompt."""
    judge, made = Judge(), []
    monkeypatch.setattr(grading, "make_judge", lambda name, **options: made.append((name, options)) or judge)
    monkeypatch.setenv("PIXFOUND_CHOICEJUDGE", "openai:m")
    monkeypatch.setenv("PIXFOUND_JUDGING", "study")
    grading._made.cache_clear()
    judge.made = made
    yield judge
    grading._made.cache_clear()


@pytest.fixture
def doc():
    return {
        "benchmark": "pixmini", "id": "3", "file": "3.png", "prompt": None, "pair": 1, "question": "Open or closed?",
        "options": ["Open", "Closed"], "options_text": "(a) Open (b) Closed", "answer": "b", "source": "",
        "pattern": "State and Condition", "expression": None, "mask": rectangle(0, 0, 3, 4), "width": 6, "height": 4,
    }  # fmt: skip


def test_the_judge_gets_the_question_as_in_the_studys_table(judge, doc):
    choice.score_choice(doc, ["They are shut."])
    doc["prompt"] = "Open or closed?\n(A) Open\n(B) Closed"
    choice.score_choice(doc, ["They are shut."])
    assert judge.prompts == [
        QUESTION.format("Open or closed? Options: (a) Open (b) Closed", "(b)", "They are shut."),
        QUESTION.format(doc["prompt"], "(B)", "They are shut."),
    ]
    assert judge.made == [("openai:m", {"system": grading.SYSTEM, "temperature": 0.2})]


def test_the_verdict_takes_the_place_of_the_rule(judge, doc):
    """No rule finds an option in the first answer; the second one is correct by the rule and not by the judge."""
    found = choice.score_choice(doc, ["They are shut."])
    assert found["score"] == found["pair_accuracy"] == PairPart(1, True)
    assert (found["accuracy"], found["source_mean"], found["lenient_accuracy"]) == (1.0, ("", 1.0), 0.0)
    assert (found["unparsed"], found["faults"]) == (0.0, [])
    assert found["judgement"] == {"by": "openai:m (study's prompt)", "verdict": True, "reply": "Yes"}
    judge.reply = "no."
    found = choice.score_choice(doc, ["B"])
    assert (found["score"], found["accuracy"], found["lenient_accuracy"]) == (PairPart(1, False), 0.0, 1.0)
    assert (found["unparsed"], found["judgement"]["verdict"]) == (0.0, False)


@pytest.mark.parametrize("reply", ["I cannot tell.", "Yes, it does.", None])
def test_without_a_verdict_the_answer_is_incorrect_and_it_is_said(judge, doc, reply):
    judge.reply = reply
    found = choice.score_choice(doc, ["B"])
    assert (found["accuracy"], found["unparsed"], found["faults"]) == (0.0, 1.0, ["unjudged"])
    assert found["judgement"]["verdict"] is None


def test_without_the_study_the_judge_is_told_the_option_and_read_in_more_forms(judge, doc, monkeypatch):
    monkeypatch.setenv("PIXFOUND_JUDGING", "default")
    judge.reply = "Yes, it does."
    found = choice.score_choice(doc, ["They are shut."])
    assert found["accuracy"] == 1.0 and "the correct answer is (b) Closed. Does" in judge.prompts[0]
    assert found["judgement"]["by"] == "openai:m" and judge.made == [("openai:m", {})]


def test_the_rule_is_the_default_also_where_open_answers_have_a_judge(judge, doc, monkeypatch):
    monkeypatch.delenv("PIXFOUND_CHOICEJUDGE")
    monkeypatch.setenv("PIXFOUND_JUDGE", "openai:m")
    found = choice.score_choice(doc, ["B"])
    assert found["accuracy"] == 1.0 and "judgement" not in found and not judge.prompts


def test_a_wrong_judge_shows_before_anything_is_answered(doc, monkeypatch):
    monkeypatch.setenv("PIXFOUND_CHOICEJUDGE", "rules")
    with pytest.raises(ValueError, match="PIXFOUND_CHOICEJUDGE to be one of .* did you mean 'rule'"):
        choice.choice_prompt(doc)


def test_varied_questions_are_judged_by_the_original_one(judge, doc):
    """Two variations of one question: the judge accepts the first answer only."""
    doc |= {"variation_type": "spelling", "variation": 1, "varied_prompt": "Opn or closd?", "options": ["Oen", "Closd"]}
    found = sensitivity.score_choice(doc, ["shut"])
    assert found["score"] == found["worst_spelling"] == ("spelling", 1, PairPart(1, True))
    judge.reply = "No"
    second = sensitivity.score_choice(doc | {"variation": 2}, ["B"])
    assert second["score"] == ("spelling", 2, PairPart(1, False)) and second["judgement"]["verdict"] is False
    asked = [QUESTION.format("Open or closed? Options: (a) Open (b) Closed", "(b)", answer) for answer in ("shut", "B")]
    assert judge.prompts == asked
