from __future__ import annotations

from difflib import SequenceMatcher

import pytest

from pixfound_tasks.prompts.language_variants import (
    CHOICE_TEMPLATES,
    ChoiceQuestion,
    expressions_with_typos,
    grounding_templates,
    spelled_questions,
    templated_prompts,
)
from pixfound_tasks.prompts.text import CHOICE_INSTRUCTION, choice_question
from pixfound_tasks.prompts.typos import Draws, add_typos

QUESTIONS = [
    ChoiceQuestion("Are the butterfly's wings closer to being open or closed?", ("Open", "Closed")),
    ChoiceQuestion("Is it day?", ("Yes", "No")),
    ChoiceQuestion("", ()),
    ChoiceQuestion("How many wheels of the school bus are there?", ("Three wheels", "{0} wheels", "")),
]


def test_an_unaltered_question_has_the_prompt_of_its_protocol():
    question = QUESTIONS[0]
    assert question.prompt == choice_question(question.question, question.options)
    assert question._replace(sentence="Say.").prompt.endswith("\nB. Closed\nSay.")


def test_questions_are_misspelt_one_after_another_from_the_seed_of_the_variation():
    draws = Draws.seeded(2024 + 3)
    expected = []
    for question, options, sentence in QUESTIONS:
        question, sentence = add_typos(question, 7, draws), add_typos(sentence, 7, draws)
        expected.append((question, tuple([add_typos(option, 1, draws) for option in options]), sentence))
    assert [variants[1] for variants in spelled_questions(QUESTIONS, [0, 3])] == expected


def test_variants_do_not_depend_on_the_other_variations_asked_for():
    several = [list(made(QUESTIONS, [0, 1, 2])) for made in (spelled_questions, templated_prompts)]
    alone = [list(made(QUESTIONS, [1])) for made in (spelled_questions, templated_prompts)]
    assert [[[variants[1]] for variants in made] for made in several] == alone
    assert len({variants[0].question for variants in several[0]}) == 4
    assert all(len({variant.sentence for variant in variants}) == 3 for variants in several[0])


def test_misspelt_questions_can_still_be_read():
    for variants in spelled_questions(QUESTIONS[:1], range(10)):
        # Seven edits of about 60 characters: three quarters of them and more are in place. Four letters stay.
        likeness = [SequenceMatcher(None, QUESTIONS[0].question, variant.question).ratio() for variant in variants]
        assert min(likeness) > 0.7 and max(likeness) < 1
        assert {variant.options[0] for variant in variants} == {"Open"}
        assert len({variant.options[1] for variant in variants}) > 2


def test_templates_put_an_unaltered_question_before_altered_parts_of_one_stream():
    """The stream of the tenth spelling variation goes on: all questions, and all again for the next variation."""
    questions = [QUESTIONS[1]._replace(options=("Yes", "Nobody"))] * 11
    draws = Draws.seeded(2024 + 9)
    for question in questions:
        for text, edits in ((question.question, 7), (CHOICE_INSTRUCTION, 7), ("Yes", 1), ("Nobody", 1)):
            add_typos(text, edits, draws)
    altered = []
    for _ in range(2 * len(questions)):
        sentence = add_typos(CHOICE_INSTRUCTION, 7, draws)
        add_typos("Yes", 1, draws)
        altered.append((sentence, add_typos("Nobody", 1, draws)))
    found = list(templated_prompts(questions, range(2)))
    by_pass = [prompts[number] for number in range(2) for prompts in found]
    for prompt, (sentence, option) in zip(by_pass, altered, strict=True):
        assert "Is it day?" in prompt and f"\nA. Yes\nB. {option}" in prompt and f"\n{sentence}" in prompt
    assert len(CHOICE_TEMPLATES) == 10 and len(found) == 11
    (first, option), (last, _) = altered[0], altered[10]
    # The template's line breaks are written out. The eleventh question has the first template again.
    assert by_pass[0] == rf"Ques:Is it day?\n Options:" f"\nA. Yes\nB. {option}" rf"\nInstruct:" f"\n{first}" r"\nAns:"
    assert by_pass[10].startswith(r"Ques:Is it day?\n Options:") and by_pass[10].endswith(rf"{last}\nAns:")
    assert by_pass[8].startswith("Is it day? Options:\nA. Yes\n") and by_pass[8].endswith(altered[8][0])
    # A blank at the end of the options' part is dropped, one at the end of the question's is not.
    assert by_pass[2] == f"Is it day?  Options:\nA. Yes\nB. {altered[2][1]}\n{altered[2][0]}"


def test_a_variation_that_the_study_lacks_says_which_there_are():
    with pytest.raises(ValueError, match=r"variations in 0\.\.9, the study's, but got \[-1, 10\]"):
        templated_prompts(QUESTIONS, [10, 0, -1])


def test_grounding_templates_come_in_two_wordings_with_one_place_for_the_expression():
    templates = grounding_templates()
    assert templates == grounding_templates() != grounding_templates(2025)
    for template in (wording for pair in templates for wording in pair):
        assert template.count("{}") == 1 and template.format("the dog").count("the dog") == 1
    assert len(set(templates)) == 14


def test_expressions_keep_their_number_of_words_and_what_is_short():
    expressions = ["the orange bus", None, "", "  an  ear\tof corn ", "None", 'the crayon "J"']
    variants = list(expressions_with_typos(expressions, range(10)))
    assert variants[1:5] == [[None] * 10, [""] * 10, ["an ear of corn"] * 10, ["None"] * 10]
    for bus, crayon in zip(variants[0], variants[5]):
        first, _, last = bus.split()
        assert (first, last) == ("the", "bus") and bus != "the orange bus"
        assert crayon.startswith("the ") and crayon.endswith(' "J"') and crayon != 'the crayon "J"'
    assert len(set(variants[0])) > 1


def test_an_expression_that_is_not_there_draws_what_the_word_none_draws():
    (_, with_none), (_, with_word) = (
        list(expressions_with_typos([first, "butterflies and crocodiles"])) for first in (None, "None")
    )
    assert with_none == with_word
