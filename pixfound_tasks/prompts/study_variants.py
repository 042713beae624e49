"""The variations exactly as the study makes them, which PIXFOUND_VARIATIONS=study selects.

The rules differ from those of `variants` in this way:

| | here | in `variants` |
|---|---|---|
| options that answers are compared with | as altered, with the template's text after the last one | the original ones |
| options and sentence of paraphrased questions | misspelled | unchanged |
| a benchmark's own prompts (PixCV-Bench) | options in one line, the misspelled and the usual sentence | as laid out |
| templates of referring prompts | all 14 if all ten variations are requested | the first 10 |
| variants of each expression | one | 10 |
| images | encoded as JPEG, also if they are not changed otherwise | not encoded again |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, repeat

from pixfound_tasks.prompts import variants
from pixfound_tasks.prompts.language_variants import (
    OWN_LAYOUT,
    VARIATIONS,
    ChoiceQuestion,
    TemplatedQuestion,
    TemplateParts,
    expressions_with_typos,
    further_passes,
    grounding_templates,
    questions_for_templates,
    spelled_questions,
    template_parts,
    templated_questions,
)
from pixfound_tasks.prompts.text import CHOICE_INSTRUCTION
from pixfound_tasks.prompts.variants import Row, Variant


def choice_language(rows: Sequence[Row], count: int) -> Iterator[list[Variant]]:
    """Yield each choice question misspelled, in templates, and paraphrased if PIXFOUND_PARAPHRASES is set."""
    questions = [ChoiceQuestion(row["question"], tuple(row["options"])) for row in rows]
    numbers = range(count)
    paraphrased: Iterator[Sequence[ChoiceQuestion]] = repeat(())
    if "paraphrase" in variants.choice_types():
        paraphrased = _paraphrased(rows, questions, count)
    spelled, templated = spelled_questions(questions, numbers), _templated(rows, questions, numbers)
    for row, by_spelling, by_template, by_paraphrase in zip(rows, spelled, templated, paraphrased):
        yield [
            *_numbered("spelling", [_plain(row, question) for question in by_spelling]),
            *_numbered("template", by_template),
            *_numbered("paraphrase", [_plain(row, question) for question in by_paraphrase]),
        ]


def _plain(row: Row, question: ChoiceQuestion) -> TemplatedQuestion:
    if not row["prompt"]:
        return TemplatedQuestion(question.prompt, question.options)
    parts = TemplateParts(question.question, _in_one_line(question), question.sentence)
    return TemplatedQuestion(_in_own_prompt(row, parts), question.options)


def _templated(
    rows: Sequence[Row], questions: Sequence[ChoiceQuestion], numbers: Sequence[int]
) -> Iterator[list[TemplatedQuestion]]:
    usual, chosen = templated_questions(questions, numbers), questions_for_templates(questions, numbers)
    for row, in_protocol, of_question in zip(rows, usual, chosen):
        yield (
            in_protocol
            if not row["prompt"]
            else [
                TemplatedQuestion(
                    _in_own_prompt(row, template_parts(template, question, _in_one_line(question))), question.options
                )
                for template, question in of_question
            ]
        )


def _in_one_line(question: ChoiceQuestion) -> str:
    return " ".join(OWN_LAYOUT.lines(question.options))


def _in_own_prompt(row: Row, parts: TemplateParts) -> str:
    """Return a benchmark's own prompt with its question and options replaced, and the sentence behind it.

    The study's script for answers adds the usual sentence to every prompt, so it comes once more on a line of its own.
    """
    listed = "\n".join(OWN_LAYOUT.lines(row["options"]))
    prompt = row["prompt"].replace(row["question"], parts.question).replace(listed, parts.options)
    return f"{prompt}. {parts.sentence}\n{CHOICE_INSTRUCTION}"


def _numbered(type: str, prompts: Sequence[TemplatedQuestion]) -> list[Variant]:
    """Return the variants of a type, from their prompts and options."""
    return [
        Variant(type, number, {"varied_prompt": prompt, "options": list(options)})
        for number, (prompt, options) in enumerate(prompts)
    ]


def _paraphrased(
    rows: Sequence[Row], questions: Sequence[ChoiceQuestion], count: int
) -> Iterator[list[ChoiceQuestion]]:
    # The templates' variations come before these in the study's stream.
    passes = islice(further_passes(questions), VARIATIONS, VARIATIONS + count)
    for with_typos, texts in zip(zip(*passes), variants.paraphrases_of(rows, questions, count)):
        yield [question._replace(question=text) for question, text in zip(with_typos, texts)]


def referring_language(rows: Sequence[Row], count: int) -> Iterator[list[Variant]]:
    """Yield each referring expression in the altered templates, and altered itself."""
    number_of_templates = None if count == VARIATIONS else count
    templates = [
        Variant("prompt", number, {"template": template.mask, "box_template": template.box})
        for number, template in enumerate(grounding_templates()[:number_of_templates])
    ]
    with_typos = expressions_with_typos(row["expression"] for row in rows)
    for row, (expression,) in zip(rows, with_typos):
        yield [*templates, variants.expression_variant(0, row["expression"], expression)]


def referring_visual(rows: Sequence[Row], count: int) -> Iterator[list[Variant]]:
    """Yield each image's crops and versions with a black rectangle, encoded as JPEG."""
    for varied in variants.referring_visual(rows, count):
        yield [each._replace(changes=each.changes | {"reencoded": True}) for each in varied]


VARIED: dict[str, Callable[[Sequence[Row], int], Iterator[list[Variant]]]] = {
    "choice_language": choice_language,
    "referring_language": referring_language,
    "referring_visual": referring_visual,
}
