"""Scans a reply for the groups of two or four numbers that its syntax sets apart.

The time is linear in the length of the text: each character is visited at most a fixed number of times, and nothing
recurses.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from pixfound_tasks.grounding.coordinates.syntax import (
    CLOSING_TAGS,
    FIXED_KEYS,
    OTHER_KEYS,
    PLACE_KEY,
    TAGS,
    Found,
    join_corners,
    make_found,
    read_bins,
    read_fields,
    read_pointing,
)

_TOKEN = re.compile(
    r"""(?P<pointing><points?\s[^<>]*(?:>|$))
    | <(?P<tag>[\w|/][^<>\n\[\]]{0,80})>
    | (?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
    | (?P<open>[\[({])
    | (?P<close>[\])}])
    | (?P<separator>[,;])
    | (?P<quote>["'])
    | (?P<word>[^\W\d]\w*)""",
    re.VERBOSE,
)
_REST_OF_STRING = {quote: re.compile(rf"[^{quote}\\\n]*(?:\\.[^{quote}\\\n]*)*") for quote in "\"'"}
_COLON = re.compile(r"\s*[:=]")
_BIN = re.compile(r"loc([0-9]{4})$|loc_([0-9]{1,4})$|patch_index_([0-9]{1,4})$|([0-9]{1,3})$")
_BIN_KINDS = ("paligemma", "florence2", "kosmos-2", "percent")
_PARTNERS = {"]": "[", ")": "(", "}": "{"}
_LONGEST_KEY = 40  # characters
_DEEPEST = 100  # nested brackets; if there are more, the outermost are forgotten


@dataclass
class Scan:
    """The result of a scan. `empties` counts empty lists of places. `is_cut`: the reply ends in a bracket or tag."""

    found: list[Found] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    empties: int = 0
    is_cut: bool = False


@dataclass(slots=True)
class _Frame:
    """An open bracket or tag: its start, the key and the tag that it belongs to, and its content so far."""

    kind: str
    start: int
    key: str = ""
    tag: str = ""
    groups: list[list[str]] = field(default_factory=lambda: [[]])
    fields: dict[str, str] = field(default_factory=dict)
    pending: str = ""
    has_words: bool = False
    is_empty: bool = True

    def take(self, kind: str, value: str) -> None:
        """Add a token that is neither a bracket nor a tag."""
        if kind == "key":
            self.pending = value
        elif kind == "number" and self.kind != "{":
            self.groups[-1].append(value)
        elif kind == "number" and self.pending:
            self.fields[self.pending] = value
        elif kind == "separator":
            self.pending = ""
            if value == ";":
                self.groups.append([])
        if kind in ("key", "number", "word", "string"):
            self.is_empty = False
        self.has_words |= kind == "word"


def scan(text: str) -> Scan:
    """Return every group of two or four numbers in brackets, tags or named fields."""
    scanner = _Scanner(text)
    scanner.run()
    return scanner.result


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.result = Scan()
        self.stack: list[_Frame] = []
        self.depths: Counter[str] = Counter()
        self.bins: tuple[str, list[int]] = ("", [])
        self.pair_end: int | None = None  # the end of the last pair if it may be a box's first corner

    def run(self) -> None:
        position, before = 0, ""
        while token := _TOKEN.search(self.text, position):
            assert token.lastgroup is not None
            position, kind, value = token.end(), token.lastgroup, token[token.lastgroup]
            if kind == "tag" and self.add_bin(value):
                continue
            self.flush_bins()
            if kind == "quote":
                if not self.stack or before not in ("open", "separator", "key"):
                    continue
                rest = _REST_OF_STRING[value].match(self.text, position)
                assert rest is not None
                kind, value, position = "string", rest[0], rest.end() + 1
            if kind in ("string", "word") and self.stack and self.stack[-1].kind == "{":
                colon = _COLON.match(self.text, position)
                if colon:
                    kind, value, position = "key", value[:_LONGEST_KEY].lower(), colon.end()
            self.take(kind, value, token.start())
            before = kind
        self.flush_bins()
        self.result.is_cut |= any(frame.kind != "(" for frame in self.stack)

    def take(self, kind: str, value: str, start: int) -> None:
        if kind == "open":
            self.push(value, start, self.stack[-1].tag if self.stack else "")
        elif kind == "close":
            self.close(_PARTNERS[value], start + 1)
        elif kind == "pointing":
            self.result.is_cut |= not value.endswith(">")
            self.add(read_pointing(value))
        elif kind == "tag" and value in TAGS:
            self.push("<", start, value)
        elif kind == "tag" and value in CLOSING_TAGS:
            self.close("<", start)
        elif self.stack and kind in ("string", "word") and value.lower() in ("null", "none"):
            self.result.empties += bool(PLACE_KEY.search(self.stack[-1].pending))
        elif self.stack:
            self.stack[-1].take(kind, value)

    def push(self, kind: str, start: int, tag: str) -> None:
        key = ""
        if self.stack:
            top = self.stack[-1]
            top.is_empty = False
            key = top.pending if top.kind == "{" else top.key
        self.stack.append(_Frame(kind, start, key, tag))
        self.depths[kind] += 1
        if len(self.stack) > _DEEPEST:
            self.depths[self.stack.pop(0).kind] -= 1

    def close(self, kind: str, end: int) -> None:
        """Close the last open bracket of a kind and drop what was left open inside it."""
        while self.depths[kind]:
            frame = self.stack.pop()
            self.depths[frame.kind] -= 1
            if frame.kind == kind:
                self.read_frame(frame, end)
                return

    def read_frame(self, frame: _Frame, end: int) -> None:
        if frame.kind == "{":
            self.add(read_fields(frame.fields))
        elif frame.key not in OTHER_KEYS:
            self.result.empties += frame.is_empty and frame.kind == "[" and bool(PLACE_KEY.search(frame.key or "box"))
            for group in frame.groups:
                self.read_group(group, frame, end)

    def read_group(self, group: list[str], frame: _Frame, end: int) -> None:
        is_loose = not frame.key and not frame.tag
        if frame.has_words or len(group) not in (2, 4):
            if len(group) > 2 and not is_loose:
                problem = f"expected four numbers for a box or two for a point, but got {len(group)}"
                self.result.problems.append(problem + (" among words" if frame.has_words else ""))
            return
        tag = TAGS.get(frame.tag)
        fixed = tag.fixed if tag and tag.fixed else FIXED_KEYS.get(frame.key)
        found = make_found(group, fixed=fixed, default=tag.default if tag else None, is_loose=is_loose)
        if len(group) == 2 and self.is_second_corner(frame):
            found = join_corners(self.result.found.pop(), found)
        self.add([found])
        self.pair_end = end if len(found.numbers) == 2 else None

    def add(self, found: list[Found]) -> None:
        self.result.found += found
        self.pair_end = None

    def is_second_corner(self, frame: _Frame) -> bool:
        """Return whether a pair completes the box that the pair before it began, as in "(x, y),(x, y)".

        Pairs in a list of points do not.
        """
        if self.pair_end is None or self.pair_end > frame.start:
            return False
        if self.text[self.pair_end : frame.start].strip() not in (",", ""):
            return False
        if (frame.tag and TAGS[frame.tag].has_corners) or "box" in frame.key:
            return True
        return frame.kind == "(" and not frame.key and not (self.stack and self.stack[-1].kind == "[")

    def add_bin(self, tag: str) -> bool:
        """Add a location token to its run. Returns False if the tag is not a location token.

        Bare numbers are location tokens only in braces: `{<12><34><56><78>}`.
        """
        token = _BIN.match(tag)
        if not token or (token[4] and not (self.stack and self.stack[-1].kind == "{")):
            return False
        assert token.lastindex is not None
        kind = _BIN_KINDS[token.lastindex - 1]
        if self.bins[0] != kind:
            self.flush_bins()
            self.bins = (kind, [])
        self.bins[1].append(int(token[token.lastindex]))
        return True

    def flush_bins(self) -> None:
        if self.bins[1]:
            found, problems = read_bins(*self.bins)
            self.add(found)
            self.result.problems += problems
            self.bins = ("", [])
