from __future__ import annotations

import numpy as np
import pytest

from pixfound_tasks.mini.dialogues import SEGMENT, TASKS, describe, refer, sample_dialogues, segment
from pixfound_tasks.mini.pairs import sample_pair
from pixfound_tasks.mini.questions import ASKERS, sample_question
from pixfound_tasks.mini.scenes import draw, sample_scene
from pixfound_tasks.mini.tokenizer import build_tokenizer


@pytest.mark.parametrize("topic", ASKERS)
def test_pairs_have_one_question_and_opposite_answers(topic):
    rng = np.random.RandomState(3)
    for _ in range(10):
        pair = sample_pair(rng, topic)
        first, second = pair.questions
        assert (first.text, first.options) == (second.text, second.options)
        assert {first.right, second.right} == {0, 1}
        assert first.reference.expression == second.reference.expression
        absent = [not question.reference.things for question in pair.questions]
        assert absent.count(True) == (topic in ("presence", "extra"))
        assert pair.scenes[0] != pair.scenes[1]
        masks = [draw(s).mask(s, q.reference.things, q.reference.part) for s, q in zip(pair.scenes, pair.questions)]
        assert [mask.any() for mask in masks] == [not each for each in absent]


def test_what_is_said_is_what_was_drawn():
    # Independent of the askers: the words of the answer against the properties of the thing that they name.
    rng = np.random.RandomState(5)
    seen = set()
    for _ in range(800):
        scene = sample_scene(rng)
        question = sample_question(scene, rng)
        words = question.sentence.rstrip(".")
        for thing in scene.things:
            expected = {
                f"The {thing.name} is facing right": thing.faces_right,
                f"The {thing.name} is facing left": not thing.faces_right,
                f"The door of the {thing.name} is open": thing.state,
                f"The {thing.name} is striped": thing.form,
                f"The {thing.name} is seen from above": thing.view,
                f"Yes, the {thing.name} has a chimney": thing.extra,
                f"No, the {thing.name} has no chimney": not thing.extra,
                f"The letter on the {thing.name} is H": thing.letter == "H",
            }
            if words in expected:
                assert expected[words], words
                seen.add(list(expected).index(words))
    assert seen == set(range(8))


def test_every_word_is_in_the_vocabulary():
    rng, tokenizer = np.random.RandomState(7), build_tokenizer()
    shares = dict.fromkeys(TASKS, 1 / len(TASKS))
    for _ in range(300):
        scene = sample_scene(rng)
        for dialogue in [*sample_dialogues(scene, rng, shares, 4), segment(scene, rng)]:
            ids = tokenizer(f" {dialogue.prompt} ASSISTANT: {dialogue.answer}", add_special_tokens=False).input_ids
            assert tokenizer.unk_token_id not in ids, dialogue


def test_absent_things_are_denied_and_get_no_mask():
    rng = np.random.RandomState(11)
    for _ in range(400):
        scene = sample_scene(rng)
        reference = refer(scene, rng)
        said = describe(scene, reference)
        assert bool(reference.things) == (" no " not in said)
        dialogue = segment(scene, rng)
        assert (dialogue.answer == SEGMENT) == (dialogue.target is not None and bool(dialogue.target.things))
