"""Adds all variations of every document to a benchmark, for the prompt sensitivity tasks.

A task's `process_docs` names a function here followed by the number of variations per type, such as
`choice_language_10`. The task's metadata states the same number. The documents keep their order. Each one comes first
unchanged (type `ORIGINAL`) and then in all its variations. They have the columns of `benchmarks.documents` except the
image. `tasks.answer_masks.image_of` makes the image from the benchmark's on access, so that no image is copied. The
additional columns are:

| column | content |
|---|---|
| `variation_type` | the type of variation: `ORIGINAL` or one of the types below |
| `variation` | its number within the type, from 0 |
| `varied_prompt` | the complete prompt of a choice question |
| `template`, `box_template` | a referring prompt with `{}` for the expression, the second one for boxes and points |
| `original_expression` | the original expression, if `expression` is an altered one |
| `region` | left, top, right and bottom of a `visual.Region`; `mask`, `width` and `height` are those after the change |

A column is None if the variation does not change that part of the input. Paraphrased questions come from the file that
PIXFOUND_PARAPHRASES names, see `paraphrases`. If it is not set, there are none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from pixfound_tasks.prompts.language_variants import (
    ChoiceQuestion,
    expressions_with_typos,
    grounding_templates,
    spelled_questions,
    templated_prompts,
)
from pixfound_tasks.prompts.paraphrases import are_wanted, paraphrases
from pixfound_tasks.prompts.visual_variants import CROPS, MASK_OUTS, Region, VisualChange, visual_changes

if TYPE_CHECKING:
    from datasets import Dataset

ORIGINAL = "original"
WORDING_TYPES = ("prompt", "expression")
VISUAL_TYPES = ("crop", "mask_out")
MOST = 10  # variations of a type, the number that the study has

Row = dict[str, Any]


class Variant(NamedTuple):
    """A variation of a document: its type, its number within the type, and the columns that it changes."""

    type: str
    number: int
    changes: Row


def choice_types() -> tuple[str, ...]:
    """Return the variation types of choice questions, with "paraphrase" only if PIXFOUND_PARAPHRASES is set."""
    return ("spelling", "template", "paraphrase") if are_wanted() else ("spelling", "template")


def choice_language(rows: Sequence[Row], count: int) -> Iterator[list[Variant]]:
    """Yield each choice question misspelled, in the study's templates, and paraphrased."""
    questions = [_question(row) for row in rows]
    spelled, templated = spelled_questions(questions, range(count)), templated_prompts(questions, range(count))
    paraphrased: Iterator[Sequence[ChoiceQuestion]] = repeat(())
    if "paraphrase" in choice_types():
        paraphrased = _paraphrased(rows, questions, count)
    for row, by_spelling, by_template, by_paraphrase in zip(rows, spelled, templated, paraphrased):
        yield [
            *_numbered("spelling", [_prompt(row, question) for question in by_spelling]),
            *_numbered("template", by_template),
            *_numbered("paraphrase", [_prompt(row, question) for question in by_paraphrase]),
        ]


def _numbered(type: str, prompts: Sequence[str]) -> list[Variant]:
    return [Variant(type, number, {"varied_prompt": prompt}) for number, prompt in enumerate(prompts)]


def _question(row: Row) -> ChoiceQuestion:
    """Return a row's question and options.

    If the row has the benchmark's own prompt, the question is that prompt without the options at its end. If the prompt
    does not end with the options, the question is the whole prompt, without options.
    """
    if not row["prompt"]:
        return ChoiceQuestion(row["question"], tuple(row["options"]))
    listed = _listed(row["options"])
    if not row["prompt"].endswith(listed):
        return ChoiceQuestion(row["prompt"], ())
    return ChoiceQuestion(row["prompt"].removesuffix(listed), tuple(row["options"]))


def _prompt(row: Row, question: ChoiceQuestion) -> str:
    if not row["prompt"]:
        return question.prompt
    return f"{question.question}{_listed(question.options)}\n{question.sentence}"


def _listed(options: Sequence[str]) -> str:
    return "".join(f"\n({chr(ord('A') + index)}) {option}" for index, option in enumerate(options))


def _paraphrased(
    rows: Sequence[Row], questions: Sequence[ChoiceQuestion], count: int
) -> Iterator[list[ChoiceQuestion]]:
    asked = {row["id"]: question.question for row, question in zip(rows, questions)}
    found = paraphrases(rows[0]["benchmark"], asked, count) if rows else {}
    for row, question in zip(rows, questions):
        yield [question._replace(question=text) for text in found[row["id"]]]


def referring_language(rows: Sequence[Row], count: int) -> Iterator[list[Variant]]:
    """Yield each referring expression in the study's altered templates, and altered itself in the usual prompt."""
    templates = [
        Variant("prompt", number, {"template": template.mask, "box_template": template.box})
        for number, template in enumerate(grounding_templates()[:count])
    ]
    with_typos = expressions_with_typos((row["expression"] for row in rows), range(count))
    for row, expressions in zip(rows, with_typos):
        original = row["expression"]
        yield templates + [
            Variant("expression", number, {"expression": expression, "original_expression": original})
            for number, expression in enumerate(expressions)
        ]


def referring_visual(rows: Sequence[Row], count: int) -> Iterator[list[Variant]]:
    """Yield each image's crops and versions with a black rectangle, with the changed masks."""
    changes = visual_changes((row["mask"] for row in rows), [*CROPS[:count], *MASK_OUTS[:count]])
    for row, changed in zip(rows, changes):
        yield [Variant(each.kind, place % count, _pictured(row, each)) for place, each in enumerate(changed)]


def _pictured(row: Row, change: VisualChange) -> Row:
    if change.region is None:
        return {}
    mask = change.mask(row["mask"])
    height, width = mask["size"]
    return {"mask": mask, "height": height, "width": width, "region": list(change.region)}


def changed_image(image: Image.Image, doc: Row) -> Image.Image:
    """Return the image (RGB) with the document's visual variation applied, or unchanged if the document has none."""
    region = doc.get("region")
    return VisualChange(doc["variation_type"], Region(*region)).image(image) if region else image.convert("RGB")


_VARIED: dict[str, Callable[[Sequence[Row], int], Iterator[list[Variant]]]] = {
    "choice_language": choice_language,
    "referring_language": referring_language,
    "referring_visual": referring_visual,
}


def vary(how: str, count: int, documents: Dataset) -> Dataset:
    """Return a benchmark's documents, each unchanged and in `count` variations per type, with the columns above."""
    from datasets import Dataset, Features, Value

    texts = ("variation_type", "varied_prompt", "template", "box_template", "original_expression")
    columns = dict.fromkeys(texts, Value("string")) | {"variation": Value("int32"), "region": [Value("int32")]}
    bare = documents.remove_columns("image")
    rows = bare.to_list()
    varied = [
        {
            **row, **dict.fromkeys(columns), "variation_type": variant.type, "variation": variant.number,
            **variant.changes,
        }
        for row, variants in zip(rows, _VARIED[how](rows, count))
        for variant in (Variant(ORIGINAL, 0, {}), *variants)
    ]  # fmt: skip
    return Dataset.from_list(varied, features=Features({**bare.features, **columns}))


def __getattr__(attribute: str) -> Callable[[Dataset], Dataset]:
    how, _, count = attribute.rpartition("_")
    if how in _VARIED and count in map(str, range(1, MOST + 1)):
        return functools.partial(vary, how, int(count))
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
