from __future__ import annotations

import numpy as np
import pytest

from pixfound_tasks.attention.lens import token_spans
from pixfound_tasks.attention.reducers import mean, mean_centered


def test_a_look_is_consistent(mini_lens, scene_image):
    look = mini_lens.look(scene_image, "Describe the scene.")
    assert look.text.startswith("The scene shows")
    assert "".join(look.text[slice(*chars)] for chars in look.token_chars) == look.text
    assert look.rows.shape == (len(look.token_chars), 64)
    assert (look.rows > 0).all() and (look.rows.sum(axis=1) < 1).all()


def test_a_batch_gives_what_its_samples_give_alone(mini_lens, scene_image):
    prompts = ["Describe the scene.", "What is at the top of the image?", "Identify the red star in the scene."]
    together = mini_lens.look_all([scene_image] * 3, prompts)
    for prompt, look in zip(prompts, together):
        alone = mini_lens.look(scene_image, prompt)
        assert look.text == alone.text
        np.testing.assert_allclose(look.rows, alone.rows, atol=1e-5)


def test_answers_alone_are_those_of_looks(mini_lens, scene_image):
    prompts = ["Describe the scene.", "What is at the top of the image?"]
    answers = mini_lens.answer_all([scene_image] * 2, prompts)
    assert answers == [look.text for look in mini_lens.look_all([scene_image] * 2, prompts)]


class Bytewise:
    """A tokenizer of single bytes, of which a letter beyond ASCII takes two."""

    def decode(self, ids, skip_special_tokens):
        return bytes(ids).decode("utf-8", errors="replace")


def test_spans_of_tokens_smaller_than_a_character():
    ids = list(" caf\u00e9 ".encode())
    text, spans = token_spans(Bytewise(), ids)
    assert text == "caf\u00e9"
    # The blank in front is stripped, the first byte of the last letter adds nothing, its second adds the letter.
    assert spans == ((0, 0), (0, 1), (1, 2), (2, 3), (3, 3), (3, 4), (4, 4))


def test_mean_centered_takes_off_what_all_tokens_look_at():
    rows = np.array([[0.1, 0.4], [0.3, 0.4], [np.nan, np.nan]], np.float32)
    np.testing.assert_allclose(mean_centered(rows), [[-0.1, 0], [0.1, 0], [np.nan, np.nan]], atol=1e-7)
    assert mean(rows) is rows


@pytest.mark.parametrize("rows", [np.full((2, 3), np.nan, np.float32), np.zeros((0, 3), np.float32)])
def test_mean_centered_of_nothing_is_nothing(rows):
    np.testing.assert_array_equal(mean_centered(rows), rows)
