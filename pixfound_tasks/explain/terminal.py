"""Prints an explanation in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pixfound_tasks.explain import wording
from pixfound_tasks.explain.explanation import Explanation
from pixfound_tasks.report.console import make_table, printable
from pixfound_tasks.report.formats import NOT_MEASURED
from pixfound_tasks.report.narrow_tables import full_width

_OWN = 5  # cells of a phrase; those of a mask follow


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Prints an explanation, block by block."""
    console.print(Group(*_blocks(explanation, console)))


def _blocks(explanation: Explanation, console: Console) -> Iterator[RenderableType]:
    yield _line("Image", str(explanation.provenance["picture"]))
    yield _line("Find", explanation.expression)
    yield _line("Prompt", explanation.prompt)
    yield Text("")
    yield Padding(_answer(explanation), (0, 0, 0, 2), expand=False)
    yield Text("")
    for said in (wording.verdict(explanation), wording.judgement(explanation), wording.true_mask(explanation)):
        if said:
            yield Text(printable(said), "bold" if said == wording.verdict(explanation) else "")
    if explanation.phrases:
        table = _table(explanation)
        yield table if full_width(console, table) <= console.width else _narrow_table(explanation)


def _line(name: str, value: str) -> Text:
    return Text.assemble((f"{name:<9}", "dim"), printable(value))


def _answer(explanation: Explanation) -> Text:
    """Returns the answer with each phrase in its color and followed by its number, which is kept without color."""
    answer = Text()
    for part in wording.parts(explanation):
        style = "" if part.phrase is None else _style(part.phrase)
        answer.append(printable(part.text), style)
        if part.phrase is not None:
            answer.append(f"[{part.phrase + 1}]", "dim")
    return answer if answer else Text("(an empty answer)", "dim")


def _style(phrase: int) -> Style:
    color = wording.color_of(phrase)
    return Style(color=color.ink, bgcolor=color.ground, bold=True)


def _table(explanation: Explanation) -> Table:
    has_target = any(each.ious for each in explanation.phrases)
    headings = (
        "",
        "phrase",
        "tokens",
        "point",
        "similarity",
        "mask",
        "score",
        "area",
        *(["IoU"] if has_target else []),
    )
    table = make_table(*headings, "", named=2)
    table.columns[1].overflow = "fold"
    table.columns[-1].justify = "left"
    for index in range(len(explanation.phrases)):
        for row in _rows(explanation, index, has_target):
            table.add_row(*row)
        table.add_section()
    return table


def _narrow_table(explanation: Explanation) -> Table:
    """Returns the table with all that is said of a phrase in one column, for 80 characters a line."""
    has_target = any(each.ious for each in explanation.phrases)
    table = make_table("", "phrase", "mask", "score", "area", *(["IoU"] if has_target else []), "", named=2)
    table.columns[1].overflow = "fold"
    table.columns[-1].justify = "left"
    for index in range(len(explanation.phrases)):
        rows = list(_rows(explanation, index, has_target))
        number, phrase, tokens, point, similarity = rows[0][:_OWN]
        said = f"tokens {tokens}\npoint {point}\nsimilarity {similarity}"
        masks = (
            Text("\n").join(Text.assemble(cell) for cell in column) for column in zip(*(row[_OWN:] for row in rows))
        )
        table.add_row(number, Text.assemble(phrase, "\n", (said, "dim")), *masks)
        table.add_section()
    return table


def _rows(explanation: Explanation, index: int, has_target: bool) -> Iterator[list[str | Text]]:
    """Yields one row per candidate mask; the first one also has the phrase's own cells."""
    found = explanation.phrases[index]
    phrase = found.phrase
    point = "{:.2f}, {:.2f}".format(*phrase.point) if phrase.point else "none"
    similarity = NOT_MEASURED if phrase.similarity is None else f"{phrase.similarity:.2f}"
    own: list[str | Text] = [
        Text(f" {index + 1} ", _style(index)),
        Text(printable(phrase.text)),
        wording.tokens(phrase),
        point,
        similarity,
    ]
    if not phrase.candidates:
        yield [*own, *[""] * (3 + has_target), "no mask"]
    for number, candidate in enumerate(phrase.candidates):
        iou = [f"{found.ious[number]:.2f}" if found.ious else ""] if has_target else []
        labels = wording.labels(explanation, index, number)
        arrow = "\N{LEFTWARDS ARROW} " if "selected" in labels else ""
        said = arrow + ", ".join(wording.LABELS[label] for label in labels)
        numbers = [str(number + 1), f"{candidate.score:.2f}", wording.area(candidate.mask), *iou]
        yield [*(own if number == 0 else [""] * len(own)), *numbers, Text(said, "bold")]
