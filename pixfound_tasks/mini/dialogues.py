"""The training data of the embedded models: prompts about a scene, each with its only correct answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pixfound_tasks.mini.questions import sample_question
from pixfound_tasks.mini.references import Reference, absent_thing, plural, to_kind
from pixfound_tasks.mini.scenes import Scene, pick
from pixfound_tasks.mini.things import COLORS, EXTRA_PART, FORMS, KINDS, PARTS, SECOND_PART, STATES, VIEWS, Thing
from pixfound_tasks.prompts.text import open_question, referring_prompt

SEGMENT = "It is [SEG]."  # the answer of the model that is trained with masks


class Dialogue(NamedTuple):
    """A prompt and its correct answer. `target` is what the answer's `[SEG]` stands for."""

    prompt: str
    answer: str
    target: Reference | None = None


def refer(scene: Scene, rng: np.random.RandomState) -> Reference:
    """Draw a referring expression that matches one thing, one part, or all things of a kind, present or absent."""
    index, draw = int(rng.randint(len(scene.things))), int(rng.randint(100))
    thing = scene.things[index]
    if draw < 10:
        return Reference(f"the {absent_thing(scene, rng).name}", ())
    if draw < 20:
        return to_kind(scene, thing.kind)
    if draw < 30 and scene.count(thing.kind) == 1:
        return Reference(f"the {thing.kind}", (index,))
    if draw < 60 and scene.is_clear(index):
        part = pick(rng, PARTS[thing.kind])
        link = "on" if part == "letter" else "of"
        return Reference(f"the {part} {link} the {thing.name}", (index,) if thing.has(part) else (), part)
    return Reference(f"the {thing.name}", (index,))


def describe(scene: Scene, reference: Reference) -> str:
    """Return the sentence that says where the things are that an expression refers to, or that they are absent."""
    if not reference.things:
        if reference.part:
            name = reference.expression.split(" of the ")[-1]
            return f"The {name} has no {reference.part}."
        return f"There is no {reference.expression.removeprefix('the ')} in the scene."
    first = scene.things[reference.things[0]]
    if reference.part:
        color = f"{first.second} " if SECOND_PART.get(first.kind) == reference.part else ""
        link = "on" if reference.part == "letter" else "of"
        return f"The {color}{reference.part} {link} the {first.name} is {scene.place(first)}."
    if reference.expression == f"the {plural(first.kind)}" and (len(reference.things) > 1 or first.kind != "fish"):
        found = sorted((scene.things[i] for i in reference.things), key=lambda thing: (thing.cx, thing.cy))
        return "There is " + " and ".join(f"a {thing.name} {scene.place(thing)}" for thing in found) + "."
    return describe_thing(scene, first)


def describe_thing(scene: Scene, thing: Thing) -> str:
    """Return a sentence that says where a thing is, in one of four wordings.

    The thing's color and kind decide the wording, so that there is only one correct answer.
    """
    place = scene.place(thing)
    at_place = place[0].upper() + place[1:]
    others = [other for other in scene.things if other is not thing]
    nearest = min(others, key=lambda other: (other.cx - thing.cx) ** 2 + (other.cy - thing.cy) ** 2, default=None)
    beside = f", next to a {nearest.name}" if nearest else ""
    style = (list(COLORS).index(thing.color) + KINDS.index(thing.kind)) % 3
    if style == 0:
        return f"The {thing.name} is {place}{beside}."
    if style == 1:
        return f"{at_place} there is a {thing.name}{beside}."
    return f"It is the {thing.name} {place}."


def describe_look(thing: Thing) -> str:
    """Return a sentence with all properties of a thing that can be seen."""
    said = []
    if thing.kind in VIEWS:
        view = VIEWS[thing.kind][thing.view]
        said.append("is seen from above" if view == "above" else f"is seen from the {view}")
    if thing.kind == "fish" or (thing.kind == "car" and not thing.view):
        said.append(f"is facing {'right' if thing.faces_right else 'left'}")
    if thing.kind in ("cup", "lamp"):
        said.append(f"is {STATES[thing.kind][thing.state]}")
    if thing.kind in ("fish", "sign"):
        said.append(f"is {FORMS[thing.kind][thing.form]}")
    if thing.kind == "house":
        said.append(f"has a {FORMS['house'][thing.form]} {thing.second} roof")
        said.append(f"has a door that is {STATES['house'][thing.state]}")
    if thing.kind in ("lamp", "fish"):
        said.append(f"has a {thing.second} {SECOND_PART[thing.kind]}")
    if thing.kind == "sign":
        said.append(f"has the letter {thing.letter}")
    if thing.kind in EXTRA_PART:
        part = EXTRA_PART[thing.kind]
        where = f" on the {'right' if thing.faces_right else 'left'}" if part == "handle" else ""
        said.append(f"has a {part}{where}" if thing.extra else f"has no {part}")
    return f"The {thing.name} {' and '.join(said)}."


def _identify(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    reference = refer(scene, rng)
    return Dialogue(referring_prompt(reference.expression), describe(scene, reference))


def segment(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    """Draw a prompt for a mask, in one of two wordings. If the thing is absent, the answer says so."""
    reference = refer(scene, rng)
    prompt = referring_prompt(reference.expression, pick(rng, ("lisa", "mask")))
    if not reference.things:
        return Dialogue(prompt, describe(scene, reference))
    return Dialogue(prompt, SEGMENT, reference)


def _what_is_where(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    thing = pick(rng, scene.things)
    place = scene.place(thing)
    found = sorted((t for t in scene.things if scene.place(t) == place), key=lambda each: (each.cx, each.cy))
    named = " and ".join(f"a {each.name}" for each in found)
    return Dialogue(f"What is {place}?", f"{named[0].upper()}{named[1:]}.")


def _look(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    index = int(rng.randint(len(scene.things)))
    thing = scene.things[index]
    if not scene.is_clear(index):
        return _identify(scene, rng)
    return Dialogue(f"Describe the {thing.name}.", describe_look(thing))


def _describe_scene(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    things = sorted(scene.things, key=lambda thing: (thing.cx, thing.cy))
    listing = ", ".join(f"a {thing.name} {scene.place(thing)}" for thing in things)
    return Dialogue("Describe the scene.", f"The scene shows {listing}.")


def _choice(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    question = sample_question(scene, rng)
    return Dialogue(question.choice_prompt, question.letter)


def _open(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    question = sample_question(scene, rng)
    return Dialogue(open_question(question.text, question.options_text), question.sentence)


def _brief(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    """A question without options. The answer is one of them and little else, so that many fit into a sequence."""
    question = sample_question(scene, rng)
    return Dialogue(question.text, f"{question.options[question.right]}.")


def _match_text(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    """A helper task for choice questions. The prompt contains the answer, and the model only has to find its letter."""
    question = sample_question(scene, rng)
    return Dialogue(f"{question.sentence} {question.choice_prompt}", question.letter)


TASKS: dict[str, Callable[[Scene, np.random.RandomState], Dialogue]] = {
    "identify": _identify,
    "where": _what_is_where,
    "look": _look,
    "describe": _describe_scene,
    "choice": _choice,
    "open": _open,
    "brief": _brief,
    "match": _match_text,
}


def sample_dialogues(scene: Scene, rng: np.random.RandomState, shares: dict[str, float], count: int) -> list[Dialogue]:
    """Draw `count` prompts with their answers. `shares` maps tasks to their probabilities, which add up to 1."""
    tasks = rng.choice(list(shares), size=count, p=list(shares.values()))
    return [TASKS[task](scene, rng) for task in tasks]
