"""Proves the geometry of a model's image tokens over several image sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pixfound_tasks.attention.geometry import Size
from pixfound_tasks.attention.geometry_source import described
from pixfound_tasks.attention.lens import Lens
from pixfound_tasks.attention.measured.comparison import Deviation, deviation
from pixfound_tasks.attention.measured.measure import Measurement


@dataclass(frozen=True)
class Proof:
    """The geometry of a prompt's image of one size, measured and compared with the registered rule.

    Attributes:
        size: (height, width) of the image.
        measurement: what was measured, None if nothing could be.
        off: how far the rule is from it; a text if they cannot be compared, None without a rule.
        fault: why nothing could be measured, or "".
        tolerance: the deviation in pixels that is accepted.
    """

    size: Size
    measurement: Measurement | None
    off: Deviation | str | None
    fault: str
    tolerance: float

    @property
    def is_proved(self) -> bool:
        """Whether the geometry was measured, and the rule, if there is one, agrees with it."""
        if self.measurement is None or isinstance(self.off, str):
            return False
        return self.off is None or not (self.off.missing or self.off.extra or self.off.pixels > self.tolerance)

    def __str__(self) -> str:
        height, width = self.size
        line = f"{'ok' if self.is_proved else 'WRONG':5} {height} x {width}:"
        if self.measurement is None:
            return f"{line} {self.fault}"
        (geometry,), cost = self.measurement.geometries, self.measurement.cost
        placed = int((geometry.boxes[:, 0] == geometry.boxes[:, 0]).sum())
        if (reading := self.measurement.reading) is None:
            line += f" {len(geometry.boxes)} image tokens, {placed} with a place, by {self.measurement.how}; "
        else:
            line += (
                f" {reading.tokens} image tokens with no place of their own, which read {placed} patches with a place, "
                f"by {self.measurement.how}; "
            )
        if isinstance(self.off, Deviation) and not (self.off.missing or self.off.extra):
            line += f"largest deviation {self.off.pixels:.2f} px ({self.off.boxes:.1%} of a side)"
        else:
            line += "no rule to compare with" if self.off is None else described(self.off)
        return (
            f"{line}; {cost.forwards} forward and {cost.backwards} backward passes of the vision part, "
            f"{cost.calls} calls of the processor, {cost.seconds:.2f} s"
        )


def prove_sizes(lens: Lens, sizes: Sequence[Size], tolerance: float) -> Iterator[Proof]:
    """Yield a proof for a prompt with one image of each size.

    Args:
        lens: the model and its processor.
        sizes: (height, width) of the images.
        tolerance: the deviation in pixels that is accepted.
    """
    for size in sizes:
        try:
            measurement = lens.measure_geometry([size])
        except Exception as error:  # also those of processors, which some sizes break
            yield Proof(size, None, None, f"{type(error).__name__}: {' '.join(str(error).split())}", tolerance)
            continue
        off: Deviation | str | None = None
        if lens.has_rule:
            try:
                off = deviation(measurement.geometries, lens.registered_geometry([size]))
            except ValueError as error:
                off = str(error)
        yield Proof(size, measurement, off, "", tolerance)


def parse_sizes(text: str) -> list[Size]:
    """Return the sizes that a text such as "480x640,7x1000" names, as (height, width).

    Raises:
        ValueError: if it is no such text.
    """
    found = []
    for part in text.split(","):
        height, _, width = part.strip().lower().partition("x")
        if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
            raise ValueError(f"expected sizes as HEIGHTxWIDTH in pixels, such as 480x640,7x1000, but got {part!r}")
        found.append((int(height), int(width)))
    return found
