import subprocess
import sys
from collections import Counter
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pixfound_tasks import benchmarks
from pixfound_tasks.benchmarks import pixmini, pixmini_first
from pixfound_tasks.benchmarks.documents import fingerprint
from pixfound_tasks.benchmarks.pixmini import FIRST_SEED, PATTERNS, TOPICS, build, document
from pixfound_tasks.benchmarks.published import tally
from pixfound_tasks.benchmarks.records.pixmini import check_version
from pixfound_tasks.benchmarks.records.pixmmvp import BENCHMARK as PIXMMVP
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.masks import area, decode
from pixfound_tasks.mini import things, train
from pixfound_tasks.mini.batches import SEEDS
from pixfound_tasks.mini.pairs import sample_pair
from pixfound_tasks.mini.questions import ASKERS
from pixfound_tasks.mini.scenes import RADII, SIZES, draw
from pixfound_tasks.mini.vision_stage import ROUNDS

# SHA-256 over the pixels, masks and texts of all documents. It moves with the drawing, the questions and pixmini.py
# only, and then on purpose: results on PixMini before and after do not compare.
GOLDEN = "b0cd6488901ba9f9d4b591018da5687e728f1fe68ab12bd2b6f1db5a23f91d63"
FIRST_GOLDEN = "8589296cc0b2ef5c5a537f2273f9b52a25f50c702e02c9c0efcbb4cbd00f6e46"
PAIRS = 120


@pytest.fixture(scope="module")
def documents():
    return build()


def test_the_same_bits_on_every_machine(documents):
    assert fingerprint(documents) == GOLDEN == get_benchmark("pixmini").published.digest


def test_the_first_version_is_still_drawn_bit_by_bit():
    first = pixmini_first.build()
    assert fingerprint(first) == FIRST_GOLDEN
    assert {document.origin for document in first} == {"drawn, version 1"}


def test_the_variable_selects_the_version(monkeypatch):
    assert pixmini.builder().key == GOLDEN
    monkeypatch.setenv("PIXFOUND_PIXMINI", "1")
    assert pixmini.builder().key == FIRST_GOLDEN
    with pytest.raises(ValueError, match=r"PIXFOUND_PIXMINI.*'3'.*but got '2'"):
        check_version("2")


def test_the_fingerprint_sees_every_pixel_and_no_encoder(documents):
    image = Image.open(BytesIO(documents[0].image["bytes"]))

    def with_image(pixels, **options):
        buffer = BytesIO()
        pixels.save(buffer, "PNG", **options)
        return [documents[0]._replace(image={"bytes": buffer.getvalue(), "path": None})]

    alike, other = with_image(image, compress_level=0), image.copy()
    other.putpixel((11, 11), (0, 0, 0))
    assert alike[0].image != documents[0].image
    assert fingerprint(alike) == fingerprint(documents[:1]) != fingerprint(with_image(other))


def test_pairs_are_numbered_and_have_opposite_answers(documents):
    assert [document.id for document in documents] == [str(n) for n in range(1, 2 * PAIRS + 1)]
    for index in range(PAIRS):
        first, second = documents[2 * index : 2 * index + 2]
        assert (first.pair, second.pair) == (index, index)
        assert (first.question, first.options, first.expression) == (second.question, second.options, second.expression)
        assert {first.answer, second.answer} == {"a", "b"}
        assert first.options_text == f"(a) {first.options[0]} (b) {first.options[1]}"


def test_all_nine_patterns_of_pixmmvp(documents):
    named = {name.removeprefix("images of pattern ") for name in PIXMMVP.published.counts if "pattern" in name}
    counts = Counter(document.pattern for document in documents[::2])
    assert set(counts) == named and set(counts.values()) == {13, 16}
    assert counts["Positional and Relational Context"] == 16  # 16 + 8 * 13 = 120
    assert sorted(PATTERNS) == sorted(ASKERS) and set(TOPICS) == named


def test_it_has_what_data_version_3_is_for(documents):
    assert {(document.width, document.height) for document in documents} == set(SIZES)
    assert {document.origin for document in documents} == {"drawn, version 3"}
    absent = [document for document in documents if not area(document.mask)]
    # One image of each of the 6 presence pairs and the 7 pairs about a part; there the answer is No, the second option.
    assert len(absent) == 13 and {document.answer for document in absent} == {"b"}
    assert sum(" of the " in document.expression for document in absent) == 7
    parts = {part for parts in things.PARTS.values() for part in parts}
    assert sum(any(part in document.expression for part in parts) for document in documents) >= 80
    several = [document for document in documents if document.pattern == "Quantity and Count"]
    assert len(several) == 26


def test_some_targets_are_behind_others():
    hidden = 0
    for index in range(PAIRS):
        pair = pixmini._pair(index)
        hidden += any(
            not scene.is_clear(thing)
            for scene, question in zip(pair.scenes, pair.questions)
            for thing in question.reference.things
        )
    assert hidden >= 10


def test_half_of_the_pairs_on_states_and_viewpoints_show_small_things():
    small = Counter(
        pair.topic
        for pair in map(pixmini._pair, range(PAIRS))
        if all(thing.radius < RADII[0] for scene in pair.scenes for thing in scene.things)
    )
    assert small == {"state": 7, "view": 7}


def test_tallies_are_the_published_ones(documents):
    counts = tally(documents)
    assert all(counts[name] == count for name, count in get_benchmark("pixmini").published.counts.items())


def test_images_are_kept_losslessly_and_masks_are_the_targets(documents):
    index = next(i for i in range(PAIRS) if documents[2 * i].pattern == "Quantity and Count")
    pair = sample_pair(np.random.RandomState(FIRST_SEED + index), "count")
    assert sorted(len(question.reference.things) for question in pair.questions)[1] > 1
    for half in (0, 1):
        kept = documents[2 * index + half]
        drawing = draw(pair.scenes[half])
        np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(kept.image["bytes"]))), drawing.image)
        expected = np.isin(drawing.owner, pair.questions[half].reference.things)
        np.testing.assert_array_equal(decode(kept.mask), expected)
        assert document(2 * index + half + 1) == kept


def test_no_pair_is_drawn_from_a_training_seed():
    # Training seeds RandomState with arrays, which give other streams than the numbers that the pairs are drawn from.
    streams = {tuple(np.random.RandomState(FIRST_SEED + i).randint(2**31 - 1, size=4)) for i in range(PAIRS)}
    trained = {
        tuple(np.random.RandomState([train.SEED, SEEDS[stage.name], step]).randint(2**31 - 1, size=4))
        for stage in (*ROUNDS, *train.BASE_STAGES, train.LAST_STAGE)
        for step in range(stage.steps)
    }
    assert len(streams) == PAIRS and not streams & trained


def test_it_loads_from_where_yaml_says(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path))
    loaded = benchmarks.load("pixmini")["test"]
    assert [place.name for place in tmp_path.iterdir()] == [f"pixmini-v2-{GOLDEN[:16]}"]
    assert str(next(tmp_path.iterdir())) == benchmarks.PIXMINI
    assert len(loaded) == get_benchmark("pixmini").document_count
    image = benchmarks.images("pixmini")["240"]
    assert image.mode == "RGB" and image.size in SIZES


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"\['pixcvbench', .*'pixmmvp'\], but got 'pixmvp'; did you mean 'pixmmvp'\?"):
        benchmarks.load("pixmvp")
    with pytest.raises(AttributeError, match="no attribute 'PIXMAXI'"):
        _ = benchmarks.PIXMAXI


def test_importing_the_package_is_light():
    check = (
        "import sys, pixfound_tasks.benchmarks; sys.exit(any(m in sys.modules for m in ('datasets', 'torch', 'PIL')))"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
