"""Requirements such as `pixmini.score>=0.3`: a task or group, a metric, an operator and a fraction."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import NamedTuple

from pixfound_tasks.protocols import is_own_name

TOLERANCE = 1e-9  # for rounding errors: 0.1 + 0.2 must equal 0.3
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_FORM = re.compile(
    r"(?P<task>[^\s<>=]+)\.(?P<metric>[^\s<>=.]+)\s*(?P<operator>>=|<=|==|>|<)\s*"
    r"(?P<bound>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
)


class InvalidRequirement(ValueError):
    """Raised if a requirement cannot be parsed, or if its bound is outside the metric's range."""


class Requirement(NamedTuple):
    """A parsed requirement. `text` is the original text; `metric` may include its filter, as in `score,none`."""

    text: str
    task: str
    metric: str
    operator: str
    bound: float

    def holds(self, value: float) -> bool:
        """Whether a value meets the requirement. Values within `TOLERANCE` of the bound count as equal to it."""
        if math.isclose(value, self.bound, rel_tol=0, abs_tol=TOLERANCE):
            return "=" in self.operator
        return _OPERATORS[self.operator](value, self.bound)


def read_requirement(text: str) -> Requirement:
    """Parses a requirement.

    Raises `InvalidRequirement` if the text has another form, or if a bound on a metric of this package is above 1
    (these metrics are fractions).
    """
    match = _FORM.fullmatch(text.strip())
    if not match:
        raise InvalidRequirement(
            f"expected TASK.METRIC, one of {' '.join(_OPERATORS)}, and a number, such as pixmini.score>=0.3, "
            f"but got {text!r}"
        )
    bound = float(match["bound"])
    if is_own_name(match["task"]) and abs(bound) > 1:
        raise InvalidRequirement(
            f"expected a fraction in 0..1 in {text!r}, but got {bound:g}; if you mean percent, "
            f"write {match['task']}.{match['metric']}{match['operator']}{bound / 100:g}"
        )
    return Requirement(text.strip(), match["task"], match["metric"], match["operator"], bound)
