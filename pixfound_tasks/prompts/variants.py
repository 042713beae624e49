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
| `reencoded` | whether the image is encoded as JPEG after the change, which only `study_variants` does |

A column is None if the variation does not change that part of the input. Paraphrased questions come from the file that
PIXFOUND_PARAPHRASES names, see `paraphrases`. If it is not set, there are none. If PIXFOUND_VARIATIONS is "study", the
variations are those of `study_variants`, and the documents' provenance says so.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from pixfound_tasks.benchmarks.documents import PROVENANCE
from pixfound_tasks.choices import check_choice
from pixfound_tasks.prompts.language_variants import (
    OWN_LAYOUT,
    PROTOCOL_LAYOUT,
    VARIATIONS,
    ChoiceQuestion,
    Layout,
    expressions_with_typos,
    grounding_templates,
    spelled_questions,
    templated_prompts,
)
from pixfound_tasks.prompts.paraphrases import are_wanted, paraphrases
from pixfound_tasks.prompts.visual_variants import CROPS, MASK_OUTS, Region, VisualChange, as_jpeg, visual_changes
from pixfound_tasks.settings import read_setting

if TYPE_CHECKING:
    from datasets import Dataset

ORIGINAL = "original"
STUDY = "study"  # the value of PIXFOUND_VARIATIONS that selects `study_variants`
WORDING_TYPES = ("prompt", "expression")
VISUAL_TYPES = ("crop", "mask_out")
MOST = VARIATIONS  # of a type

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
    questions, layouts = choice_questions(rows)
    spelled = spelled_questions(questions, range(count))
    templated = templated_prompts(questions, range(count), layouts)
    paraphrased: Iterator[Sequence[ChoiceQuestion]] = repeat(())
    if "paraphrase" in choice_types():
        paraphrased = (
            [question._replace(question=text) for text in texts]
            for question, texts in zip(questions, paraphrases_of(rows, questions, count))
        )
    for layout, by_spelling, by_template, by_paraphrase in zip(layouts, spelled, templated, paraphrased):
        yield [
            *_numbered("spelling", [question.prompt_in(layout) for question in by_spelling]),
            *_numbered("template", by_template),
            *_numbered("paraphrase", [question.prompt_in(layout) for question in by_paraphrase]),
        ]


def _numbered(type: str, prompts: Sequence[str]) -> list[Variant]:
    return [Variant(type, number, {"varied_prompt": prompt}) for number, prompt in enumerate(prompts)]


def choice_questions(rows: Sequence[Row]) -> tuple[list[ChoiceQuestion], list[Layout]]:
    """Return the rows' questions and options, and their layouts: those of the benchmark's own prompts if it has them.

    If such a prompt does not begin with the question, everything before the options is the question. If it does not end
    with the options, all of it is the question, without options.
    """
    found = [_question(row) for row in rows]
    return [question for question, _ in found], [layout for _, layout in found]


def _question(row: Row) -> tuple[ChoiceQuestion, Layout]:
    options = tuple(row["options"])
    if not row["prompt"]:
        return ChoiceQuestion(row["question"], options), PROTOCOL_LAYOUT
    listed = "".join(f"\n{line}" for line in OWN_LAYOUT.lines(options))
    if not row["prompt"].endswith(listed):
        return ChoiceQuestion(row["prompt"], ()), OWN_LAYOUT
    before = row["prompt"].removesuffix(listed)
    question = row["question"] if before.startswith(row["question"]) else before
    return ChoiceQuestion(question, options), OWN_LAYOUT._replace(heading=before.removeprefix(question))


def paraphrases_of(rows: Sequence[Row], questions: Sequence[ChoiceQuestion], count: int) -> Iterator[Sequence[str]]:
    """Yield the first `count` paraphrases of each question. Raises the errors of `paraphrases.paraphrases`."""
    asked = {row["id"]: question.question for row, question in zip(rows, questions)}
    found = paraphrases(rows[0]["benchmark"], asked, count) if rows else {}
    return (found[row["id"]] for row in rows)


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
            expression_variant(number, original, expression) for number, expression in enumerate(expressions)
        ]


def expression_variant(number: int, original: str | None, altered: str | None) -> Variant:
    """Return an altered expression. If the original one begins with a blank, as the study's do, it has outer blanks."""
    if altered is not None and original is not None and original.startswith(" "):
        altered = f" {altered} "
    return Variant("expression", number, {"expression": altered, "original_expression": original})


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
    changed = VisualChange(doc["variation_type"], Region(*region)).image(image) if region else image.convert("RGB")
    return as_jpeg(changed) if doc.get("reencoded") else changed


_VARIED: dict[str, Callable[[Sequence[Row], int], Iterator[list[Variant]]]] = {
    "choice_language": choice_language,
    "referring_language": referring_language,
    "referring_visual": referring_visual,
}


def check_rules(rules: str) -> None:
    """Raise ValueError unless this is a valid value of PIXFOUND_VARIATIONS."""
    check_choice("PIXFOUND_VARIATIONS", rules, ("default", STUDY))


def vary(how: str, count: int, documents: Dataset) -> Dataset:
    """Return a benchmark's documents, each unchanged and in `count` variations per type, with the columns above.

    Raises ValueError if PIXFOUND_VARIATIONS has an invalid value.
    """
    from datasets import Dataset, Features, Value

    from pixfound_tasks.prompts import study_variants

    check_rules(rules := read_setting("PIXFOUND_VARIATIONS"))
    vary_rows = (study_variants.VARIED if rules == STUDY else _VARIED)[how]
    texts = ("variation_type", "varied_prompt", "template", "box_template", "original_expression")
    columns = dict.fromkeys(texts, Value("string"))
    columns |= {"variation": Value("int32"), "region": [Value("int32")], "reencoded": Value("bool")}
    bare = documents.remove_columns("image")
    rows = bare.to_list()
    if rules == STUDY:
        rows = [row | {"provenance": (row["provenance"] or PROVENANCE) | {"variations": STUDY}} for row in rows]
    varied = [
        {
            **row, **dict.fromkeys(columns), "variation_type": variant.type, "variation": variant.number,
            **variant.changes,
        }
        for row, variants in zip(rows, vary_rows(rows, count))
        for variant in (Variant(ORIGINAL, 0, {}), *variants)
    ]  # fmt: skip
    return Dataset.from_list(varied, features=Features({**bare.features, **columns}))


def __getattr__(attribute: str) -> Callable[[Dataset], Dataset]:
    how, _, count = attribute.rpartition("_")
    if how in _VARIED and count in map(str, range(1, MOST + 1)):
        return functools.partial(vary, how, int(count))
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
