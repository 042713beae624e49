"""Shows candidate masks to a judge, a multimodal model, which selects the one that highlights the object best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pixfound_tasks import masks
from pixfound_tasks.grounding.judge_replies import chosen_number, read_presence
from pixfound_tasks.judges.base import Judge, JudgeDown, NoReply, OneImageOnly, check_images
from pixfound_tasks.judges.thinking import whole_reply
from pixfound_tasks.masks import Rle
from pixfound_tasks.response import Candidate, Phrase, Selection, all_candidates
from pixfound_tasks.response.final_answer import final_answer

if TYPE_CHECKING:
    from pixfound_tasks.attention import Lens

# The wording of PixFoundation's scripts.
PRESENCE = "Does this image have {}? Answer yes/no only."
CHOICE = (
    "Select the image that has {} best highlighted in red color than the others? "
    "Answer with a number from 1 to {}. Mention the number only."
)
MOST_IMAGES = 24  # per question
_RED = (255, 0, 0)
_LONGEST_REPLY = 200  # characters that the notes keep
_LONGEST_SIDE = 2048  # pixels, of a contact sheet


class Judged(NamedTuple):
    """A judge's selection, None if the judge was down, and notes on how it was made.

    `notes` contains the judge's `name`, the `status` ("chosen", "absent", "only candidate", "no candidates", "unread:
    first candidate" or "down: similarity") and the `exchanges` (prompt, number of images, final answer). It contains
    the `reason` if the judge was down, and `presence` if its first reply says neither yes nor no ("unread: counts as
    yes") or both ("conflicting: counts as yes"). It contains `sheet`, the judge's refusal of several images, if the
    judge saw the candidates on one contact sheet.
    """

    selection: Selection | None
    notes: dict[str, Any]


def select_by_judge(phrases: Sequence[Phrase], image: Image.Image, expression: str, judge: Judge) -> Judged:
    """Ask whether the image (RGB) has the object and, if so, which candidate of all phrases shows it best.

    The reply "no" means "not there". A reply that says neither "yes" nor "no", or both, counts as "yes". Empty masks
    are not shown, and equal masks are shown once. If there are more than `MOST_IMAGES` candidates, the judge selects
    the best of each group and then the best of these. A reply without a number, with several that conflict, or with one
    out of range selects the first candidate shown. Thinking does not count. Source: PixFoundation, section 3.
    """
    session = JudgeSession(judge)
    candidates = _distinct(phrases)
    try:
        if not candidates:
            return session.end("no candidates", Selection("judge"))
        if not session.confirms(image, expression):
            return session.end("absent", Selection("judge"))
        best = session.best(image, [candidate.mask for *_, candidate in candidates], expression)
    except JudgeDown as down:
        return session.down(down)
    phrase, candidate, _ = candidates[best]
    status = "only candidate" if len(candidates) == 1 else "chosen" if session.is_read else "unread: first candidate"
    return session.end(status, Selection("judge", phrase, candidate))


def _distinct(phrases: Sequence[Phrase]) -> list[tuple[int, int, Candidate]]:
    """Return the candidates that are not empty. Of equal masks, only the first is returned."""
    first: dict[str, tuple[int, int, Candidate]] = {}
    for found in all_candidates(phrases):
        if masks.area(found[2].mask):
            first.setdefault(str(found[2].mask["counts"]), found)
    return list(first.values())


@dataclass
class JudgeSession:
    """The questions about one image, and the notes on them."""

    judge: Judge
    is_read: bool = True
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.notes |= {"name": self.judge.name, "exchanges": []}

    def end(self, status: str, selection: Selection | None) -> Judged:
        return Judged(selection, self.notes | {"status": status})

    def down(self, reason: JudgeDown) -> Judged:
        self.notes["reason"] = str(reason)[:_LONGEST_REPLY]
        return self.end("down: similarity", None)

    def confirms(self, image: Image.Image, expression: str) -> bool:
        """Return False if the judge says that the object is absent, else True."""
        reply = self.ask(PRESENCE.format(expression), [image])
        is_there, problem = read_presence(reply)
        if problem:
            self.notes["presence"] = problem
        return is_there

    def best(self, image: Image.Image, candidates: Sequence[Rle], expression: str) -> int:
        """Return the index of the selected mask. A single mask is selected without a question."""
        left = list(range(len(candidates)))
        while len(left) > 1:
            groups = np.array_split(left, math.ceil(len(left) / MOST_IMAGES))
            left = [
                int(group[self._choose([highlight(image, candidates[i]) for i in group], expression)])
                for group in groups
            ]
        return left[0]

    def _choose(self, images: Sequence[Image.Image], expression: str) -> int:
        reply = self.ask(CHOICE.format(expression, len(images)), images)
        choice = chosen_number(reply, len(images))
        self.is_read = choice is not None  # the last question decides
        return 0 if choice is None else choice - 1

    def ask(self, prompt: str, images: Sequence[Image.Image]) -> str:
        """Return the judge's reply, and note it. A judge of one image sees several on a contact sheet."""
        try:
            reply = self.judge.ask(prompt, images)
        except OneImageOnly as refusal:
            self.notes["sheet"] = str(refusal)[:_LONGEST_REPLY]
            reply = self.judge.ask(prompt, [contact_sheet(images)])
        noted = final_answer(reply, keep_boxes=True).text or reply
        self.notes["exchanges"].append({"prompt": prompt, "images": len(images), "reply": noted[:_LONGEST_REPLY]})
        return reply


def highlight(image: Image.Image, mask: Rle) -> Image.Image:
    """Return the image (RGB) with the mask blended in red at 0.5. The mask has the size of the image."""
    pixels = np.array(image)
    shown = masks.decode(mask)
    pixels[shown] = (pixels[shown].astype(np.uint16) + _RED) // 2
    return Image.fromarray(pixels)


def contact_sheet(images: Sequence[Image.Image]) -> Image.Image:
    """Arrange images (RGB) of one size on one square image, row by row, each below its number, counted from 1.

    The sheet is square because the processors of models that take one image crop other shapes. It is at most 2048
    pixels wide.
    """
    width, height = images[0].size
    strip = max(12, height // 8)

    def side_of(columns: int) -> int:
        return max(columns * width, math.ceil(len(images) / columns) * (height + strip))

    columns = min(range(1, len(images) + 1), key=side_of)
    scale = min(1.0, _LONGEST_SIDE / side_of(columns))
    side = round(scale * side_of(columns))
    sheet = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(scale * strip * 0.8)
    cell = max(1, int(scale * width)), max(1, int(scale * height))
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        x, y = int(scale * column * width), int(scale * row * (height + strip))
        draw.text((x + 2, y), str(index + 1), "black", font)
        sheet.paste(image.resize(cell) if scale < 1 else image, (x, y + int(scale * strip)))
    return sheet


@dataclass(frozen=True)
class LensJudge:
    """The evaluated model as its own judge. Its attention is not recorded.

    It raises `OneImageOnly` for several images if the model was trained on one image at a time, or if the model fails
    on them.
    """

    lens: Lens
    max_new_tokens: int = 16
    name: str = "self"

    def ask(self, prompt: str, images: Sequence[Image.Image] = ()) -> str:
        """Return the greedy reply about one or more images.

        It has at most `max_new_tokens` tokens, or more if the model thinks first. Raises `NoReply` if the model is
        still thinking in the end.
        """
        check_images(self.lens.model.config, images)

        def generate(limit: int) -> tuple[str, int]:
            return self.lens.answer_all([tuple(images)], [prompt], max_new_tokens=limit)[0]

        try:
            return whole_reply(self.name, getattr(self.lens, "processor", None), self.max_new_tokens, generate)
        except NoReply:
            raise
        except Exception as error:
            # Processors and models raise many kinds of errors for input that they do not support.
            if len(images) > 1:
                raise OneImageOnly(f"{type(error).__name__}: {error}") from error
            raise
