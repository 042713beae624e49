"""How numbers and outcomes are written, in the terminal and on the page."""

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
KIND_NAMES = {"pattern": "visual pattern", "source": "source of the images", "task": "task"}
TASK_NAMES = {
    "vqa_lang": "wording of questions",
    "ground_lang": "wording of referring prompts",
    "ground_visual": "pictures",
}


def is_measured(value: float) -> bool:
    """Whether there is a value: NaN stands for none."""
    return not math.isnan(value)


def percent(share: float) -> str:
    """A share in 0..1 in percent, with one decimal."""
    return f"{100 * share:.1f}" if is_measured(share) else NOT_MEASURED


def between(interval: Interval | None, before: str = "") -> str:
    """The ends of a 95 % interval in percent, without decimals; "" where it has none."""
    if interval is None or not is_measured(interval.low):
        return ""
    to = "\N{EN DASH}" if interval.low >= 0 else " to "  # after a minus a dash misleads
    return f"{before}{100 * interval.low:.0f}{to}{100 * interval.high:.0f}"


def number(value: float) -> str:
    """A number with one decimal."""
    return f"{value:.1f}" if is_measured(value) else NOT_MEASURED


def one_line(text: str, length: int | None = None) -> str:
    """Text of others for the terminal, cut to a length: nothing in it moves the cursor or turns the direction."""
    plain = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return plain if length is None or len(plain) <= length else plain[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"
