import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import standins_pixcv
from changed_pixcvbench import changed, parquet, replace, rewrite
from datasets import load_from_disk
from PIL import Image

from pixfound_tasks import benchmarks
from pixfound_tasks.benchmarks import pixcvbench
from pixfound_tasks.benchmarks.documents import Document
from pixfound_tasks.benchmarks.pixcvbench import PUBLISHED_COUNTS, Counts, checked, find, join
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.benchmarks.sources import DataError
from pixfound_tasks.masks import area, decode

TINY_COUNTS = Counts(images=5, from_ade20k=3, empty_masks=1)
ADE, COCO = "ADE20K/validation/FinalSegmentations.json", "COCO/FinalSegmentations.json"


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A folder of five images in the authors' layout, found through PIXFOUND_DATA."""
    monkeypatch.delenv("PIXFOUND_REVISION", raising=False)
    monkeypatch.setenv("PIXFOUND_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path / "cache"))
    return standins_pixcv.make_tiny(tmp_path / "data")


def test_documents_are_joined_from_all_files(tiny):
    documents = list(join(find(), origin="here"))
    assert documents[1]._replace(mask={}, image={}) == Document(
        benchmark="pixcvbench",
        id="1",
        file="ADE_val_00000001.jpg",
        pair=None,
        question="Considering the relative positions of the stairs, steps and the wall (annotated by the red box) in "
        "the image provided, where is the stairs, steps located with respect to the wall (annotated by the red box)?",
        options=["above", "below"],
        options_text="(A) above (B) below",
        prompt="Considering the relative positions of the stairs, steps and the wall (annotated by the red box) in "
        "the image provided, where is the stairs, steps located with respect to the wall (annotated by the red box)? "
        "Select from the following choices.\n(A) above\n(B) below",
        answer="b",
        pattern="",
        task="Relation",
        source="ADE20K",
        expression="wall (annotated by the red box) and stairs, steps",
        mask={},
        width=32,
        height=24,
        origin="here",
        image={},
    )
    assert [d.id for d in documents] == ["0", "1", "2", "3", "4"]  # not the row of part 3D
    assert [d.task for d in documents] == ["Count", "Relation", "Count", "Count", "Relation"]
    assert [d.source for d in documents] == ["ADE20K"] * 3 + ["COCO"] * 2
    assert [d.expression for d in documents] == [
        "curtain, drape, drapery",
        "wall (annotated by the red box) and stairs, steps",
        "bucket, pail",
        "person",
        "bicycle (annotated by the red box) and person",
    ]
    assert documents[4].file == "000000000007.jpg"  # of /coco/val2017/000000000007.jpg
    assert [d.image["bytes"] for d in documents] == [standins_pixcv.picture(n, (24, 32)) for n in range(5)]


def test_a_mask_is_the_union_of_an_images_annotations_at_its_size(tiny):
    targets = [decode(document.mask) for document in join(find())]
    expected = np.zeros((5, 24, 32), bool)
    expected[0, 6:12, 8:16] = True  # rows 3 to 5 and columns 4 to 7 of 12x16
    expected[1, 2:10, 4:12] = True
    expected[3, 0:10, 0:10] = expected[3, 8:20, 8:20] = True
    expected[4, :, 30:] = expected[4, 0, 0] = True  # the last 4 of 64 columns
    np.testing.assert_array_equal(targets, expected)


def test_it_is_saved_and_read_again(tiny, monkeypatch):
    monkeypatch.setattr(pixcvbench, "PUBLISHED_COUNTS", TINY_COUNTS)
    folder = benchmarks.PIXCVBENCH
    rows = load_from_disk(folder)["test"]
    assert rows["id"][:] == ["0", "1", "2", "3", "4"]
    assert rows[0]["image"].size == (32, 24)
    assert re.fullmatch(r"PixCVBench, content [0-9a-f]{12}", rows[0]["origin"])
    assert folder == benchmarks.PIXCVBENCH
    replace(tiny / "CV-Bench" / "Objects.csv", "bucket, pail", "bucket")
    assert folder != benchmarks.PIXCVBENCH


def test_an_image_on_its_side_is_measured_upright(tiny, tmp_path):
    """COCO's photographs may say by EXIF that they are turned, and `datasets` turns them: 32x24 becomes 24x32."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (24, 32)).save(tmp_path / "turned.jpg", exif=exif)
    image = {"bytes": (tmp_path / "turned.jpg").read_bytes(), "path": None}
    rewrite(tiny, changed(3, image=image))
    document = list(join(find()))[3]
    assert (document.width, document.height) == (32, 24)
    assert document.mask["size"] == [24, 32]


def test_images_lie_in_folders_where_the_parquet_has_none(tiny):
    pictures = {}
    for row in pq.read_table(parquet(tiny)).to_pylist()[:5]:
        place = "ADE20K/validation/images" if row["source"] == "ADE20K" else "COCO/coco/images"
        file = tiny / place / Path(row["source_filename"]).name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(row["image"]["bytes"])
        pictures[str(row["idx"])] = row["image"]["bytes"]
    assert not any("/ADE_val" in name for name in find().paths)  # nobody needs them yet
    rewrite(tiny, lambda row: row | {"image": None})
    assert {document.id: document.image["bytes"] for document in join(find())} == pictures
    table = pq.read_table(parquet(tiny))
    pq.write_table(table.drop_columns(["image"]), parquet(tiny))
    assert len(list(join(find()))) == 5
    (tiny / "COCO/coco/images/000000000007.jpg").unlink()
    with pytest.raises(DataError, match=r"a file COCO/000000000007\.jpg in .*PixCVBench, but .*COCO/coco/images"):
        list(join(find()))


def test_the_hubs_own_files_of_cv_bench_do_in_the_local_folder(tiny):
    whole = pq.read_table(parquet(tiny))
    parquet(tiny).unlink()
    pq.write_table(whole.slice(0, 5), tiny / "CV-Bench" / "test_2d.parquet")
    pq.write_table(whole.slice(5), tiny / "CV-Bench" / "test_3d.parquet")
    files = find()
    assert [name for name in files.paths if name.endswith(".parquet")] == ["test_2d.parquet"]
    assert len(list(join(files))) == 5


def test_documents_come_one_by_one(tiny):
    rewrite(tiny, changed(4, answer="(X)"))
    documents = join(find())
    assert [next(documents).id for _ in range(4)] == ["0", "1", "2", "3"]
    with pytest.raises(DataError, match="in row 4"):
        next(documents)


def test_the_published_annotations_hold_what_is_known_of_them(shared, tmp_path, monkeypatch):
    """The counts of CV-Bench's paper and card: 788 questions to count, 650 on relations."""
    made = standins_pixcv.make(shared / "data" / "pixcvbench", tmp_path / "data")
    monkeypatch.setenv("PIXFOUND_DATA", str(made.parent))
    documents = list(checked(join(find()), PUBLISHED_COUNTS))
    assert len(documents) == get_benchmark("pixcvbench").document_count
    assert [int(document.id) for document in documents] == list(range(1438))
    assert Counter((document.source, document.task) for document in documents) == {
        ("ADE20K", "Count"): 342, ("ADE20K", "Relation"): 291, ("COCO", "Count"): 446, ("COCO", "Relation"): 359,
    }  # fmt: skip
    assert [document.file for document in documents if area(document.mask) == 0] == ["ADE_val_00001096.jpg"]
    assert documents[343].expression == "light, light source and stairway, staircase"
    assert all(document.expression.count(" and ") == 1 for document in documents if document.task == "Relation")
    # COCO's are at the images' size: pycocotools' own union of the file's RLEs, where there are only RLEs.
    from pycocotools import mask as coco

    content = json.loads((made / COCO).read_text())
    by_image = {image["file_name"]: [] for image in content["images"]}
    names = {image["id"]: image["file_name"] for image in content["images"]}
    for annotation in content["annotations"]:
        by_image[names[annotation["image_id"]]].append(annotation["segmentation"])
    for document in documents[633::20]:
        if all(isinstance(shape, dict) for shape in by_image[document.file]):
            assert document.mask["counts"] == coco.merge(by_image[document.file])["counts"].decode()
