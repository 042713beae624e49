"""Files of PixCV-Bench that are not what was published: every error names the file, what is wrong and what to do."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import standins_pixcv
from changed_pixcvbench import changed, parquet, replace, rewrite

from pixfound_tasks.benchmarks import pixcvbench
from pixfound_tasks.benchmarks.pixcvbench import PUBLISHED_COUNTS, Counts, checked, find, join
from pixfound_tasks.benchmarks.sources import DataError

TINY_COUNTS = Counts(images=5, from_ade20k=3, empty_masks=1)
ADE, COCO = "ADE20K/validation/FinalSegmentations.json", "COCO/FinalSegmentations.json"


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Five images in the authors' layout, found through PIXFOUND_DATA."""
    monkeypatch.setenv("PIXFOUND_DATA", str(tmp_path / "data"))
    return standins_pixcv.make_tiny(tmp_path / "data")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(3, idx=9), r"Objects\.csv to be about 000000000009\.jpg in row 9 of test\.parquet, but got None"),
        (changed(3, idx=4), r"about 000000000009\.jpg in row 4 of test\.parquet, but got 000000000007\.jpg"),
        (changed(3, source="Omni3D"), r"an image of ADE20K or COCO .* in row 3 .*got '000000000009\.jpg' of Omni3D"),
        (changed(3, source_filename="x/8.jpg"), r"in row 3 of test\.parquet, but got '8\.jpg' of COCO"),
        (changed(1, answer="(C)"), r"an answer like '\(A\)' among \['A', 'B'\] in row 1 .*, but got '\(C\)'"),
        (changed(1, answer="A"), r"an answer like '\(A\)' among .*, but got 'A'"),
        (changed(1, prompt=None), r"expected \['prompt'\] in row 1 of .*test\.parquet, but got nothing"),
        (changed(1, image={"bytes": b"version https"}), r"an image in row 1 .*ADE_val_00000001\.jpg\), but got b'vers"),
        (changed(1, image={"bytes": None}), r"expected a file ADE20K/ADE_val_00000001\.jpg in"),
    ],
)
def test_questions_that_cannot_be_joined_say_why(tiny, change, message):
    rewrite(tiny, change)
    with pytest.raises(DataError, match=message):
        list(join(find()))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("CV-Bench/Objects.csv", "Objects", "Object", r"columns \['Objects'\] in Objects\.csv, but got \['', 'Id'"),
        ("CV-Bench/Objects.csv", "3,3,", "3,4,", r"row 3 of Objects\.csv to have 4 columns and Id 3"),
        ("CV-Bench/Objects.csv", ",person\n", ",\n", r"a name or a tuple of two names .*row 3 .*, but got ''"),
        (
            "CV-Bench/Objects.csv",
            "('bicycle', 'person')",
            "('bicycle'",
            r"row 4 of test\.parquet, but got \"\('bicycle'\"",
        ),
        ("CV-Bench/Objects.csv", "'wall')", "'wall', 'x')", r"for row 1 .*'x'\)\""),
        (ADE, "ADE_val_00000001", "ADE_1", r"listed in its FinalSegmentations\.json in row 1 of test\.parquet"),
        (ADE, '"image_id": 0', '"image_id": 8', r"in ADE20K/FinalSegmentations\.json, but got KeyError: 8"),
        (ADE, '"segmentation"', '"mask"', r"in ADE20K/FinalSegmentations\.json, but got KeyError: 'segmentation'"),
        (ADE, "[4, 2, 12, 2, ", "[", r"for ADE_val_00000001\.jpg in ADE20K/Final.*a polygon .*got \[12, 10, 4, 10\]"),
        (ADE, '"size": [12, 16]', '"size": [12, 17]', r"ADE_val_00000003\.jpg .*add up to 204 pixels"),
        (COCO, '"size": [48, 64]', '"size": [480000, 640000]', r"000000000007\.jpg in COCO/.*an RLE with a valid"),
        (COCO, '{"categories"', "version https", r"JSON in COCO/FinalSegmentations\.json, but got: Expecting"),
    ],
)
def test_annotations_that_cannot_be_joined_say_why(tiny, file, old, new, message):
    replace(tiny / file, old, new)
    with pytest.raises(DataError, match=message):
        list(join(find()))


def test_a_parquet_that_is_none_is_named(tiny):
    table = pq.read_table(parquet(tiny))
    pq.write_table(table.drop_columns(["prompt"]), parquet(tiny))
    with pytest.raises(DataError, match=r"columns \['prompt'\] in .*test\.parquet, but got \['idx', 'type'"):
        find()
    parquet(tiny).write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(DataError, match=r"a parquet file in .*test\.parquet, but got: .*: fetch it again"):
        find()


@pytest.mark.parametrize("missing", [ADE, COCO, "CV-Bench/test.parquet", "CV-Bench/Objects.csv"])
def test_a_missing_file_is_named_with_the_layout(tiny, missing):
    (tiny / missing).unlink()
    with pytest.raises(DataError, match=rf"expected a file \S*{Path(missing).name} in ") as caught:
        list(join(find()))
    assert pixcvbench.LAYOUT in str(caught.value)


def test_segmentations_are_told_apart_by_their_folder(tiny):
    (tiny / COCO).rename(tiny / "FinalSegmentations.json")
    with pytest.raises(
        DataError, match=r"folder whose name holds one of .*, but got FinalSegmentations\.json in .*name"
    ):
        find()
    (tiny / "COCO_ADE20K").mkdir()
    (tiny / "FinalSegmentations.json").rename(tiny / "COCO_ADE20K" / "FinalSegmentations.json")
    with pytest.raises(DataError, match=r"but got COCO_ADE20K/FinalSegmentations\.json in"):
        find()


def test_what_is_joined_must_be_what_was_published(tiny):
    documents = list(join(find()))
    assert list(checked(documents, TINY_COUNTS)) == documents
    for counts in (TINY_COUNTS._replace(empty_masks=0), TINY_COUNTS._replace(from_ade20k=2), PUBLISHED_COUNTS):
        with pytest.raises(DataError, match=re.escape(f"expected {counts} in PixCV-Bench, but got {TINY_COUNTS}")):
            list(checked(documents, counts))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ("01233", r"expected every idx once in PixCV-Bench, but got several rows of idx \[3\]"),
        ("01235", r"expected idx 0 to 4 in PixCV-Bench, but got idx up to 5"),
        ("01324", r"expected images of ADE20K up to idx 2 in PixCV-Bench, but got one at 3"),
    ],
)
def test_every_number_stands_for_one_image(tiny, ids, message):
    documents = [document._replace(id=id) for document, id in zip(join(find()), ids)]
    with pytest.raises(DataError, match=message):
        list(checked(documents, TINY_COUNTS))


def test_an_image_column_without_anything_in_it_is_none(tiny):
    table = pq.read_table(parquet(tiny)).drop_columns(["image"])
    pq.write_table(table.append_column("image", pa.nulls(len(table))), parquet(tiny))
    with pytest.raises(DataError, match=r"expected a file ADE20K/ADE_val_00000003\.jpg"):
        list(join(find()))
