"""What a judge is asked for paraphrases, and which of its words are used."""

from __future__ import annotations

import pytest

from pixfound_tasks.judges.base import JudgeDown, make_judge
from pixfound_tasks.judges.paraphrase import ATTEMPTS, paraphrase, usable

QUESTION = 'Are the words "STOP" left of the cup(s)?'


class Replying:
    """Gives the replies in turn, the last one for ever; raises those that are errors."""

    name = "replying"

    def __init__(self, *replies):
        self.replies, self.prompts = list(replies), []

    def ask(self, prompt, images=()):
        self.prompts.append(prompt)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("1. One?\n2) Two?\n 3: Three?\n- Four?\n* Five?\n\u2022 Six?", "One? Two? Three? Four? Five? Six?"),
        ("Here are two:\n\n1. One?\n\n2. Two?\nI hope this helps.", "One? Two?"),
        ('1. "One?"\n2. \u201cTwo?\u201d\n3. **Three?**\n4.   Four\u00a0 \t?', "One? Two? Three? Four ?"),
        ("1. One?\n2. one!\n3. ONE ?\n4. known\n5. Known.", "One?"),
        ('1. Are the words "STOP" left of the cup(s)?\n2. are the words stop left of the cups ?', ""),
        ("1. One?\n2. Is the word cut off in the mid", "One?"),
        ("1. One?\n2. ?\n3.\n4. ...\n5. Nul\x00?\n6. Zero\u200bwidth?\n7. Half a \ud800 pair?", "One?"),
        (f"1. {'Very ' * 100}long?\n2. One?", "One?"),
        ("1.5 apples?\nOne?\n", ""),
        ("", ""),
    ],
)
def test_items_of_a_list_are_used_and_nothing_else(reply, found):
    assert " ".join(usable(reply, QUESTION, ["Known?"])) == found


def test_quotes_within_stay_and_questions_without_an_end_need_none():
    assert usable('1. "STOP" or "GO"?', QUESTION) == ['"STOP" or "GO"?']
    assert usable("1. The woman runs from\n2. What does she flee:", "A woman running from:") == [
        "The woman runs from", "What does she flee:"
    ]  # fmt: skip


def test_what_is_missing_is_asked_for_with_what_is_known():
    judge = Replying("1. One?\n2. Two?\n3. Known?", "1. One?\n2. Three?\n3. Four?\n4. Five?")
    assert paraphrase(judge, QUESTION, 5, ["Known?"]) == (("One?", "Two?", "Three?", "Four?"), "")
    first, second = judge.prompts
    assert first.startswith("Write 4 paraphrases") and f"Question: {QUESTION}" in first
    assert first.endswith("These are known already, write others:\nKnown?")
    assert second.startswith("Write 2 paraphrases")
    assert second.endswith("write others:\nKnown?\nOne?\nTwo?\n\nAttempt 2.")


def test_a_useless_judge_is_asked_in_a_new_wording_each_time_and_not_for_ever():
    judge = Replying("1. One?", "I cannot paraphrase.")
    assert paraphrase(judge, QUESTION, 3) == (("One?",), f"{ATTEMPTS} replies of replying held no more usable ones")
    assert len(set(judge.prompts)) == len(judge.prompts) == ATTEMPTS


def test_what_came_before_a_judge_went_down_is_kept():
    judge = Replying("1. One?", JudgeDown("no route"))
    assert paraphrase(judge, QUESTION, 3) == (("One?",), "no route")
    assert len(judge.prompts) == 2
    assert paraphrase(judge, QUESTION, 1, ["Known?"]) == ((), "") and len(judge.prompts) == 2


def test_a_local_judge_that_writes_has_room_to():
    from pixfound_tasks import mini

    name = f"local:{mini.weights_folder()}"
    short, long = (make_judge(name, writes=writes)._settings["max_new_tokens"] for writes in (False, True))
    assert (short, long) == (64, 1024)
