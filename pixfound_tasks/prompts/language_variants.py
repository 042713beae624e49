"""The study's language variations of choice questions and of referring prompts (arXiv 2502.04192).

A variation is a number. `SEED` plus this number seeds its random streams, which run once over a benchmark's documents
in order. The functions here therefore take all of a benchmark's texts. For each text they yield a list with one variant
per variation. A part of a benchmark gives other variants than the whole, except if it is the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat
from typing import NamedTuple

from pixfound_tasks.prompts.text import CHOICE_INSTRUCTION, REFERRING
from pixfound_tasks.prompts.typos import SEED, Draws, add_typos

VARIATIONS = 10  # of each type in the study
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
# The study's list contains one template twice. Each copy is altered in its own way.
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
_ROUNDS = 2  # passes over the grounding templates


class Layout(NamedTuple):
    """What follows a question on its line, and the format of an option's letter and text."""

    heading: str = " Options:"
    option: str = "{}. {}"

    def lines(self, options: Sequence[str]) -> list[str]:
        """Return one line per option, lettered from A."""
        return [self.option.format(chr(ord("A") + index), option) for index, option in enumerate(options)]


PROTOCOL_LAYOUT = Layout()  # of protocol 2; benchmarks with their own prompts have their own
OWN_LAYOUT = Layout("", "({}) {}")


class ChoiceQuestion(NamedTuple):
    """A question, its options (without letters) and the sentence that requests the letter."""

    question: str
    options: tuple[str, ...]
    sentence: str = CHOICE_INSTRUCTION

    @property
    def prompt(self) -> str:
        """The prompt of protocol 2 with this question, options and sentence."""
        return self.prompt_in(PROTOCOL_LAYOUT)

    def prompt_in(self, layout: Layout) -> str:
        """Return the prompt with this question, options and sentence in another layout."""
        return "\n".join([f"{self.question}{layout.heading}", *layout.lines(self.options), self.sentence])


class TemplateParts(NamedTuple):
    """A prompt in a template, in the study's three parts. What the template has after a part belongs to the part."""

    question: str
    options: str
    sentence: str


class TemplatedQuestion(NamedTuple):
    """A prompt made from a template, and its options as the study scores them: with the template's text after them."""

    prompt: str
    options: tuple[str, ...]


class GroundingTemplate(NamedTuple):
    """An altered template with `{}` for the expression, for models that return masks and models that return boxes."""

    mask: str
    box: str


def spelled_questions(questions: Iterable[ChoiceQuestion], variations: Sequence[int]) -> Iterator[list[ChoiceQuestion]]:
    """Yield each question's misspelled variants, one per variation.

    A variant has seven edits in the question, seven in the sentence and one in each option, drawn in this order. An
    option with fewer than five characters is not changed.
    """
    streams = _streams(variations)
    for question in questions:
        yield [_spelled(question, draws) for draws in streams]


def _spelled(question: ChoiceQuestion, draws: Draws) -> ChoiceQuestion:
    with_typos = add_typos(question.question, _SENTENCE_EDITS, draws)
    return _with_typos_in_choices(question, draws)._replace(question=with_typos)


def _with_typos_in_choices(question: ChoiceQuestion, draws: Draws) -> ChoiceQuestion:
    sentence = add_typos(question.sentence, _SENTENCE_EDITS, draws)
    options = tuple(add_typos(option, 1, draws) for option in question.options)
    return question._replace(options=options, sentence=sentence)


def templated_prompts(
    questions: Iterable[ChoiceQuestion], variations: Sequence[int], layouts: Iterable[Layout] = ()
) -> Iterator[list[str]]:
    """Yield the prompts of `templated_questions`."""
    return ([each.prompt for each in templated] for templated in templated_questions(questions, variations, layouts))


def templated_questions(
    questions: Iterable[ChoiceQuestion], variations: Sequence[int], layouts: Iterable[Layout] = ()
) -> Iterator[list[TemplatedQuestion]]:
    """Yield each question in one of `CHOICE_TEMPLATES` with misspelled options and sentence, one per variation.

    As in the study, the position of the question selects the template in every variation, the question itself is not
    misspelled, and each part is on a line of its own. `layouts` are those of the questions, `PROTOCOL_LAYOUT` if there
    are none. Raises ValueError if a variation is out of range.
    """
    chosen = questions_for_templates(questions, variations)
    return (
        [_in_template(template, question, layout) for template, question in of_question]
        for of_question, layout in zip(chosen, list(layouts) or repeat(PROTOCOL_LAYOUT))
    )


def questions_for_templates(
    questions: Iterable[ChoiceQuestion], variations: Sequence[int]
) -> Iterator[list[tuple[str, ChoiceQuestion]]]:
    """Yield each question's template and misspelled parts, one pair per variation; see `templated_questions`."""
    if unknown := sorted(set(variations) - set(range(VARIATIONS))):
        raise ValueError(f"expected variations in 0..{VARIATIONS - 1}, the study's, but got {unknown}")
    passes = list(islice(further_passes(list(questions)), max(variations, default=-1) + 1))
    return (
        [(CHOICE_TEMPLATES[index % len(CHOICE_TEMPLATES)], variants[number]) for number in variations]
        for index, variants in enumerate(zip(*passes))
    )


def further_passes(questions: Sequence[ChoiceQuestion]) -> Iterator[list[ChoiceQuestion]]:
    """Yield all questions with misspelled options and sentence, over and over, from one random stream.

    The study seeds its streams only for misspelled questions. All later variations, first the templates and then the
    paraphrases, continue the stream of the last variation of those.
    """
    draws = Draws.seeded(SEED + VARIATIONS - 1)
    for question in questions:
        _spelled(question, draws)
    while True:
        yield [_with_typos_in_choices(question, draws) for question in questions]


def template_parts(template: str, question: ChoiceQuestion, options: str) -> TemplateParts:
    """Return a question in a template. `options` are its options as one text.

    As in the study's prompts, a line break of the template is the two characters `\\n`, and a tab is `\\t`.
    """
    written = template.replace("\n", r"\n").replace("\t", r"\t")
    before, _, rest = written.partition("{options}")
    between, _, end = rest.partition("{sentence}")
    return TemplateParts(before.format(question=question.question), f"{options}{between}", f"{question.sentence}{end}")


def _in_template(template: str, question: ChoiceQuestion, layout: Layout) -> TemplatedQuestion:
    listed = "\n".join(layout.lines(question.options))
    parts = template_parts(template, question, listed)
    between = parts.options.removeprefix(listed)
    options = (*question.options[:-1], *(f"{last}{between}".strip() for last in question.options[-1:]))
    lines = [f"{parts.question}{layout.heading}", parts.options.strip(), parts.sentence]
    return TemplatedQuestion("\n".join(lines), options)


def grounding_templates(seed: int = SEED) -> list[GroundingTemplate]:
    """Return two altered versions of each template, in two passes over `GROUNDING_TEMPLATES`.

    Each version has eight edits. The position of the expression decides how many of them come before and after it. If
    the text on one side is too short, its edits are lost, as in the study. The box version is drawn right after the
    mask version, from the same streams.
    """
    draws = Draws.seeded(seed)
    return [
        GroundingTemplate(_template_with_typos(template, draws), _template_with_typos(_for_boxes(template), draws))
        for template in GROUNDING_TEMPLATES * _ROUNDS
    ]


def _for_boxes(template: str) -> str:
    return template.replace("mask", "box").replace("segment", "detect")


def _template_with_typos(template: str, draws: Draws) -> str:
    before, after = template.split("{}")
    share = int(len(before) / (len(template) - 4) * _TEMPLATE_EDITS)
    return "{}".join([add_typos(before, share, draws), add_typos(after, _TEMPLATE_EDITS - share, draws)])


def expressions_with_typos(
    expressions: Iterable[str | None], variations: Sequence[int] = (0,)
) -> Iterator[list[str | None]]:
    """Yield each expression's variants, with one edit per word. Words with fewer than five characters are not changed.

    None (the question is not about an object) stays None. It uses the same draws as the word "None", which the study
    has in its place. The study's variants begin and end with a space. These do not, like the original expressions.
    """
    streams = _streams(variations)
    for expression in expressions:
        words = ("None" if expression is None else expression).split()
        with_typos = [" ".join(add_typos(word, 1, draws) for word in words) for draws in streams]
        yield [None if expression is None else variant for variant in with_typos]


def _streams(variations: Sequence[int]) -> list[Draws]:
    return [Draws.seeded(SEED + variation) for variation in variations]
