import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import standins
from PIL import Image

from pixfound_tasks import benchmarks
from pixfound_tasks.benchmarks import pixmmvp
from pixfound_tasks.benchmarks.documents import Document, as_dataset, features
from pixfound_tasks.benchmarks.pixmmvp import PUBLISHED_COUNTS, Counts, check, correct_answer, find, join, parse_options
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.benchmarks.sources import DataError
from pixfound_tasks.masks import area, decode

TINY_COUNTS = Counts(images=6, pairs=3, without_expression=2, empty_masks=3)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A folder of three pairs in the authors' layout, found through PIXFOUND_DATA."""
    for name in ("PIXFOUND_ANSWERS", "PIXFOUND_REVISION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIXFOUND_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path / "cache"))
    return standins.make_tiny(tmp_path / "data")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The real annotations, with stand-ins for the images, in the authors' layout."""
    shared = os.environ.get("PIXFOUND_SHARED") or Path(__file__).parents[3] / "shared"
    annotations = Path(shared) / "data" / "pixmmvp"
    if not annotations.is_dir():
        pytest.skip("needs the annotations of PixMMVP in ../shared/data/pixmmvp, or PIXFOUND_SHARED to name shared")
    return standins.make(annotations, tmp_path_factory.mktemp("published"))


@pytest.fixture
def published_files(published, monkeypatch):
    monkeypatch.setenv("PIXFOUND_DATA", str(published.parent))
    return find()


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_documents_are_joined_from_all_files(tiny):
    first, second, third, fourth, fifth, sixth = join(find(), origin="here")
    assert first._replace(mask={}, image={}) == Document(
        benchmark="pixmmvp",
        id="1",
        file="1.jpg",
        pair=0,
        question="Are the wings open, or closed?",
        options=["Open", "Closed"],
        options_text="(a) Open (b) Closed",
        prompt=None,
        answer="a",
        pattern="State and Condition",
        task="",
        source="",
        expression="the wings",
        mask={},
        width=32,
        height=24,
        origin="here",
        image={},
    )
    assert [d.answer for d in (first, second, third, fourth, fifth, sixth)] == ["a", "b", "a", "b", "b", "a"]
    assert [d.pair for d in (second, third, fourth, fifth, sixth)] == [0, 1, 1, 2, 2]
    assert (third.options, third.options_text) == (["Yes", "No"], " (a) Yes (b) No ")
    assert fourth.pattern == "Orientation and Direction"
    assert (fifth.expression, sixth.expression) == (None, None)
    assert first.image["bytes"] == (tiny / "MMVP Images" / "1.jpg").read_bytes()


def test_a_mask_is_the_union_of_an_images_polygons(tiny):
    targets = [decode(document.mask) for document in join(find())]
    # Two squares of 8 pixels whose corners overlap in 4x4: x 4..12 and 8..16, y 2..10 and 6..14.
    expected = np.zeros((24, 32), bool)
    expected[2:10, 4:12] = expected[6:14, 8:16] = True
    np.testing.assert_array_equal(targets[0], expected)
    assert [int(target.sum()) for target in targets] == [64 + 64 - 16, 100, 32 * 24, 0, 0, 0]


def test_a_small_l_in_the_header_of_mmvps_questions_is_read_as_index(tiny):
    replace(tiny / "Questions.csv", "Index,", "lndex,")
    assert join(find())[0].question == "Are the wings open, or closed?"


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "Questions.csv",
            "Correct Answer",
            "Answer",
            r"columns \['Correct Answer'\] in Questions.csv, but got \['Index'",
        ),
        ("Objects.csv", "4, the flame", "5, the flame", r"row 4 of Objects.csv to have 2 columns and Index 4, .*'5'"),
        ("Objects.csv", "5, None\n6, None\n", "", r"'Questions.csv': 6, 'Objects.csv': 4, 'visual_patterns.csv': 6"),
        ("Questions.csv", "5,Is it sunny?", '5,"Is it sunny?', r"row 5 of Questions.csv"),
        ("Questions.csv", "(a) Open (b) Closed", "Open / Closed", r"options like .* but got 'Open / Closed'"),
        ("Segmentations.json", "2.jpg", "two.jpg", r"expected 2\.jpg in Segmentations.json"),
        (
            "Segmentations.json",
            '{"images',
            "version https://git-lfs",
            r"JSON in Segmentations.json, but got: Expecting",
        ),
        ("Segmentations.json", '"width": 32', '"width": 33', r"1\.jpg to be of size \(33, 24\), but got \(32, 24\)"),
    ],
)
def test_files_that_cannot_be_joined_say_why(tiny, file, old, new, message):
    replace(tiny / file, old, new)
    with pytest.raises(DataError, match=message):
        join(find())


def test_an_image_that_is_none_is_named(tiny):
    (tiny / "MMVP Images" / "3.jpg").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(DataError, match=r"an image in 3\.jpg, but got b'version https://git-lfs"):
        join(find())


def test_what_is_joined_must_be_what_was_published(tiny):
    documents = join(find())
    check(documents, TINY_COUNTS)
    with pytest.raises(DataError, match=r"expected Counts\(images=300, .*but got Counts\(images=6, pairs=3, .*fetch"):
        check(documents, PUBLISHED_COUNTS)
    with pytest.raises(DataError, match=r"empty_masks=2\) in PixMMVP, but got Counts\(.* empty_masks=3\)"):
        check(documents, TINY_COUNTS._replace(empty_masks=2))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("question", "Why?", r"the same question for images 3 and 4 .*'Is there a flame\?' and 'Why\?'"),
        ("options", ["Yes", "Nay"], r"the same options for images 3 and 4"),
        ("expression", "the fire", r"the same expression for images 3 and 4 .*'the flame' and 'the fire'"),
        ("answer", "a", r"one answer a and one b for images 3 and 4 in PixMMVP, but got 'a' and 'a'"),
    ],
)
def test_a_pair_must_be_one(tiny, field, value, message):
    documents = join(find())
    documents[3] = documents[3]._replace(**{field: value})
    with pytest.raises(DataError, match=message):
        check(documents, TINY_COUNTS)


def test_no_mask_without_an_expression(tiny):
    documents = join(find())
    documents[4] = documents[4]._replace(mask=documents[1].mask)
    with pytest.raises(DataError, match=r"empty masks for images 5 and 6, .*got areas \[100, 0\]"):
        check(documents, TINY_COUNTS._replace(empty_masks=2))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("(a) Open (b) Closed", ["Open", "Closed"]),
        (" (a) 12 (b) 1 ", ["12", "1"]),
        ("(a)Open(b)Closed", ["Open", "Closed"]),
        ("(a) The cup(s) (b) A plate (or two)", ["The cup(s)", "A plate (or two)"]),
        ("(a) One (b) Two (c) Three", ["One", "Two", "Three"]),
    ],
)
def test_options_are_parsed_whatever_the_spacing(text, options):
    assert parse_options(text) == options


@pytest.mark.parametrize(
    "text", ["", "Open", "(a) Open", "(b) Open (a) Closed", "(a) Open (b) ", "Is it (a) Open (b) Closed"]
)
def test_options_that_are_none_are_an_error(text):
    with pytest.raises(DataError, match="expected options like"):
        parse_options(text)


@pytest.mark.parametrize("written", ["(a)", "(b)"])
def test_mislabelled_answers_do_not_depend_on_the_copy(written):
    # MMVP's repository, issues 14 and 30: published as a b for 99 100 and 279 280, both pairs the wrong way round.
    mislabelled = ["99", "100", "279", "280"]
    assert [correct_answer(identifier, written, "original") for identifier in mislabelled] == ["a", "b", "a", "b"]
    assert [correct_answer(identifier, written, "corrected") for identifier in mislabelled] == ["b", "a", "b", "a"]
    assert correct_answer("98", written, "corrected") == correct_answer("98", written, "original") == written[1]


def test_it_is_joined_once_and_then_read(tiny, monkeypatch):
    monkeypatch.setattr(pixmmvp, "PUBLISHED_COUNTS", TINY_COUNTS)
    documents = benchmarks.load("pixmmvp")["test"]
    monkeypatch.setattr(pixmmvp, "join", None)
    again = benchmarks.load("pixmmvp")["test"]
    assert again.features == features() and tuple(features()) == Document._fields
    assert again.remove_columns("image").to_list() == documents.remove_columns("image").to_list()
    assert again[0]["mask"]["size"] == [24, 32] and again[5]["expression"] is None
    assert benchmarks.folder("pixmmvp") == benchmarks.PIXMMVP

    images = benchmarks.images("pixmmvp")
    assert list(images) == ["1", "2", "3", "4", "5", "6"]
    expected = Image.open(tiny / "MMVP Images" / "6.jpg")
    assert (images["6"].mode, images["6"].tobytes()) == ("RGB", expected.tobytes())


def test_the_answers_chosen_are_kept_apart_and_told(tiny, monkeypatch):
    monkeypatch.setattr(pixmmvp, "PUBLISHED_COUNTS", TINY_COUNTS)
    original = benchmarks.load("pixmmvp")["test"][0]["origin"]
    monkeypatch.setenv("PIXFOUND_ANSWERS", "corrected")
    assert benchmarks.load("pixmmvp")["test"][0]["origin"] == f"{original}, corrected answers"
    assert original == f"PixMMVP, content {find().digest()[:12]}"
    monkeypatch.setenv("PIXFOUND_ANSWERS", "correct")
    with pytest.raises(
        ValueError,
        match=r"PIXFOUND_ANSWERS to be one of \['corrected', 'original'\], but got 'correct'; did you mean 'corrected'",
    ):
        benchmarks.load("pixmmvp")


def test_what_fails_its_checks_is_not_saved(tiny, tmp_path):
    with pytest.raises(DataError, match="images=300"):
        benchmarks.load("pixmmvp")
    assert not (tmp_path / "cache").exists()


def test_the_published_annotations_hold_what_is_known_of_them(published_files):
    documents = join(published_files)
    check(documents, PUBLISHED_COUNTS)
    nothing_asked = [int(document.id) for document in documents if document.expression is None]
    assert nothing_asked == [23, 24, 105, 106, 145, 146, 241, 242, 273, 274, 295, 296, 299, 300]
    absent = [document for document in documents if document.expression and not area(document.mask)]
    assert len(absent) == 39 and len({document.pair for document in absent}) == 39  # never both of a pair
    assert Counter(document.answer for document in documents) == {"a": 150, "b": 150}
    assert {len(document.options) for document in documents} == {2}
    assert Counter(document.pattern for document in documents) == {
        "Presence of Specific Features": 81,
        "Positional and Relational Context": 56,
        "State and Condition": 38,
        "Color and Appearance": 28,
        "Viewpoint and Perspective": 24,
        "Quantity and Count": 24,
        "Orientation and Direction": 23,
        "Structural and Physical Characteristics": 14,
        "Text": 12,
    }


def test_corrected_answers_differ_in_two_pairs_of_the_published_ones(published_files):
    original, corrected = (join(published_files, answers) for answers in ("original", "corrected"))
    differ = [a.id for a, b in zip(original, corrected) if a.answer != b.answer]
    assert differ == ["99", "100", "279", "280"]
    check(corrected, PUBLISHED_COUNTS)
    assert len(as_dataset(corrected)["test"]) == get_benchmark("pixmmvp").document_count
