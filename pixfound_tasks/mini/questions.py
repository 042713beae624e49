"""Choice questions about scenes, with their answers, and what each of them refers to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pixfound_tasks.mini.references import Reference, absent_thing, plural, to_kind, to_part, to_thing
from pixfound_tasks.mini.scenes import Scene, overlap, pick
from pixfound_tasks.mini.things import COLORS, EXTRA_PART, FORMS, LETTERS, SECOND_PART, STATES, VIEWS, Thing
from pixfound_tasks.prompts.text import choice_question

# Options always come in this order. A model this small learns choice questions only if the order is canonical.
_ORDER = (
    *COLORS, "left", "right", "top", "bottom", "yes", "no", "one", "two", "three", "above", "below", "to the left of",
    "to the right of", "in front of", "behind", "open", "closed", "full", "empty", "on", "off", "flat", "pointed",
    "plain", "striped", "round", "square", "from the side", "from the front", "from above", *LETTERS,
)  # fmt: skip
_NUMBERS = ("no", "one", "two", "three")


class Question(NamedTuple):
    """A question with two options in canonical order. `right` is the index of the correct one."""

    text: str
    options: tuple[str, str]
    right: int
    sentence: str
    reference: Reference

    @property
    def letter(self) -> str:
        return "AB"[self.right]

    @property
    def choice_prompt(self) -> str:
        return choice_question(self.text, self.options)

    @property
    def options_text(self) -> str:
        return f"(a) {self.options[0]} (b) {self.options[1]}"


def _question(text: str, right: str, wrong: str, sentence: str, reference: Reference) -> Question:
    first, second = sorted((right, wrong), key=_ORDER.index)
    options = (first[0].upper() + first[1:], second[0].upper() + second[1:])
    return Question(text, options, [first, second].index(right), sentence, reference)


# One function per topic. It returns the question about the thing with this index, or None if it makes no sense. The
# last argument is what is asked about besides: an incorrect color or letter, or the index of another thing.


def _ask_side(scene: Scene, index: int, _: Any) -> Question | None:
    thing = scene.things[index]
    if abs(2 * thing.cx - 8 * scene.width) < 2 * scene.width:
        return None
    right, wrong = ("left", "right") if 2 * thing.cx < 8 * scene.width else ("right", "left")
    text = f"Is the {thing.name} on the left or right side of the image?"
    return _question(
        text, right, wrong, f"The {thing.name} is on the {right} side of the image.", to_thing(thing, index)
    )


def _ask_height(scene: Scene, index: int, _: Any) -> Question | None:
    thing = scene.things[index]
    if abs(2 * thing.cy - 8 * scene.height) < 2 * scene.height:
        return None
    right, wrong = ("top", "bottom") if 2 * thing.cy < 8 * scene.height else ("bottom", "top")
    text = f"Is the {thing.name} at the top or bottom of the image?"
    return _question(text, right, wrong, f"The {thing.name} is at the {right} of the image.", to_thing(thing, index))


def _ask_beside(scene: Scene, index: int, other: int) -> Question | None:
    return _ask_relation(scene, index, other, "cx", ("to the left of", "to the right of"))


def _ask_above(scene: Scene, index: int, other: int) -> Question | None:
    return _ask_relation(scene, index, other, "cy", ("above", "below"))


def _ask_relation(scene: Scene, index: int, other: int, axis: str, words: tuple[str, str]) -> Question | None:
    a, b = scene.things[index], scene.things[other]
    if abs(getattr(a, axis) - getattr(b, axis)) < 180:
        return None
    right, wrong = words if getattr(a, axis) < getattr(b, axis) else words[::-1]
    text = f"Is the {a.name} {words[0]} or {words[1]} the {b.name}?"
    return _question(text, right, wrong, f"The {a.name} is {right} the {b.name}.", to_thing(a, index))


def _ask_front(scene: Scene, index: int, other: int) -> Question | None:
    a, b = scene.things[index], scene.things[other]
    if not overlap(a, b):
        return None
    right, wrong = ("in front of", "behind") if index > other else ("behind", "in front of")
    text = f"Is the {a.name} in front of or behind the {b.name}?"
    return _question(text, right, wrong, f"The {a.name} is {right} the {b.name}.", to_thing(a, index))


def _ask_color(scene: Scene, index: int, wrong: str) -> Question | None:
    thing = scene.things[index]
    if scene.count(thing.kind) != 1 or wrong == thing.color:
        return None
    text = f"What is the color of the {thing.kind}?"
    reference = Reference(f"the {thing.kind}", (index,))
    return _question(text, thing.color, wrong, f"The {thing.kind} is {thing.color}.", reference)


def _ask_part_color(scene: Scene, index: int, wrong: str) -> Question | None:
    thing = scene.things[index]
    part = SECOND_PART.get(thing.kind)
    if part is None or wrong == thing.second or not scene.is_clear(index):
        return None
    text = f"What is the color of the {part} of the {thing.name}?"
    sentence = f"The {part} of the {thing.name} is {thing.second}."
    return _question(text, thing.second, wrong, sentence, to_part(thing, index, part))


def ask_presence(scene: Scene, thing: Thing) -> Question:
    """Return the question whether a thing is in a scene. It may be absent."""
    text = f"Is there a {thing.name} in the image?"
    found = tuple(i for i, other in enumerate(scene.things) if other.name == thing.name)
    reference = Reference(f"the {thing.name}", found)
    if found:
        return _question(text, "yes", "no", f"Yes, there is a {thing.name} in the image.", reference)
    return _question(text, "no", "yes", f"No, there is no {thing.name} in the image.", reference)


def _ask_presence(scene: Scene, index: int, absent: Thing | None) -> Question:
    return ask_presence(scene, absent or scene.things[index])


def _ask_extra(scene: Scene, index: int, _: Any) -> Question | None:
    thing = scene.things[index]
    part = EXTRA_PART.get(thing.kind)
    if part is None or not scene.is_clear(index):
        return None
    text, reference = f"Does the {thing.name} have a {part}?", to_part(thing, index, part)
    if thing.extra:
        return _question(text, "yes", "no", f"Yes, the {thing.name} has a {part}.", reference)
    return _question(text, "no", "yes", f"No, the {thing.name} has no {part}.", reference)


def _ask_count(scene: Scene, index: int, wrong: int) -> Question | None:
    kind = scene.things[index].kind
    count = scene.count(kind)
    if count == wrong or count >= len(_NUMBERS):
        return None
    text = f"How many {plural(kind)} are there in the image?"
    sentence = f"There {'is' if count == 1 else 'are'} {_NUMBERS[count]} {kind if count == 1 else plural(kind)}."
    return _question(text, _NUMBERS[count], _NUMBERS[wrong], sentence, to_kind(scene, kind))


def _ask_facing(scene: Scene, index: int, _: Any) -> Question | None:
    thing = scene.things[index]
    right, wrong = ("right", "left") if thing.faces_right else ("left", "right")
    if not scene.is_clear(index) or thing.kind not in ("car", "fish", "cup"):
        return None
    if thing.kind == "cup":
        text, sentence = "Is the handle of the {} on the left or right?", "The handle of the {} is on the {}."
        visible, reference = thing.extra, to_part(thing, index, "handle")
    else:
        text, sentence = "Is the {} facing left or right?", "The {} is facing {}."
        visible, reference = thing.kind == "fish" or not thing.view, to_thing(thing, index)
    return _question(text.format(thing.name), right, wrong, sentence.format(thing.name, right), reference) if visible \
        else None  # fmt: skip


def _ask_state(scene: Scene, index: int, _: Any) -> Question | None:
    return _ask_value(scene, index, STATES, "state", of_house="door")


def _ask_form(scene: Scene, index: int, _: Any) -> Question | None:
    return _ask_value(scene, index, FORMS, "form", of_house="roof")


def _ask_value(
    scene: Scene, index: int, names: dict[str, tuple[str, str]], field: str, of_house: str
) -> Question | None:
    """Return the question which of two values a field has. Of a house, it is about the part `of_house`."""
    thing = scene.things[index]
    if thing.kind not in names or not scene.is_clear(index):
        return None
    what, reference = thing.name, to_thing(thing, index)
    if thing.kind == "house":
        what, reference = f"{of_house} of the {thing.name}", to_part(thing, index, of_house)
    values, value = names[thing.kind], getattr(thing, field)
    first, second = sorted(values, key=_ORDER.index)
    text = f"Is the {what} {first} or {second}?"
    return _question(text, values[value], values[not value], f"The {what} is {values[value]}.", reference)


def _ask_view(scene: Scene, index: int, _: Any) -> Question | None:
    thing = scene.things[index]
    if thing.kind not in VIEWS or not scene.is_clear(index):
        return None
    values = tuple("from above" if view == "above" else f"from the {view}" for view in VIEWS[thing.kind])
    right, wrong = values[thing.view], values[not thing.view]
    text = f"Is the {thing.name} seen {values[0]} or {values[1]}?"
    return _question(text, right, wrong, f"The {thing.name} is seen {right}.", to_thing(thing, index))


def _ask_letter(scene: Scene, index: int, wrong: str) -> Question | None:
    thing = scene.things[index]
    if thing.kind != "sign" or wrong == thing.letter or not scene.is_clear(index):
        return None
    text, sentence = f"Which letter is on the {thing.name}?", f"The letter on the {thing.name} is {thing.letter}."
    reference = Reference(f"the letter on the {thing.name}", (index,), "letter")
    return _question(text, thing.letter, wrong, sentence, reference)


ASKERS: dict[str, Callable[[Scene, int, Any], Question | None]] = {
    "extra": _ask_extra,
    "presence": _ask_presence,
    "side": _ask_side,
    "height": _ask_height,
    "beside": _ask_beside,
    "above": _ask_above,
    "front": _ask_front,
    "state": _ask_state,
    "color": _ask_color,
    "part color": _ask_part_color,
    "view": _ask_view,
    "count": _ask_count,
    "facing": _ask_facing,
    "form": _ask_form,
    "letter": _ask_letter,
}


def sample_question(scene: Scene, rng: np.random.RandomState) -> Question:
    """Draw a question on a random topic. Half of the presence questions are about an absent thing."""
    while True:
        topic, index = pick(rng, list(ASKERS)), int(rng.randint(len(scene.things)))
        question = ASKERS[topic](scene, index, _alternative(topic, scene, index, rng))
        if question:
            return question


def _alternative(topic: str, scene: Scene, index: int, rng: np.random.RandomState) -> Any:
    """Draw what a question on this topic is about besides the thing itself."""
    if topic in ("beside", "above", "front"):
        return pick(rng, [i for i in range(len(scene.things)) if i != index])
    if topic in ("color", "part color"):
        return pick(rng, list(COLORS))
    if topic == "letter":
        return pick(rng, list(LETTERS))
    if topic == "count":
        return pick(rng, (1, 2, 3))
    return absent_thing(scene, rng) if topic == "presence" and rng.randint(2) else None
