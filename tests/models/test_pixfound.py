"""The wrapper in lmms-eval: the embedded model on PixMini, and models given as a folder."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from judges.chat_server import ChatServer, says
from running import evaluate, metrics
from transformers import AutoModelForImageTextToText, AutoProcessor

from pixfound_tasks import Lens, Look, mini
from pixfound_tasks.analysis import metrics as scores
from pixfound_tasks.attention.lens import Answer
from pixfound_tasks.models.pixfound import PixFound, batches
from pixfound_tasks.response import from_text


def size_of(sample):
    """The size of a sample's image: PixMini has several."""
    return tuple(sample["pixfound"]["mask"]["size"])


@pytest.fixture(scope="module")
def run():
    return evaluate("pixfound", f"pretrained={mini.NAME}", ["pixmini"])


def test_the_embedded_model_answers_pixmini(run):
    found = metrics(run, "pixmini_vqa")
    # Of two options each, chance is 0.5 of the questions and 0.25 of the pairs.
    assert 0.75 <= found["accuracy"] < 0.9
    assert 0.55 <= found["pair_accuracy"] < 0.8
    assert found["score"] == found["pair_accuracy"]
    assert found["unparsed"] == 0.0


def test_the_embedded_model_grounds_pixmini(run):
    found = metrics(run, "pixmini_ground")
    assert 0.15 <= found["miou"] < 0.5
    assert found["score"] == found["miou"]
    assert found["oracle_miou"] >= 0.33
    chance = scores.mean(
        scores.oracle(from_text(sample["filtered_resps"][0], size_of(sample)).control, sample["pixfound"]["mask"]).iou
        for sample in run["samples"]["pixmini_ground"]
    )
    assert found["oracle_miou"] >= chance + 0.2


def test_the_groups_score_is_the_harmonic_mean(run):
    answering, grounding = (metrics(run, f"pixmini_{task}")["score"] for task in ("vqa", "ground"))
    expected = 2 * answering * grounding / (answering + grounding)
    assert metrics(run, "pixmini")["score"] == pytest.approx(expected, abs=1e-12)


def test_two_runs_and_batches_give_the_same_digits(run):
    for batch_size in (1, 8):
        again = evaluate("pixfound", f"pretrained={mini.NAME}", ["pixmini"], limit=24, batch_size=batch_size)
        for task in ("pixmini_vqa", "pixmini_ground"):
            for sample, before in zip(again["samples"][task], run["samples"][task]):
                assert metrics_of(sample) == metrics_of(before)


def metrics_of(sample):
    return {name: value for name, value in sample.items() if isinstance(value, (float, tuple))}


def test_responses_say_how_they_were_made(run):
    response = json.loads(run["samples"]["pixmini_ground"][0]["filtered_resps"][0])
    assert response["schema"] == "pixfound/1"
    expected = {
        "model": mini.NAME,
        "reducer": "mean_centered",
        "query": "predict",
        "segmenter": "region",
        "point_rank": 1,
        "dtype": "float32",
    }
    assert expected.items() <= response["provenance"].items()
    phrase = response["phrases"][0]
    assert response["text"][slice(*phrase["chars"])] == phrase["text"]
    assert len(phrase["candidates"]) == 3 and len(response["control"]) == len(response["phrases"])


def test_a_folder_is_loaded_and_raw_attention_saved(tmp_path):
    folder = tmp_path / "model"
    AutoModelForImageTextToText.from_pretrained(mini.weights_folder(), dtype="float32").save_pretrained(folder)
    AutoProcessor.from_pretrained(mini.weights_folder()).save_pretrained(folder)
    arguments = (
        f"pretrained={folder},segmenter=region,phrases=rules,layers=1+2,query=consume,reducer=mean,control=False,"
        "point_rank=200"
    )
    result = evaluate("pixfound", f"{arguments},save_attention={tmp_path}", ["pixmini_ground"], limit=2)
    response = json.loads(result["samples"]["pixmini_ground"][1]["filtered_resps"][0])
    assert "control" not in response and response["provenance"]["layers"] == "1+2"
    look = Look.load(tmp_path / "pixmini_ground_1.safetensors")
    assert look.text == response["text"] and look.rows.shape == (response["tokens"], 100)
    assert look.settings["query"] == "consume" and look.settings["prompt"].startswith("Identify ")
    # Of the phrases' points the saved maps hold the same: what was saved is what was grounded.
    assert response["phrases"] and response["provenance"]["point_rank"] == 200
    for phrase in response["phrases"]:
        chars = tuple(phrase["chars"])
        assert phrase["point"] == list(look.peak(chars, rank=200)) != list(look.peak(chars))


@pytest.mark.parametrize("reducer", ["heads", "relative", "tam", "value_norm", "sink_filtered"])
def test_every_reducer_grounds(reducer):
    arguments = f"pretrained={mini.NAME},reducer={reducer},control=False"
    result = evaluate("pixfound", arguments, ["pixmini_ground"], limit=4, batch_size=4)
    responses = [json.loads(sample["filtered_resps"][0]) for sample in result["samples"]["pixmini_ground"]]
    assert all(response["provenance"]["reducer"] == reducer for response in responses)
    assert all(phrase["point"] for response in responses for phrase in response["phrases"])
    heads = responses[0]["provenance"]["heads"]
    assert (len(heads) == 3 and all(len(pair) == 2 for pair in heads)) if reducer == "heads" else heads == "all"


def test_without_grounding_the_answer_is_text():
    result = evaluate("pixfound", f"pretrained={mini.NAME},grounding=none", ["pixmini_ground"], limit=2)
    assert metrics(result, "pixmini_ground")["unparsed"] == 1.0


def test_open_answers_are_grounded_too():
    result = evaluate("pixfound", f"pretrained={mini.NAME}", ["pixmini_vqa_open"], limit=12, batch_size=4)
    found = metrics(result, "pixmini_vqa_open")
    assert found["accuracy"] >= 0.7 and found["miou"] >= 0.2
    assert found["score"] == found["pair_accuracy"] and found["unjudged"] <= 0.2
    sample = result["samples"]["pixmini_vqa_open"][0]
    assert sample["judgement"]["by"] == "rule"
    assert json.loads(sample["filtered_resps"][0])["selected"]["by"] == "similarity"


def test_the_group_of_all_protocols_scores_their_maxima():
    result = evaluate("pixfound", f"pretrained={mini.NAME}", ["pixmini_paper"], limit=8, batch_size=4)
    answering = max(metrics(result, f"pixmini_{task}")["score"] for task in ("vqa", "vqa_open"))
    grounding = max(metrics(result, "pixmini_ground")["score"], metrics(result, "pixmini_vqa_open")["miou"])
    expected = 2 * answering * grounding / (answering + grounding)
    assert metrics(result, "pixmini_paper")["score"] == pytest.approx(expected, abs=1e-12)


def test_when_is_asked_of_the_phrases(monkeypatch, tmp_path):
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.setenv("PIXFOUND_CONCEPTS", "openai:m")
    with ChatServer(says("(B)")) as server:
        monkeypatch.setenv("OPENAI_API_URL", server.url)
        result = evaluate("pixfound", f"pretrained={mini.NAME}", ["pixmini_when"], limit=40, batch_size=4)
    found = metrics(result, "pixmini_when")
    assert found["oracle_miou"] >= found["chance_miou"] + 0.15
    assert 0.0 <= found["exact_phrase_rate"] <= 1.0 and 0.0 <= found["median_location"] < 1.0
    # Of the absent objects there is no best phrase.
    samples = result["samples"]["pixmini_when"]
    said = {(sample["median_location"] is None, sample["concept"], sample["classified_by"]) for sample in samples}
    assert said == {(False, "location", "judge openai:m"), (True, None, None)}


@pytest.mark.parametrize(("kind", "asked"), [("box", "Locate the "), ("point", "Point to the ")])
def test_a_model_is_asked_for_boxes_or_points(monkeypatch, kind, asked):
    # The embedded model has not learned to write them; what it would have said is put into its mouth.
    said = {"box": "<loc0000><loc0000><loc0512><loc0512> thing", "point": '<point x="50" y="25">thing</point>'}[kind]
    prompts = []

    def answer_all(lens, images, texts, **options):
        prompts.extend(texts)
        return [Answer(said, 7)] * len(texts)

    monkeypatch.setattr(Lens, "answer_all", answer_all)
    monkeypatch.setenv("PIXFOUND_COORDINATES", "percent")
    result = evaluate("pixfound", f"pretrained={mini.NAME},grounding={kind}", ["pixmini_ground"], limit=3)
    assert metrics(result, "pixmini_ground")["unparsed"] == 0.0
    assert len(prompts) == 3 and all(prompt.startswith(asked) for prompt in prompts)
    response = json.loads(result["samples"]["pixmini_ground"][0]["filtered_resps"][0])
    assert response["provenance"]["prompt"] == prompts[0] and response["provenance"]["segmenter"] == "region"
    assert len(response["masks"]) == 1 and response["tokens"] == 7
    assert "grounded" not in result["samples"]["pixmini_ground"][0]


def test_words_without_boxes_are_unparsed():
    result = evaluate("pixfound", f"pretrained={mini.NAME},grounding=box", ["pixmini_ground"], limit=2)
    assert metrics(result, "pixmini_ground")["unparsed"] == 1.0
    sample = result["samples"]["pixmini_ground"][0]
    assert from_text(sample["filtered_resps"][0], size_of(sample)).text


@pytest.mark.parametrize("select", ["phrase", "similarity:lexical", "judge,judge=self"])
def test_every_selection_is_told(select):
    result = evaluate("pixfound", f"pretrained={mini.NAME},control=False,select={select}", ["pixmini_ground"], limit=3)
    for sample in result["samples"]["pixmini_ground"]:
        response = json.loads(sample["filtered_resps"][0])
        assert response["selected"]["by"] == select.split(",")[0].split(":")[0]
        if "judge" in select:
            assert response["provenance"]["judge"]["name"] == "self"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"segmentor": "region"}, r"expected a model argument to be one of .*'segmentor'; did you mean 'segmenter'\?"),
        (
            {"reducer": "median"},
            r"expected reducer to be one of \[.*'mean_centered'.*\], but got 'median'; did you mean 'mean'\?",
        ),
        ({"grounding": "boxes"}, r"expected grounding to be one of .*, but got 'boxes'; did you mean 'box'"),
        (
            {"select": "judge"},
            r"expected a judge with select=judge and only then, but got select='judge' and judge=None",
        ),
        ({"judge": "self"}, r"expected a judge with select=judge and only then"),
        ({"segmenter": "sam4"}, r"expected the segmenter to be one of \['region', 'sam'.*\], but got 'sam4'"),
        ({"point_rank": 0}, "expected point_rank as a whole number of at least 1, but got 0"),
        ({"point_rank": 2.5}, r"expected point_rank as a whole number of at least 1, but got 2\.5"),
        ({"point_rank": -1.0}, r"expected point_rank as a whole number of at least 1, but got -1\.0"),
        ({"point_rank": True}, "expected point_rank as a whole number of at least 1, but got True"),
        ({"pointrank": 2}, r"expected a model argument to be one of .*did you mean 'point_rank'\?"),
        ({"layers": 9}, r"expected layers as 'all', .* or different numbers in -3\.\.2, but got '9'"),
    ],
)
def test_wrong_arguments_are_named_before_anything_runs(arguments, message):
    with pytest.raises(ValueError, match=message):
        PixFound(mini.NAME, **arguments)


def test_batches_hold_neighbours_of_one_task():
    def request(task):
        return SimpleNamespace(task=task, generation={})

    found = batches(iter([request(task) for task in "aaabb"]), 2)
    assert [[each.task for each in batch] for batch in found] == [["a", "a"], ["a"], ["b", "b"]]
