"""Formats numbers and names outcomes, for the terminal and the page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixfound_tasks.analysis.intervals import Interval

NOT_MEASURED = "\N{EN DASH}"
OUTCOME_NAMES = {
    "both_right": "Both right",
    "vqa_only_failure": "VQA-only failure",
    "grounding_only_failure": "Grounding-only failure",
    "both_wrong": "Both wrong",
}
SCORE_FIELDS = {  # heading -> field of a summary; columns without any value are left out
    "A\N{DAGGER}": "open_answering",
    "A": "answering",
    "accuracy": "accuracy",
    "M\N{DAGGER}": "open_grounding",
    "M": "grounding",
    "oracle": "oracle_miou",
    "chance": "chance_miou",
    "S": "score",
}
SCORE_NAMES = {  # field of a summary -> its name in comparisons
    "open_answering": "A\N{DAGGER}",
    "open_accuracy": "accuracy\N{DAGGER}",
    "answering": "A",
    "accuracy": "accuracy",
    "open_grounding": "M\N{DAGGER}",
    "grounding": "M",
    "oracle_miou": "oracle",
    "score": "S",
}
KIND_NAMES = {"pattern": "visual pattern", "source": "source of the images", "task": "task"}
TASK_NAMES = {
    "vqa_lang": "wording of questions",
    "ground_lang": "wording of referring prompts",
    "ground_visual": "images",
}
EDIT_NAMES = {  # what was changed in an image
    "evidence": "target region masked",
    "control": "equal region elsewhere masked",
    "crop": "cropped",
    "mask_out": "black rectangle",
}


def is_measured(value: float) -> bool:
    """Whether a value was measured; NaN means that it was not."""
    return not math.isnan(value)


def percent(share: float) -> str:
    """Formats a fraction in 0..1 as a percentage with one decimal."""
    return f"{100 * share:.1f}" if is_measured(share) else NOT_MEASURED


def between(interval: Interval | None, before: str = "") -> str:
    """Formats a 95 % interval in percent, without decimals; "" if there is no interval."""
    if interval is None or not is_measured(interval.low):
        return ""
    to = "\N{EN DASH}" if interval.low >= 0 else " to "  # a dash next to a minus sign is ambiguous
    return f"{before}{100 * interval.low:.0f}{to}{100 * interval.high:.0f}"


def number(value: float) -> str:
    """Formats a number with one decimal."""
    return f"{value:.1f}" if is_measured(value) else NOT_MEASURED


def signed(difference: float) -> str:
    """Formats a difference of fractions in percentage points with one decimal and its sign."""
    return f"{100 * difference:+.1f}" if is_measured(difference) else NOT_MEASURED


def p_value(value: float) -> str:
    """Formats a p-value with three decimals."""
    if not is_measured(value):
        return NOT_MEASURED
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def one_line(text: str, length: int | None = None) -> str:
    """Makes untrusted text safe for one line of a terminal, cut to `length` characters.

    Characters that are not printable, such as control characters, are replaced by U+FFFD.
    """
    plain = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return plain if length is None or len(plain) <= length else plain[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"
