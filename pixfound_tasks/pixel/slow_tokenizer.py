"""LLaMA's slow tokenizer as transformers 4.31 had it, whose ids LISA and GLaMM were trained and are run with.

Three of its habits are in no later version, and each changes the ids: white space on both sides of an added token is
removed; each piece of text between added tokens is encoded on its own, with a space before it; and decoded texts have a
space around every added token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import sentencepiece

_KEPT = ("bos_token", "eos_token", "unk_token")  # white space around these stays


class Encoding(NamedTuple):
    """The ids of a text."""

    input_ids: list[int]


class SlowLlamaTokenizer:
    """Encodes and decodes as the `LlamaTokenizer` of transformers 4.31 does with `legacy=True`.

    Args:
        folder: holds tokenizer.model and, if tokens were added, added_tokens.json or, as later versions of transformers
            write it, tokenizer_config.json with them.
        hidden: tokens that decoding leaves out if asked to skip special tokens, beside the beginning, the end and the
            unknown token.
    """

    padding_side = "left"

    def __init__(self, folder: Path, hidden: Iterable[str] = ()) -> None:
        self.model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
        self.added = _added_tokens(folder, self.model.get_piece_size())
        ids = {"bos_token": self.model.bos_id(), "eos_token": self.model.eos_id(), "unk_token": self.model.unk_id()}
        self.bos_token_id, self.eos_token_id, self.unk_token_id = (ids[name] for name in _KEPT)
        self.bos_token, self.eos_token, self.unk_token = (self.model.id_to_piece(ids[name]) for name in _KEPT)
        # The scripts pad with the unknown token; what pads is masked out.
        self.pad_token, self.pad_token_id = self.unk_token, self.unk_token_id
        self._special = {self.bos_token: self.bos_token_id, self.eos_token: self.eos_token_id}
        self._special[self.unk_token] = self.unk_token_id
        self._names = {number: name for name, number in self.added.items()}
        self._hidden = {*self._special.values(), *(self.added[name] for name in hidden if name in self.added)}
        whole = sorted([*self.added, *self._special], key=len, reverse=True)
        self._splitter = re.compile("|".join(map(re.escape, whole)))

    def __len__(self) -> int:
        return self.model.get_piece_size() + len(self.added)

    def __call__(self, text: str, add_special_tokens: bool = True, **options: Any) -> Encoding:
        """Return the ids of a text, after the beginning-of-text token unless `add_special_tokens` is false."""
        return Encoding([self.bos_token_id] * add_special_tokens + self._encode(text))

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """Return the ids of a text; see `__call__`."""
        return self(text, add_special_tokens).input_ids

    def convert_tokens_to_ids(self, token: str) -> int:
        """Return the id of a token, that of the unknown token if there is none."""
        known = self.added | self._special
        return known[token] if token in known else self.model.piece_to_id(token)

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False, **options: Any) -> str:
        """Return the text of ids."""
        kept = [int(number) for number in ids if not (skip_special_tokens and int(number) in self._hidden)]
        parts: list[str] = []
        for is_added, group in groupby(kept, key=lambda number: number in self._names):
            run = list(group)
            parts += [self._names[number] for number in run] if is_added else [self._decode(run)]
        return " ".join(parts)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = []
        start = 0
        is_stripped = False  # whether white space after the last token is removed
        for match in self._splitter.finditer(text):
            name = match.group()
            piece = text[start : match.start()]
            ids += self._piece(piece, is_stripped, name in self.added)
            ids.append(self.added.get(name, self._special.get(name, self.unk_token_id)))
            start, is_stripped = match.end(), name in self.added
        return ids + self._piece(text[start:], is_stripped, False)

    def _piece(self, text: str, strip_left: bool, strip_right: bool) -> list[int]:
        text = text.lstrip() if strip_left else text
        text = text.rstrip() if strip_right else text
        return self.model.encode(text, out_type=int) if text else []

    def _decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids without added tokens; the special ones in it have no space after them."""
        text, ordinary = "", []
        for index, number in enumerate(ids):
            if number not in self._special.values():
                ordinary.append(number)
                continue
            if index and ids[index - 1] not in self._special.values():
                text += " "
            text += self.model.decode(ordinary) + self.model.id_to_piece(number)
            ordinary = []
        return text + self.model.decode(ordinary)


def _added_tokens(folder: Path, pieces: int) -> dict[str, int]:
    """Return the tokens that are not in the model of `pieces` tokens, with their ids."""
    path = folder / "added_tokens.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    entries = config.get("added_tokens_decoder") or {}
    return {entry["content"]: int(number) for number, entry in entries.items() if int(number) >= pieces}
