"""The habits of LLaMA's old tokenizer, on a small model of pieces. The authors' own ids are in another test."""

from __future__ import annotations

import json

import pytest
import sentencepiece
from tiny_lisa import write_tokenizer

from pixfound_tasks.pixel.slow_tokenizer import SlowLlamaTokenizer

ADDED = {"[SEG]": 330, "<p>": 331, "</p>": 332}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("tokenizer")
    assert write_tokenizer(place) == 330
    (place / "added_tokens.json").write_text(json.dumps(ADDED))
    return place


@pytest.fixture(scope="module")
def tokenizer(folder):
    return SlowLlamaTokenizer(folder, hidden=("<p>", "</p>"))


@pytest.fixture(scope="module")
def pieces(folder):
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model")).encode


def test_white_space_beside_added_tokens_goes_and_pieces_begin_anew(tokenizer, pieces):
    assert tokenizer("Sure, it is [SEG] \n. b").input_ids == [1, *pieces("Sure, it is"), 330, *pieces(". b")]
    assert tokenizer.encode("a\nb", add_special_tokens=False) == pieces("a\nb")
    assert tokenizer.encode("[SEG] [SEG]", add_special_tokens=False) == [330, 330]
    assert tokenizer.encode("", add_special_tokens=False) == []


def test_white_space_beside_the_end_of_text_stays(tokenizer, pieces):
    assert tokenizer.encode("a </s> b", add_special_tokens=False) == [*pieces("a "), 2, *pieces(" b")]


def test_decoded_texts_have_a_space_around_added_tokens(tokenizer, pieces):
    ids = [1, *pieces("it is"), 330, *pieces("."), 331, *pieces("red star"), 332, 2]
    assert tokenizer.decode(ids) == "<s>it is [SEG] . <p> red star </p> </s>"
    assert tokenizer.decode(ids, skip_special_tokens=True) == "it is [SEG] . red star"
    assert tokenizer.decode([]) == "" and len(tokenizer) == 333


def test_ids_are_looked_up_by_name(tokenizer):
    assert [tokenizer.convert_tokens_to_ids(token) for token in ("[SEG]", "</s>", "not a piece")] == [330, 2, 0]


def test_added_tokens_may_be_where_later_versions_write_them(folder, tokenizer, tmp_path):
    (tmp_path / "tokenizer.model").write_bytes((folder / "tokenizer.model").read_bytes())
    entries = {str(number): {"content": name} for name, number in ADDED.items()} | {"2": {"content": "</s>"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": entries}))
    assert SlowLlamaTokenizer(tmp_path).added == ADDED
