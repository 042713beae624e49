"""What the page's gallery holds of a run, and how it stays small."""

import base64
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from written_run import HOSTILE, IMAGES, SIZE, box, vqa_sample, write_run, write_samples

from pixfound_tasks import masks
from pixfound_tasks.report.html import gallery, pictures
from pixfound_tasks.response import Candidate, Phrase, Response
from pixfound_tasks.runs.run import Record, read_runs
from pixfound_tasks.runs.summary import summarize

IMAGE = Image.new("RGB", SIZE[::-1], "white")


def contents(runs, images):
    return gallery.contents(runs, [summarize(run) for run in runs], images)


@pytest.fixture
def run_folder(tmp_path):
    return write_run(tmp_path / "run")


def test_gallery_joins_by_image(run_folder):
    index, blocks = contents(read_runs(run_folder), {"pixmini": {"1": IMAGE}})
    numbers = {id: document["image"] for id, document in index["documents"]["pixmini"].items()}
    assert [id for id, number in numbers.items() if number is not None] == ["1"]
    assert blocks[numbers["1"]].startswith("data:image/png;base64,")
    by_id = {answer["id"]: answer for answer in index["runs"][0]["answers"]}
    assert list(by_id) == list(IMAGES)
    assert by_id["3"]["ground"]["iou"] == 0.4
    assert by_id["3"]["outcomes"] == {"paper": "both_wrong", "strict": "both_wrong"}
    assert by_id["5"]["outcomes"] is None
    assert by_id["4"]["vqa"] == {"text": HOSTILE, "right": False}
    details = gallery.unpacked(blocks[by_id["1"]["ground"]["block"]])
    assert details["oracle"] == [0, 0] and details["mask"] == box(8)
    # Of ten true columns: the eight of the prediction, and one.
    assert [candidate["iou"] for candidate in details["phrases"][0]["candidates"]] == [0.8, 0.1]
    absent = gallery.unpacked(blocks[by_id["2"]["ground"]["block"]])
    assert [candidate["iou"] for candidate in absent["phrases"][0]["candidates"]] == [0.0, 0.0]


def test_what_is_shown_of_long_texts_is_cut(run_folder):
    sample = vqa_sample("4") | {"filtered_resps": "x" * 1_000_000}
    write_samples(run_folder / "maker__model", "pixmini_vqa", [sample], date="20260103_000000")
    index, _ = contents(read_runs(run_folder), {})
    (text,) = (answer["vqa"]["text"] for answer in index["runs"][0]["answers"] if answer["vqa"])
    assert text == "x" * 4000 + "\N{HORIZONTAL ELLIPSIS} (and 996000 more characters)"


@pytest.mark.parametrize(("count", "side"), [(500, 256), (501, 128), (2001, 96)])
def test_masks_of_many_answers_are_kept_small(run_folder, count, side):
    """The first half of 1000 columns stays half; its IoU is measured before it is made small."""
    (run,) = read_runs(run_folder)
    mask = np.zeros((300, 1000), bool)
    mask[:, :500] = True
    target, answer = masks.encode(mask), masks.encode(np.roll(mask, 250))
    record = next(each for each in run.records if each.document.id == "1")
    document = replace(record.document, mask=target, width=1000, height=300)
    phrase = Phrase(candidates=(Candidate(answer),))
    ground = replace(record.ground, response=Response(masks=(answer,), phrases=(phrase,)))
    records = (replace(record, document=document, ground=ground), *[Record(document)] * (count - 1))
    index, (block,) = contents([replace(run, records=records)], {})
    kept = index["documents"]["pixmini"]["1"]["mask"]
    assert kept["size"] == [round(0.3 * side), side]
    assert masks.area(kept) == kept["size"][0] * side / 2
    (candidate,) = gallery.unpacked(block)["phrases"][0]["candidates"]
    assert candidate["mask"]["size"] == kept["size"] and candidate["iou"] == pytest.approx(1 / 3, abs=1e-4)


@pytest.mark.parametrize(("count", "side"), [(500, 512), (501, 288)])
def test_photos_are_kept_smaller_the_more_there_are(count, side):
    photo = Image.new("RGB", (1000, 10))
    with ThreadPoolExecutor() as threads:
        uris = dict(pictures.embed(dict.fromkeys(range(count), photo), [*range(count), "missing"], threads))
    assert list(uris) == list(range(count))
    kind, _, encoded = uris[0].partition(";base64,")
    assert kind == "data:image/jpeg"
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).size == (side, round(side / 100))
