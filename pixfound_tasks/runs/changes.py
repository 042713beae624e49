"""What changed in the answers of tasks that prompt several times per document: the original beside each variation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pixfound_tasks.prompts.evidence import masked
from pixfound_tasks.prompts.variants import ORIGINAL
from pixfound_tasks.prompts.visual_variants import Region, VisualChange
from pixfound_tasks.runs.repeated import EVIDENCE
from pixfound_tasks.runs.run import RepeatedSample, Run

if TYPE_CHECKING:
    from PIL.Image import Image

PLAIN = "plain"  # the unchanged image of the evidence task
GOOD = 0.5  # an answer with a mask is good if its IoU is above this


class Change(NamedTuple):
    """One variation of a document, or one changed image, beside the original.

    `task` is the suffix of the task's name, and `type` and `variation` name the variation (0 for evidence). `before`
    and `after` are the samples. Values are 1 or 0 for a correct or incorrect answer, an IoU in 0..1, or None if nothing
    was measured; for evidence, the number of the chosen option.
    """

    task: str
    type: str
    variation: int
    before: RepeatedSample
    after: RepeatedSample

    @property
    def values(self) -> tuple[float | None, float | None]:
        return _value(self.before), _value(self.after)

    @property
    def is_flip(self) -> bool:
        """Whether the answer is another one (evidence), or is correct or grounded in only one of the two."""
        before, after = self.values
        if None in (before, after):
            return False
        if self.task == EVIDENCE:
            return before != after
        return _is_good(before) != _is_good(after)


def changes(run: Run) -> Iterator[Change]:
    """Yields every variation of every document beside its original, by task, type, variation and document."""
    for task, samples in run.repeated.items():
        originals = {sample.id: sample for sample in samples if _name(task, sample)[0] in (ORIGINAL, PLAIN)}
        varied = [sample for sample in samples if sample.id in originals and sample is not originals[sample.id]]
        for sample in sorted(varied, key=lambda sample: _name(task, sample)):
            type, variation = _name(task, sample)
            yield Change(task, type, variation, originals[sample.id], sample)


def edited(image: Image, sample: RepeatedSample) -> Image | None:
    """Returns a document's image (RGB) as the model saw it in this sample; None if it was not changed.

    Is also None if the change does not fit the image, which then is another one than the run's.
    """
    edit = sample.edit
    if edit is None:
        return None
    if edit.painted is not None:
        is_same_size = tuple(edit.painted["size"]) == image.size[::-1]
        return masked(image, edit.painted) if is_same_size else None
    if edit.region is None or edit.region[2] > image.width or edit.region[3] > image.height:
        return None
    return VisualChange(edit.kind, Region(*edit.region)).image(image)


def _name(task: str, sample: RepeatedSample) -> tuple[str, int]:
    """The type and number of a sample's variation."""
    return (str(sample.score[1]), 0) if task == EVIDENCE else (str(sample.score[0]), int(sample.score[1]))


def _value(sample: RepeatedSample) -> float | None:
    value = sample.score[2]
    value = value[1] if isinstance(value, list) else value
    return None if value is None or value != value else float(value)


def _is_good(value: float | None) -> bool:
    return value is not None and value > GOOD
