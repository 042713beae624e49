"""Scans a reply for the groups of two or four numbers, and the outlines, that its syntax sets apart.

The time is linear in the length of the text: each character is visited at most a fixed number of times, and nothing
recurses.
"""

from __future__ import annotations

import re
from collections import Counter

from pixfound_tasks.grounding.coordinates.collecting import LONGEST_GAP, Collector, Scan
from pixfound_tasks.grounding.coordinates.frames import Frame
from pixfound_tasks.grounding.coordinates.names import (
    AXES,
    plain,
)
from pixfound_tasks.grounding.coordinates.syntax import (
    CLOSING_TAGS,
    FOUR_NUMBERS,
    NUMBER,
    TAGS,
    UNIT,
    read_attributes,
    read_bins,
    read_fields,
    read_pointing,
)

_TOKEN = re.compile(
    rf"""(?P<pointing><points?\s[^<>]*(?:>|$))
    | <(?P<tag>[\w|/][^<>\n\[\]]{{0,200}})>
    | (?P<number>{NUMBER})
    | (?P<open>[\[({{])
    | (?P<close>[\])}}])
    | (?P<separator>[,;])
    | (?P<quote>["'])
    | (?P<word>[^\W\d]\w*)""",
    re.VERBOSE,
)
_REST_OF_STRING = {quote: re.compile(rf"[^{quote}\\\n]*(?:\\.[^{quote}\\\n]*)*") for quote in "\"'"}
_COLON = re.compile(r"\s*[:=]")
_TEXT_COLON = re.compile(r"\**\s{0,3}[:=]\**")
_BIN = re.compile(r"loc([0-9]{4})$|loc_([0-9]{1,4})$|patch_index_([0-9]{1,4})$|([0-9]{1,3})$")
_BIN_KINDS = ("paligemma", "florence2", "kosmos-2", "percent")
_MASK_CODE = re.compile(r"seg[0-9]{3}$")
_PARTNERS = {"]": "[", ")": "(", "}": "{"}
_LONGEST_KEY = 40  # characters
_DEEPEST = 100  # nested brackets; if there are more, the outermost are forgotten


def scan(text: str) -> Scan:
    """Return every group of two or four numbers, and every outline, in brackets, tags or named fields."""
    scanner = _Scanner(text)
    scanner.run()
    return scanner.result


class _Scanner(Collector):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.root = Frame("", 0)  # named numbers outside all brackets
        self.depths: Counter[str] = Counter()
        self.bins: tuple[str, list[int]] = ("", [])
        self.is_labelled = False  # words come directly before the run of location tokens
        self.in_outline = False  # in Florence-2's <poly> tags
        self.was_outline = False  # the last run of location tokens was an outline
        self.goes_on = False  # after a <sep> behind an outline

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
            if kind in ("string", "word"):
                kind, value, position = self.as_key(kind, value, position)
            elif kind == "number" and (unit := UNIT.match(self.text, position)):
                value, position = value + unit[1], unit.end()
            self.is_labelled = kind != "tag" and (self.is_labelled or kind in ("word", "string"))
            self.take(kind, value, token.start())
            before = kind
        self.flush_bins()
        self.result.is_cut |= any(frame.kind != "(" for frame in self.stack)
        while self.stack:
            self.drop(self.stack.pop())

    def as_key(self, kind: str, value: str, position: int) -> tuple[str, str, int]:
        """Return a word or string as a key if a colon follows and it can be one here."""
        top = self.stack[-1] if self.stack else None
        if top.is_key(value[:_LONGEST_KEY]) if top else kind == "word" and plain(value[:_LONGEST_KEY]) in AXES:
            colon = (_COLON if top else _TEXT_COLON).match(self.text, position)
            if colon:
                return "key", value[:_LONGEST_KEY].lower(), colon.end()
        return kind, value, position

    def take(self, kind: str, value: str, start: int) -> None:
        top = self.stack[-1] if self.stack else None
        if kind == "open":
            self.push(value, start, top.tag if top else "")
        elif kind == "close":
            self.close(_PARTNERS[value], start + 1)
        elif kind == "pointing":
            self.result.is_cut |= not value.endswith(">")
            self.add(read_pointing(value))
        elif kind == "tag":
            self.take_tag(value, start)
        elif top is None:
            self.take_outside(kind, value, start)
        elif kind == "string" and (numbers := top.string_list(value)) and len(numbers) > 1:
            frame = self.push("[", start, top.tag)
            frame.groups = [numbers]
            self.close("[", start + 1)
        else:
            top.take(kind, value)

    def take_outside(self, kind: str, value: str, start: int) -> None:
        """Add a token outside all brackets: only named axes count there, such as "x1: 100"."""
        root = self.root
        if kind == "key":
            if start > root.start + LONGEST_GAP:
                root.fields.clear()
            root.pending = value
        elif kind == "number" and root.pending:
            root.take(kind, value)
            root.pending, root.start = "", start
            found = [found for found in read_fields(root.fields) if len(found.numbers) == 4]
            if found:
                self.add(found)
                root.fields.clear()
        elif kind == "word":
            root.pending = ""

    def take_tag(self, value: str, start: int) -> None:
        if value in TAGS:
            self.push("<", start, value)
        elif value in CLOSING_TAGS:
            self.close("<", start)
        elif value in ("poly", "/poly"):
            self.in_outline = value == "poly"
        elif value == "sep":
            self.goes_on = self.was_outline
        elif _MASK_CODE.match(value):
            self.result.mask_codes += 1
        elif FOUR_NUMBERS.fullmatch(value):
            frame = self.push("[", start, self.stack[-1].tag if self.stack else "")
            frame.groups = [re.findall(NUMBER, value)]
            self.close("[", start + len(value) + 2)
        elif plain(value) in AXES and value[0] != "/":  # <xmin>100</xmin>
            self.root.pending = value.lower()
            if self.stack:
                self.stack[-1].pending = value.lower()
        elif "=" in value:
            self.add(read_attributes(value))

    def push(self, kind: str, start: int, tag: str) -> Frame:
        frame = Frame(kind, start, "", tag, len(self.result.found))
        if self.stack:
            top = self.stack[-1]
            top.is_empty = False
            frame.key = top.key_inside
            frame.is_call = top.is_call or top.starts_call
            self.result.calls += frame.is_call and not top.is_call
        self.stack.append(frame)
        self.depths[kind] += 1
        if len(self.stack) > _DEEPEST:
            self.depths[self.stack.pop(0).kind] -= 1
        return frame

    def close(self, kind: str, end: int) -> None:
        """Close the last open bracket of a kind and drop what was left open inside it."""
        while self.depths[kind]:
            frame = self.stack.pop()
            self.depths[frame.kind] -= 1
            if frame.kind == kind:
                self.read_frame(frame, end)
                return
            self.drop(frame)

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
        kind, run = self.bins
        if not run:
            return
        is_long = len(run) > 4 and (not self.is_labelled or (len(run) % 4 != 0 and len(run) % 2 == 0))
        self.was_outline = kind == "florence2" and (is_long or self.in_outline or self.goes_on)
        self.goes_on = False
        found, problems = read_bins(kind, run, self.was_outline)
        self.add(found)
        self.result.problems += problems
        self.bins = ("", [])
        self.is_labelled = False
