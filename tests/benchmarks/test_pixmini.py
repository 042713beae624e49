import re
import subprocess
import sys
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixfound_tasks import benchmarks
from pixfound_tasks.benchmarks.documents import fingerprint
from pixfound_tasks.benchmarks.pixmini import FIRST_SEED, PAIR_COUNT, PATTERNS, build
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.masks import area, decode
from pixfound_tasks.mini import questions
from pixfound_tasks.mini.pairs import sample_pair
from pixfound_tasks.mini.questions import ASKERS
from pixfound_tasks.mini.scenes import draw

# SHA-256 over the pixels, masks and texts of all documents. It moves with scenes.py, questions.py and pixmini.py only,
# and then on purpose: results on PixMini before and after do not compare.
GOLDEN = "8589296cc0b2ef5c5a537f2273f9b52a25f50c702e02c9c0efcbb4cbd00f6e46"


@pytest.fixture(scope="module")
def documents():
    return build()


def test_the_same_bits_on_every_machine(documents):
    assert fingerprint(documents) == GOLDEN


def test_the_fingerprint_sees_every_pixel_and_no_encoder(documents):
    image = Image.open(BytesIO(documents[0].image["bytes"]))

    def with_image(pixels, **options):
        buffer = BytesIO()
        pixels.save(buffer, "PNG", **options)
        return [documents[0]._replace(image={"bytes": buffer.getvalue(), "path": None})]

    alike, other = with_image(image, compress_level=0), image.copy()
    other.putpixel((111, 111), (0, 0, 0))
    assert alike[0].image != documents[0].image
    assert fingerprint(alike) == fingerprint(documents[:1]) != fingerprint(with_image(other))


def test_pairs_are_numbered_and_have_opposite_answers(documents):
    assert [document.id for document in documents] == [str(n) for n in range(1, 121)]
    for index in range(60):
        first, second = documents[2 * index : 2 * index + 2]
        assert (first.pair, second.pair) == (index, index)
        assert (first.question, first.options, first.expression) == (second.question, second.options, second.expression)
        assert {first.answer, second.answer} == {"a", "b"}
        assert first.options_text == f"(a) {first.options[0]} (b) {first.options[1]}"


def test_nine_kinds_as_evenly_as_sixty_pairs_allow(documents):
    # 60 = 9 * 6 + 6: the first six kinds (side, height, color, size, presence, count) come seven times.
    assert list(PATTERNS) == list(ASKERS)
    assert Counter(document.pattern for document in documents[::2]) == {
        "Positional and Relational Context": 7 + 7 + 6 + 6,
        "Color and Appearance": 7,
        "Structural and Physical Characteristics": 7,
        "Presence of Specific Features": 7,
        "Quantity and Count": 7,
        "Orientation and Direction": 6,
    }


def test_an_absent_shape_has_an_empty_mask_and_only_it(documents):
    absent = [document for document in documents if not area(document.mask)]
    # One image of each of the seven presence pairs: there the answer is No, the second option.
    assert [document.pair for document in absent] == [4, 13, 22, 31, 40, 49, 58]
    assert {(document.pattern, document.answer) for document in absent} == {("Presence of Specific Features", "b")}


def test_images_are_kept_losslessly_and_masks_are_the_targets(documents):
    count_pair = 5  # the sixth kind: its expression refers to one shape in one image and to two in the other
    pair = sample_pair(np.random.RandomState(FIRST_SEED + count_pair), "count")
    assert sorted(map(len, pair.targets)) == [1, 2]
    for half, document in enumerate(documents[2 * count_pair : 2 * count_pair + 2]):
        drawing = draw(pair.scenes[half])
        np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(document.image["bytes"]))), drawing.image)
        expected = sum(drawing.masks[target] for target in pair.targets[half]) > 0
        np.testing.assert_array_equal(decode(document.mask), expected)


def test_no_pair_is_drawn_from_the_training_seed():
    training = Path(questions.__file__).with_name("train.py").read_text()  # read, because importing it imports torch
    seed = int(re.search(r"^SEED = (\d+)$", training, re.MULTILINE)[1])
    assert seed not in range(FIRST_SEED, FIRST_SEED + PAIR_COUNT)


def test_it_loads_from_where_yaml_says(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path))
    loaded = benchmarks.load("pixmini")["test"]
    assert [place.name for place in tmp_path.iterdir()] == [f"pixmini-v2-{GOLDEN[:16]}"]
    assert str(next(tmp_path.iterdir())) == benchmarks.PIXMINI
    assert len(loaded) == get_benchmark("pixmini").document_count
    image = benchmarks.images("pixmini")["120"]
    assert (image.mode, image.size) == ("RGB", (112, 112))


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
