"""Makes boxes, points and outlines of what the brackets and tags of a reply hold, when they close."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pixfound_tasks.grounding.coordinates.frames import Frame
from pixfound_tasks.grounding.coordinates.names import (
    FIXED_KEYS,
    OTHER_KEYS,
    PLACE_KEY,
    corner_keys,
    is_box_key,
    is_polygon_key,
    layout_of,
)
from pixfound_tasks.grounding.coordinates.syntax import (
    TAGS,
    UNIT,
    Found,
    Pairs,
    join,
    make_found,
    read_fields,
    share_unit,
    with_layout,
)

_BETWEEN_CORNERS = re.compile(r"\s*(?:[,~\u2192]|-+>?|\u2013|\u2014|to|through|\u81f3|\u5230)?\s*$")
LONGEST_GAP = 40  # characters between the corners or axes of a box in a sentence
_MOST_STATEMENTS = 20


@dataclass
class Scan:
    """The result of a scan.

    Attributes:
        found: the places, in order.
        problems: what looks like a place and is none.
        empties: how many empty lists of places or `"found": false` there are.
        is_cut: the reply ends in a bracket or a tag.
        mask_codes: how many of PaliGemma's mask codes there are.
        lost_masks: how many masks came as text without one box to which they belong.
        calls: how many tool calls had places in their arguments, which do not count.
        statements: strings that may say in words that the object is absent.
    """

    found: list[Found | Pairs] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    empties: int = 0
    is_cut: bool = False
    mask_codes: int = 0
    lost_masks: int = 0
    calls: int = 0
    statements: list[str] = field(default_factory=list)


class Collector:
    """Collects the places of a text. `stack` holds its open brackets and tags, the innermost last."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.result = Scan()
        self.stack: list[Frame] = []
        self.pair_end: int | None = None  # the end of the last pair if it may be a box's first corner

    def drop(self, frame: Frame) -> None:
        """Leave a bracket that was not closed. The two corners of a box in it are complete all the same."""
        self.result.empties += 0 if frame.is_call else frame.nothings + frame.denials
        if is_box_key(frame.key) and frame.pairs == 2:
            self.collect_pairs(frame)

    def read_frame(self, frame: Frame, end: int) -> None:
        if frame.is_call:
            return
        before = len(self.result.found)
        if frame.kind == "{":
            self.read_dict(frame)
            self.result.empties += frame.is_empty and not self.stack
        if frame.key not in OTHER_KEYS and (frame.kind != "{" or self.is_set(frame)):
            is_place = PLACE_KEY.search(frame.key or "box") or (self.stack and len(self.stack[-1].keys) == 1)
            self.result.empties += frame.is_empty and frame.kind in "[<" and bool(is_place)
            for group in _joined(frame.groups):
                self.read_group(group, frame, end)
            if frame.kind != "{" and frame.fields:
                self.add(read_fields(frame.fields))
        if frame.pairs > 1 and not frame.has_words and frame.kind in "[(":
            self.collect_pairs(frame)
        self.tell_parent(frame, before)

    def is_set(self, frame: Frame) -> bool:
        """Whether braces hold a box as a list does: `{100, 250, 500, 750}`."""
        return not frame.keys and len(frame.groups) == 1 and len(frame.groups[0]) == 4

    def tell_parent(self, frame: Frame, before: int) -> None:
        """Let the bracket around this one know if it was a single pair."""
        if not self.stack or frame.kind == "<" or len(self.result.found) != before + 1:
            return
        pair, top = self.result.found[-1], self.stack[-1]
        if isinstance(pair, Found) and len(pair.numbers) == 2:
            top.pairs += 1
            if top.kind == "{" and top.pending:
                top.corners[top.pending] = before

    def read_dict(self, frame: Frame) -> None:
        self.result.empties += frame.nothings + frame.denials
        room = _MOST_STATEMENTS - len(self.result.statements)
        self.result.statements += frame.statements[:room] if room > 0 else []
        self.add(read_fields(frame.fields), is_vertex=is_polygon_key(frame.key))
        self.join_corners(frame)
        inside = [_stated(item, frame) for item in self.result.found[frame.first :]]
        boxes = [index for index, item in enumerate(inside) if isinstance(item, Found) and len(item.numbers) == 4]
        has_outline = any(map(is_polygon_key, frame.keys)) and any(map(_is_outline, inside))
        has_mask = bool(frame.mask) and len(boxes) == 1
        self.result.lost_masks += bool(frame.mask) and not has_mask
        for index in boxes if has_outline or has_mask else ():
            box = inside[index]
            assert isinstance(box, Found)
            inside[index] = box._replace(is_covered=has_outline, mask="" if has_outline else frame.mask)
        self.result.found[frame.first :] = inside

    def join_corners(self, frame: Frame) -> None:
        """Replace two pairs of a dict that are a box's corners, or its ranges, by the box."""
        keys = corner_keys(frame.corners)
        if keys is None:
            return
        first, second, are_ranges = keys
        places = [frame.corners[first], frame.corners[second]]
        pairs = [self.result.found[place] for place in places]
        if not all(isinstance(pair, Found) and len(pair.numbers) == 2 for pair in pairs):
            return
        for place in sorted(places, reverse=True):
            del self.result.found[place]
        box = join([pair for pair in pairs if isinstance(pair, Found)], is_loose=False, layout="xyxy")
        if are_ranges:
            x0, x1, y0, y1 = box.numbers
            box = box._replace(numbers=(x0, y0, x1, y1), is_named=True)
        self.result.found.append(box)

    def collect_pairs(self, frame: Frame) -> None:
        """Make one item of the pairs in a list that holds nothing else."""
        inside = self.result.found[frame.first :]
        parts = tuple(item for item in inside if isinstance(item, Found) and len(item.numbers) == 2)
        if len(parts) == len(inside) == frame.pairs:
            self.result.found[frame.first :] = [Pairs(parts, frame.key)]
            self.pair_end = None

    def read_group(self, group: list[str], frame: Frame, end: int) -> None:
        is_loose = not frame.key and not frame.tag
        is_outline = is_polygon_key(frame.key) and len(group) >= 6 and len(group) % 2 == 0
        if frame.has_words or (len(group) not in (2, 4) and not is_outline):
            if len(group) > 2 and not is_loose:
                problem = f"expected four numbers for a box or two for a point, but got {len(group)}"
                self.result.problems.append(problem + (" among words" if frame.has_words else ""))
            return
        tag = TAGS.get(frame.tag)
        fixed = tag.fixed if tag and tag.fixed else FIXED_KEYS.get(frame.key)
        unit = UNIT.match(self.text, end)
        group = list(share_unit(group, unit[1] if unit else ""))
        found = make_found(group, fixed=fixed, default=tag.default if tag else None, is_loose=is_loose)
        found = found._replace(is_polygon=is_outline, is_vertex=is_polygon_key(frame.key) and len(group) == 2)
        if len(group) == 4 and (layout := layout_of(frame.key)):
            found = with_layout(found, layout)
        if len(group) == 4 and is_polygon_key(frame.key):
            self.result.problems.append("expected at least 3 vertices of an outline, but got 2")
            return
        if len(group) == 2 and self.is_second_corner(frame):
            first = self.result.found.pop()
            assert isinstance(first, Found)
            found = join((first, found))
            if self.stack and self.stack[-1].pairs:
                self.stack[-1].pairs -= 1
        self.add([found])
        self.pair_end = end if len(found.numbers) == 2 else None

    def add(self, found: list[Found], is_vertex: bool = False) -> None:
        if self.stack and self.stack[-1].is_call:
            return
        self.result.found += [
            item._replace(is_vertex=True) if is_vertex and len(item.numbers) == 2 else item for item in found
        ]
        self.pair_end = None

    def is_second_corner(self, frame: Frame) -> bool:
        """Return whether a pair completes the box that the pair before it began, as in "(x, y),(x, y)".

        Pairs in a list do not: they are collected when it ends.
        """
        if self.pair_end is None or not self.pair_end <= frame.start <= self.pair_end + LONGEST_GAP:
            return False
        between = self.text[self.pair_end : frame.start]
        if not _BETWEEN_CORNERS.match(between):
            return False
        if frame.tag and TAGS[frame.tag].has_corners:
            return True
        return frame.kind == "(" and not frame.key and not (self.stack and self.stack[-1].kind == "[")


def _joined(groups: list[list[str]]) -> list[list[str]]:
    """The groups of a bracket, or one group if semicolons separate its numbers: `[100; 250; 500; 750]`."""
    is_one = len(groups) in (2, 4) and all(len(group) == 1 for group in groups)
    return [[number for group in groups for number in group]] if is_one else groups


def _is_outline(item: Found | Pairs) -> bool:
    if isinstance(item, Pairs):
        return is_polygon_key(item.key) and len(item.parts) > 2
    return item.is_polygon


def _stated(item: Found | Pairs, frame: Frame) -> Found | Pairs:
    """Return a place with the unit, the layout and the shape that its dict states."""
    if isinstance(item, Pairs):
        parts = tuple(part._replace(unit=part.unit or frame.unit) for part in item.parts) if frame.unit else item.parts
        return Pairs(parts, frame.shape or item.key)
    if not frame.unit and not frame.stated_layout:
        return item
    return with_layout(item._replace(unit=item.unit or frame.unit), frame.stated_layout)
