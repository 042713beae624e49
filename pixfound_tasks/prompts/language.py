"""The study's variations of the wording, of choice questions and of referring prompts (arXiv 2502.04192).

A variation is a number: it is seeded with `SEED` plus it, and its streams run once over a benchmark's documents in
their order. So the functions here take all of a benchmark's, and give for each, as it is asked for, one variant per
variation. A part of a benchmark gives other variants than the whole, except for its first documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pixfound_tasks.prompts.alterations import SEED, Draws, alter
from pixfound_tasks.prompts.text import CHOICE_INSTRUCTION, REFERRING, choice_question

CHOICE_TEMPLATES = (
    "Ques:{question}\n{options}\nInstruct:{sentence}\nAns:",
    "{question}\n{options}\n{sentence}\nAnswer:",
    "{question} {options} {sentence}",
    "Question-{question} {options}. {sentence}.Answer-",
    "{question}\t{options}\t{sentence}Answer::",
    "Question, {question} {options}. {sentence}. Answer,",
    "Q: {question}\n{options}\n{sentence}\nA:",
    "{question}\t{options}\t{sentence}A:",
    "{question}{options}{sentence}",
    "Q::{question}{options}\n{sentence}\nA::",
)
# One stands twice in the study's list: the second time it is altered in another way.
GROUNDING_TEMPLATES = (
    REFERRING["mask"].format(expr="{}"),
    "Can you segment {} in this image?",
    REFERRING["grounded"].format(expr="{}"),
    "Identify {} in the scene, with grounding.",
    REFERRING["grounded"].format(expr="{}"),
    "Locate the {} and output a tight mask. If the object does not exist in the image dont generate any masks.",
    "Output mask for the {}.",
)

_SENTENCE_EDITS = 7
_TEMPLATE_EDITS = 8
_ROUNDS = 2  # over the grounding templates


class ChoiceQuestion(NamedTuple):
    """A question with options and the sentence that asks for the letter; the options' texts come without letters."""

    question: str
    options: tuple[str, ...]
    sentence: str = CHOICE_INSTRUCTION

    @property
    def prompt(self) -> str:
        """Protocol 2 in these words."""
        return choice_question(self.question, self.options).removesuffix(CHOICE_INSTRUCTION) + self.sentence


class GroundingTemplate(NamedTuple):
    """An altered wording with `{}` for the expression: for models that give masks, and for those that give boxes."""

    mask: str
    box: str


def spelled_questions(questions: Iterable[ChoiceQuestion], variations: Sequence[int]) -> Iterator[list[ChoiceQuestion]]:
    """For each question its misspelt variants: seven edits in it, seven in the sentence, one per option, in this order.

    An option under five characters stays as it is.
    """
    streams = _streams(variations)
    for question in questions:
        yield [_spelled(question, draws) for draws in streams]


def _spelled(question: ChoiceQuestion, draws: Draws) -> ChoiceQuestion:
    altered = alter(question.question, _SENTENCE_EDITS, draws)
    return _with_altered_choices(question, draws)._replace(question=altered)


def _with_altered_choices(question: ChoiceQuestion, draws: Draws) -> ChoiceQuestion:
    sentence = alter(question.sentence, _SENTENCE_EDITS, draws)
    options = tuple(alter(option, 1, draws) for option in question.options)
    return question._replace(options=options, sentence=sentence)


def templated_prompts(questions: Iterable[ChoiceQuestion], variations: Sequence[int]) -> Iterator[list[str]]:
    """For each question its prompts in `CHOICE_TEMPLATES[variation]`, with misspelt options and sentence.

    Kept as the study has it: the question itself is not misspelt, and some templates put nothing between the parts.
    Raises ValueError for a variation that has no template.
    """
    if unknown := sorted(set(variations) - set(range(len(CHOICE_TEMPLATES)))):
        raise ValueError(f"expected variations in 0..{len(CHOICE_TEMPLATES) - 1}, one per template, but got {unknown}")
    return _templated(questions, [CHOICE_TEMPLATES[variation] for variation in variations], _streams(variations))


def _templated(
    questions: Iterable[ChoiceQuestion], templates: Sequence[str], streams: Sequence[Draws]
) -> Iterator[list[str]]:
    for question in questions:
        altered = [_with_altered_choices(question, draws) for draws in streams]
        yield [_filled(template, variant) for template, variant in zip(templates, altered)]


def _filled(template: str, question: ChoiceQuestion) -> str:
    options = "\n".join(f"{chr(ord('A') + index)}. {option}" for index, option in enumerate(question.options))
    return template.format(question=question.question, options=options, sentence=question.sentence)


def grounding_templates(seed: int = SEED) -> list[GroundingTemplate]:
    """Two rounds over the templates, each altered anew by eight edits, shared out before and after the expression.

    The box version is drawn right after the mask version, from the same streams. Kept as the study has it: the shares
    are by where the expression stands; where one side is too short for edits, its share is lost.
    """
    draws = Draws.seeded(seed)
    return [
        GroundingTemplate(_altered_template(template, draws), _altered_template(_for_boxes(template), draws))
        for template in GROUNDING_TEMPLATES * _ROUNDS
    ]


def _for_boxes(template: str) -> str:
    return template.replace("mask", "box").replace("segment", "detect")


def _altered_template(template: str, draws: Draws) -> str:
    before, after = template.split("{}")
    share = int(len(before) / (len(template) - 4) * _TEMPLATE_EDITS)
    return "{}".join([alter(before, share, draws), alter(after, _TEMPLATE_EDITS - share, draws)])


def altered_expressions(
    expressions: Iterable[str | None], variations: Sequence[int] = (0,)
) -> Iterator[list[str | None]]:
    """For each expression its variants with one edit per word; words under five characters stay.

    None, where no object is asked about, stays None. It draws as the word "None" does, which the study has there. The
    study's variants have a blank at either end, which is left out here as it is in the expression.
    """
    streams = _streams(variations)
    for expression in expressions:
        words = ("None" if expression is None else expression).split()
        altered = [" ".join(alter(word, 1, draws) for word in words) for draws in streams]
        yield [None if expression is None else variant for variant in altered]


def _streams(variations: Sequence[int]) -> list[Draws]:
    return [Draws.seeded(SEED + variation) for variation in variations]
