"""A response passes through lmms-eval as text, which removes what it takes for reasoning; masks do not depend on it."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lmms_eval.api.reasoning import strip_reasoning_tags
from rectangles import rectangle
from running import evaluate, metrics

from pixfound_tasks import Lens
from pixfound_tasks.attention.lens import Answer
from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
from pixfound_tasks.grounding.text_grounder import WordGrounder, read_words
from pixfound_tasks.response import Candidate, Draft, Phrase, Response, Selection, from_text, to_text

SIZE = (4, 6)
MASK = rectangle(1, 1, 3, 3, SIZE)
TAGS = [["<think>", "</think>"], ["<analysis>", "</analysis>"], ["<|a|>", "<|/a|>"]]
TEXTS = st.lists(
    st.sampled_from(["<think>", "</think>", "<analysis>", "</analysis>", "<|a|>", '"', "\\", "{", "}", "[1, 2]", "a"])
    | st.text(max_size=3)
).map("".join)


@given(TEXTS, TEXTS, TEXTS)
def test_no_text_in_any_field_changes_the_masks(text, other, third):
    phrase = Phrase((0.5, 0.5), (Candidate(MASK, 0.5),), other, third, (0, 1), (0, 1), 0.9)
    response = Response(
        text, (MASK,), phrases=(phrase,), selected=Selection(other, 0, 0), tokens=3, provenance={third: text},
        problems=(other,), draft=Draft(third, 2, (Phrase(text=text),)),
    )  # fmt: skip
    written = to_text(response)
    assert "<" not in written and json.loads(written)["text"] == text
    for stripped in (written, strip_reasoning_tags(written, TAGS)):
        read = from_text(stripped, SIZE)
        assert read.masks == (MASK,) and read.phrases[0].candidates == phrase.candidates
        assert read.draft is not None and len(read.draft.phrases) == 1


CONTRACT = '{"schema":"pixfound/1","text":"I should look. </think> The star.","masks":[{"size":[4,6],"counts":"0"}]}'


def test_what_is_left_of_a_cut_response_is_not_read():
    whole = CONTRACT.replace('"0"', json.dumps(MASK["counts"]))
    assert from_text(whole, SIZE).masks == (MASK,)
    for part in (strip_reasoning_tags(whole, TAGS), whole[:-3], whole[30:]):
        for read in (from_text(part, SIZE), read_words(part, SIZE, "pixel", "box")):
            assert read.masks is read.boxes is read.points is None and read.problems and not read.text


class CommandLine(Namespace):
    """The command's arguments: those that are given, and None for all others."""

    def __getattr__(self, name):
        return None


@pytest.mark.parametrize("grounding", ["attention", "box"])
def test_the_host_scores_the_same_whatever_the_text_holds(monkeypatch, grounding):
    if grounding == "box":  # The embedded model was not taught to say boxes.
        says = Answer('[{"bbox_2d": [20, 20, 80, 80]}]', 7)
        monkeypatch.setattr(Lens, "answer_all", lambda lens, images, texts, **options: [says] * len(texts))
        monkeypatch.setenv("PIXFOUND_COORDINATES", "percent")

    def run(before="", after=""):
        def ground(self, *arguments):
            response = plain(self, *arguments)
            return replace(response, text=f"{before}{response.text[:5]}{before}{response.text[5:]}{after}")

        with monkeypatch.context() as patch:
            grounder = AttentionGrounder if grounding == "attention" else WordGrounder
            plain = grounder.ground
            patch.setattr(grounder, "ground", ground)
            arguments = f"pretrained=pixfound/mini,grounding={grounding}"
            results = evaluate(
                "pixfound", arguments, ["pixmini_ground"], 8,
                cli_args=CommandLine(reasoning_tags=json.dumps(TAGS)),
            )  # fmt: skip
        found = metrics(results, "pixmini_ground")
        return {name: found[name] for name in ("miou", "oracle_miou", "unparsed", "ciou")}

    usual = run()
    # ciou, unlike miou, is zero without masks: an empty mask is what documents without their object ask for.
    assert usual["ciou"] > 0 and usual["unparsed"] == 0
    for before, after in (("</think>", ""), ("<think>", ""), ("<think>", "</think>"), ('"{', '}"')):
        assert run(before, after) == usual


def test_the_reported_response_keeps_its_mask(shared):
    replies = json.loads((shared / "data" / "replies.json").read_text())
    (reported,) = (reply["input"] for reply in replies if reply["id"] == "R1")
    assert len(from_text(reported, (4, 4)).masks) == 1
    # As the host cut it before, it is a fault and no mask.
    assert from_text(strip_reasoning_tags(reported, TAGS), (4, 4)).masks is None
