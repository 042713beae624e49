"""An open bracket or tag of a reply, and what has been read in it so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from pixfound_tasks.grounding.coordinates.names import (
    ABSENCE_KEY,
    AXES,
    CALL_NAMES,
    OTHER_KEYS,
    PLACE_KEY,
    PRESENCE_KEY,
    UNIT_NAMES,
    is_call_key,
    is_polygon_key,
    layout_of,
    plain,
)
from pixfound_tasks.grounding.coordinates.syntax import is_number, numbers_in

_COCO_KEYS = frozenset(("category_id", "iscrowd"))
_LAYOUT_KEYS = frozenset("format bbox_format box_format coordinate_format bbox_mode bbox_type".split())
_UNIT_KEYS = frozenset("unit units coordinate_unit coordinates_unit".split())
_SHAPE_KEYS = frozenset("type shape shape_type".split())
_SHAPES = frozenset("polygon rectangle".split())
_STATEMENT_KEYS = frozenset(
    "answer response result message error status reason explanation comment note output verdict".split()
)
_NOTHING = frozenset(("null", "none", "n/a", "nil"))
_LONGEST_STATEMENT = 400  # characters


@dataclass(slots=True)
class Frame:
    """An open bracket or tag: its start, the key and the tag that it belongs to, and its content so far.

    Attributes:
        first: how many places had been found before it.
        is_call: in the arguments of a tool call.
        groups: the bare numbers, by semicolons.
        fields: the named numbers, by their plain names.
        pairs: how many single pairs of numbers are directly in it.
        corners: the places of pairs by their keys.
        keys: the keys of a dict.
        mask: a mask that came as text.
        unit, layout, shape: what the dict says of its numbers.
        statements: strings that may say in words that the object is absent.
        nothings: values that say so, such as null.
        denials: the same for `{"found": false}`.
    """

    kind: str
    start: int
    key: str = ""
    tag: str = ""
    first: int = 0
    is_call: bool = False
    groups: list[list[str]] = field(default_factory=lambda: [[]])
    fields: dict[str, str] = field(default_factory=dict)
    pending: str = ""
    pairs: int = 0
    corners: dict[str, int] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    mask: str = ""
    unit: str = ""
    layout: str = ""
    shape: str = ""
    statements: list[str] = field(default_factory=list)
    nothings: int = 0
    denials: int = 0
    has_words: bool = False
    is_empty: bool = True

    def take(self, kind: str, value: str) -> None:
        """Add a token that is neither a bracket nor a tag."""
        self.is_empty &= kind == "separator" or (value.lower() in _NOTHING and not self.pending)
        if kind == "separator":
            self.pending = ""
            if value == ";":
                self.groups.append([])
        elif kind == "key":
            self.pending = value
            self.keys.add(value)
        elif kind == "number" and self.pending:
            self.fields[plain(self.pending)] = value
            self.denials += value == "0" and self._is_presence
        elif kind == "number":
            self.groups[-1].append(value)
        elif kind == "string":
            self._take_string(value)
        elif self.pending:
            self._take_value(value)
        else:
            self.has_words |= value.lower() not in _NOTHING

    def _take_string(self, value: str) -> None:
        if self.pending == "mask":
            self.mask = value
        elif is_number(value):
            self.take("number", value)
        elif self.kind == "{" and self.pending:
            self._take_value(value)

    def _take_value(self, value: str) -> None:
        """Add a word or a string under a key."""
        word = value.lower().strip()
        if word in _NOTHING:
            self.nothings += bool(PLACE_KEY.search(self.pending)) or len(self.keys) == 1
        elif word in ("false", "no"):
            self.denials += self._is_presence
        elif word in ("true", "yes"):
            self.denials += bool(ABSENCE_KEY.search(self.pending))
        elif self.pending in _UNIT_KEYS:
            self.unit = UNIT_NAMES.get(word, "")
        elif self.pending in _LAYOUT_KEYS:
            self.layout = layout_of(word)
        elif self.pending in _SHAPE_KEYS:
            self.shape = word if word in _SHAPES else ""
        elif self.pending in _STATEMENT_KEYS or PLACE_KEY.search(self.pending):
            self.statements.append(value[:_LONGEST_STATEMENT])

    @property
    def _is_presence(self) -> bool:
        """Whether the pending key says that the object is there."""
        return bool(PRESENCE_KEY.search(self.pending) and not ABSENCE_KEY.search(self.pending))

    def string_list(self, value: str) -> list[str]:
        """The numbers of a string under the key of a place, such as `"bbox": "100, 250, 500, 750"`."""
        return numbers_in(value) if self.pending and self.pending not in OTHER_KEYS else []

    def is_key(self, word: str) -> bool:
        """Whether a word with a colon or an equals sign after it is a key here: any in a dict, else an axis."""
        return self.kind == "{" or (self.kind in "[(<" and plain(word) in AXES)

    @property
    def key_inside(self) -> str:
        """The key of a bracket that opens now. Lists in a dict that describes an outline are part of it."""
        if self.kind != "{" or (is_polygon_key(self.key) and self.pending not in OTHER_KEYS):
            return self.key
        return self.pending

    @property
    def starts_call(self) -> bool:
        """Whether the value of the pending key is the arguments of a tool call."""
        return is_call_key(self.pending) and not self.keys.isdisjoint(CALL_NAMES)

    @property
    def stated_layout(self) -> str:
        """The layout of lists in this dict, if it says so or has the keys of COCO's annotations."""
        return self.layout or ("xywh" if "bbox" in self.keys and not self.keys.isdisjoint(_COCO_KEYS) else "")
