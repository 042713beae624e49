"""The wording of the three protocols (PixFoundation, arXiv 2502.04192)."""

from __future__ import annotations

from collections.abc import Sequence

from pixfound_tasks.choices import check_choice

CHOICE_INSTRUCTION = "Answer with the option's letter from the given choices directly."

# Protocol 1, by the kind of model. The study's script for RGA3 requests one sentence.
OPEN = {
    "plain": "{question} {options}",
    "rga3": "{question} {options} Answer the question. Please answer in one sentence.",
}
# Protocol 3, by the kind of model that is prompted with a referring expression.
REFERRING = {
    "attention": "Identify {expr} in the scene.",
    "mask": "Can you please segment {expr} in the given image",
    "grounded": "Can you identify {expr} in this image? (with grounding)",
    "box": (
        "Locate the {expr} and output all the coordinates in JSON format for a tight bounding box surrounding the "
        "object. If the object does not exist in the image dont generate any boxes."
    ),
    "point": "Point to the {expr}, output its coordinates in point-format as JSON",
    "phrase": "{expr}",
    # The study's wordings for single models.
    "llava_box": "Output bounding box for the {expr}.",
    "lisa": "Can you segment {expr} in this image?",
    # Sa2VA's own evaluations, which the study does not have.
    "sa2va": "Please segment {expr} in this image.",
}
# The kinds that prompt for numbers, and for which.
COORDINATES = {"box": "box", "llava_box": "box", "point": "point"}


def check_open_kind(kind: str) -> None:
    """Raise ValueError unless `kind` is a key of `OPEN`."""
    check_choice("the kind of open question (PIXFOUND_OPENKIND)", kind, OPEN)


def open_question(question: str, options: str, kind: str = "plain") -> str:
    """Return the prompt of protocol 1: the question and its options as the benchmark writes them.

    The options are a text such as `(a) Open (b) Closed`. Raises ValueError unless `kind` is a key of `OPEN`.
    """
    check_open_kind(kind)
    return OPEN[kind].format(question=question, options=options)


def choice_question(question: str, options: Sequence[str]) -> str:
    """Return the prompt of protocol 2: the question, one line per option (lettered from A), and the instruction."""
    lines = [f"{chr(ord('A') + index)}. {option}" for index, option in enumerate(options)]
    return "\n".join([f"{question} Options:", *lines, CHOICE_INSTRUCTION])


def check_kind(kind: str) -> None:
    """Raise ValueError unless `kind` is a key of `REFERRING`."""
    check_choice("the kind of referring prompt", kind, REFERRING)


def referring_prompt(expression: str, kind: str = "attention") -> str:
    """Return the prompt of protocol 3 in the wording of one kind.

    Raises ValueError unless `kind` is a key of `REFERRING`.
    """
    check_kind(kind)
    return REFERRING[kind].format(expr=expression)
