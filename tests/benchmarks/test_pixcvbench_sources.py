"""Where PixCV-Bench is found: the hub's two data sets, in whatever layout, and the revision that is asked for."""

import shutil

import huggingface_hub
import pyarrow.parquet as pq
import pytest
import standins_pixcv

from pixfound_tasks.benchmarks import pixcvbench
from pixfound_tasks.benchmarks.sources import DataError, requested_revision

CARD = """---
configs:
- config_name: default
  data_files:
  - split: test
    path: "test*.parquet"
- config_name: 2D
  data_files:
  - split: test
    path: "test_2d.parquet"
- config_name: 3D
  data_files: test_3d.parquet
---
# CV-Bench
"""


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("PIXFOUND_DATA", "PIXFOUND_REVISION", "PIXFOUND_CACHE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def made(tmp_path):
    return standins_pixcv.make_tiny(tmp_path / "made")


@pytest.fixture
def hub(tmp_path, monkeypatch, made):
    """Both data sets as folders that the hub's client serves, laid out in other ways than locally."""
    annotations = tmp_path / "annotations" / ("a" * 40)
    for source, file in standins_pixcv.SEGMENTATION_FILES.items():
        place = annotations / "data" / f"{source.lower()}_masks" / "v1"
        place.mkdir(parents=True)
        shutil.copyfile(made / file, place / "FinalSegmentations.json")
    shutil.copyfile(made / "CV-Bench" / "Objects.csv", annotations / "Objects.csv")
    questions = tmp_path / "questions" / ("b" * 40)
    questions.mkdir(parents=True)
    whole = pq.read_table(made / "CV-Bench" / "test.parquet")
    pq.write_table(whole.slice(0, 5), questions / "test_2d.parquet")
    pq.write_table(whole.slice(5), questions / "test_3d.parquet")
    (questions / "README.md").write_text(CARD)
    asked = []

    def serve(repo, *, repo_type, revision, allow_patterns):
        asked.append((repo, revision, allow_patterns))
        return str({"IVUlab/pixcvbench": annotations, "nyu-visionx/CV-Bench": questions}[repo])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", serve)
    return {"annotations": annotations, "questions": questions, "asked": asked}


def test_files_are_told_apart_by_folder_and_named_by_the_card(hub):
    files = pixcvbench.find()
    assert files.origin == f"IVUlab/pixcvbench @ {'a' * 40}, nyu-visionx/CV-Bench @ {'b' * 40}"
    assert {name: path.parent.parent.name for name, path in files.paths.items() if "Final" in name} == {
        "ADE20K/FinalSegmentations.json": "ade20k_masks",
        "COCO/FinalSegmentations.json": "coco_masks",
    }
    assert hub["asked"] == [
        ("IVUlab/pixcvbench", None, ["*Objects.csv", "*FinalSegmentations.json"]),
        ("nyu-visionx/CV-Bench", None, ["README.md"]),
        ("nyu-visionx/CV-Bench", None, ["test_2d.parquet"]),
    ]


def test_downloaded_and_local_files_give_the_same_documents(hub, made, monkeypatch):
    downloaded = list(pixcvbench.join(pixcvbench.find()))
    monkeypatch.setenv("PIXFOUND_DATA", str(made.parent))
    assert downloaded == list(pixcvbench.join(pixcvbench.find()))
    assert len(downloaded) == 5


@pytest.mark.parametrize("card", [None, "# CV-Bench", CARD.replace("config_name: 2D", "config_name: flat")])
def test_without_a_word_of_the_card_the_files_tell_which_hold_2d(hub, card):
    (hub["questions"] / "README.md").unlink()
    if card:
        (hub["questions"] / "README.md").write_text(card)
    files = pixcvbench.find()
    assert [name for name in files.paths if name.endswith(".parquet")] == ["test_2d.parquet"]
    assert hub["asked"][-1] == ("nyu-visionx/CV-Bench", None, ["*.parquet"])


def test_parts_of_2d_are_put_together(hub):
    """The hub's own conversion has parts in a folder by configuration, which a card may name with a star."""
    whole = pq.read_table(hub["questions"] / "test_2d.parquet")
    (hub["questions"] / "2D").mkdir()
    pq.write_table(whole.slice(0, 2), hub["questions"] / "2D" / "test-00000.parquet")
    pq.write_table(whole.slice(2), hub["questions"] / "2D" / "test-00001.parquet")
    (hub["questions"] / "README.md").write_text(CARD.replace("test_2d.parquet", "2D/test-*.parquet"))
    assert [document.id for document in pixcvbench.join(pixcvbench.find())] == ["0", "1", "2", "3", "4"]


def test_segmentations_outside_a_folder_of_their_source_are_an_error(hub):
    (hub["annotations"] / "data" / "coco_masks").rename(hub["annotations"] / "data" / "masks")
    with pytest.raises(DataError, match=r"holds one of \('ADE20K', 'COCO'\), but got data/masks/v1/Final.*name the"):
        pixcvbench.find()


def test_questions_that_are_not_there_are_named(hub):
    (hub["questions"] / "test_2d.parquet").unlink()
    with pytest.raises(DataError, match=r"expected a file test\.parquet in the data sets IVUlab/pixcvbench and nyu-v"):
        list(pixcvbench.join(pixcvbench.find()))


@pytest.mark.parametrize(
    ("asked", "revision"),
    [("v2", "v2"), ("pixmmvp=v1,pixcvbench=v2", "v2"), ("pixcvbench=v2", "v2"), ("pixmmvp=v1", None)],
)
def test_a_revision_is_asked_for_the_annotations_only(hub, monkeypatch, asked, revision):
    monkeypatch.setenv("PIXFOUND_REVISION", asked)
    pixcvbench.find()
    assert [(repo, asked) for repo, asked, _ in hub["asked"]] == [
        ("IVUlab/pixcvbench", revision),
        ("nyu-visionx/CV-Bench", None),
        ("nyu-visionx/CV-Bench", None),
    ]


@pytest.mark.parametrize(
    ("asked", "pixmmvp", "pixcvbench"),
    [
        ("", None, None),
        (" main ", "main", "main"),
        ("pixmmvp=v1, pixcvbench = v2", "v1", "v2"),
        ("pixcvbench=refs/pr/1", None, "refs/pr/1"),
    ],
)
def test_revisions_are_one_or_by_name(monkeypatch, asked, pixmmvp, pixcvbench):
    monkeypatch.setenv("PIXFOUND_REVISION", asked)
    assert (requested_revision("pixmmvp"), requested_revision("pixcvbench")) == (pixmmvp, pixcvbench)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("pixmmvp=v1,v2", r"expected PIXFOUND_REVISION to be one revision, or .*got 'pixmmvp=v1,v2'; correct .*'v2'"),
        ("pixmmvp=", r"correct the part 'pixmmvp='"),
        ("pixmmvp=v1,pixmmvp=v2", r"each benchmark's once, .*correct the part 'pixmmvp=v2'"),
        ("pixcv=v1", r"the benchmark in PIXFOUND_REVISION to be one of \['pixcvbench', 'pixmmvp'\], but got 'pixcv'"),
    ],
)
def test_revisions_that_are_neither_say_why(monkeypatch, asked, message):
    monkeypatch.setenv("PIXFOUND_REVISION", asked)
    with pytest.raises(ValueError, match=message):
        requested_revision("pixmmvp")
