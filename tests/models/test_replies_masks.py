"""Mask pictures that are none: what other systems save in place of 0 and 255, and broken run lengths."""

from __future__ import annotations

import json

import numpy as np
import pytest
from matplotlib.image import imsave
from models.test_replay import document, replay
from PIL import Image, ImageFilter
from running import evaluate, metrics

from pixfound_tasks import benchmarks, masks
from pixfound_tasks.models.mask_pictures import NotAMask, read_picture
from pixfound_tasks.response import from_text

SIZE = (48, 64)
MASK = np.zeros(SIZE, bool)
MASK[10:30, 20:50] = True
TARGET = masks.encode(MASK)
PHOTO = np.random.RandomState(0).randint(0, 255, (*SIZE, 3)).astype(np.uint8)
TINT = np.array([255, 0, 0])
NEEDED = "expected a mask with 0 for the ground and another value for the object, but got "


def tinted(image, mask):
    return np.where(mask[..., None], image // 2 + TINT // 2, image).astype(np.uint8)


def cutout(image, mask, ground=255):
    return np.where(mask[..., None], image, ground).astype(np.uint8)


def with_alpha(colors, alpha):
    return np.concatenate([colors, np.broadcast_to(alpha, colors.shape[:2])[..., None]], -1).astype(np.uint8)


def levels(mask, low=0, high=255):
    return np.where(mask, high, low).astype(np.uint8)


def colored(mask, ground, color):
    return np.where(mask[..., None], color, ground).astype(np.uint8)


def blurred(array):
    return np.asarray(Image.fromarray(array).filter(ImageFilter.GaussianBlur(2)))


PICTURES = {  # as the inputs of replies.json are named
    "imsave_default.png": lambda path: imsave(path, MASK),
    "overlay.png": lambda path: Image.fromarray(tinted(PHOTO, MASK)).save(path),
    "cutout_white.png": lambda path: Image.fromarray(cutout(PHOTO, MASK)).save(path),
    "inverted.png": lambda path: Image.fromarray(levels(~MASK)).save(path),
    "l255.png": lambda path: Image.fromarray(levels(MASK)).save(path),
    "u16.png": lambda path: Image.fromarray(MASK.astype(np.uint16) * 65535).save(path),
    "cutout_alpha.png": lambda path: Image.fromarray(with_alpha(PHOTO, MASK * 255)).save(path),
}
AS_EXPECTED = ("l255.png", "u16.png", "cutout_alpha.png")  # read without a word


@pytest.fixture
def replies(shared):
    path = shared / "data" / "replies.json"
    if not path.is_file():
        pytest.skip("needs the study's files: data/replies.json (shared)")
    return [reply for reply in json.loads(path.read_text()) if reply["id"].startswith(("M", "RLE"))]


def replayed(folder):
    image = {**document("1", "1.png"), "image": Image.fromarray(PHOTO)}
    return from_text(replay("pixmini_ground", [image], masks=str(folder))[0], SIZE)


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_read_rightly_or_refused_and_a_word_is_said(tmp_path, warnings, name):
    PICTURES[name](tmp_path / "1.png")
    response = replayed(tmp_path)
    if name == "overlay.png":
        assert response.masks is None
        assert response.problems[0].startswith(f"1.png: {NEEDED}") and "an overlay" in response.problems[0]
        assert warnings[1].startswith(f"1 masks cannot be read and count as missing, such as '1.png' ({NEEDED}")
        return
    assert masks.iou(response.prediction(SIZE), TARGET) == 1.0 and not response.problems
    if name in AS_EXPECTED:
        assert warnings == [] and "mask_files_have" not in response.provenance
    else:
        assert warnings[0].startswith("1 mask files, such as '1.png', have ") and "ground" in warnings[0]
        assert response.provenance["mask_files_have"] in warnings[0]


def test_the_inputs_of_the_study_get_what_they_should(tmp_path, replies):
    pictures = [reply for reply in replies if reply["context"] == "pixfound_replay masks=DIR"]
    assert {reply["input"] for reply in pictures} == set(PICTURES)
    for reply in pictures:
        PICTURES[reply["input"]](tmp_path / "1.png")
        response = replayed(tmp_path)
        is_refused = response.masks is None and response.problems
        assert is_refused or masks.iou(response.prediction(SIZE), TARGET) == reply["expected"]


def test_broken_run_lengths_are_named_and_not_read():
    size = list(SIZE)
    for mask, problem in (
        ({"size": size, "counts": str(TARGET["counts"].encode())}, "expected run lengths that add up to 3072 pixels"),
        ({"size": size[::-1], "counts": TARGET["counts"]}, "expected a mask of size [48, 64], but got [64, 48]"),
    ):
        response = from_text(json.dumps({"masks": [mask]}), SIZE)
        assert response.masks == () and response.problems[0].startswith(f"masks[0]: {problem}")


WHOLE, NOTHING = np.ones(SIZE, bool), np.zeros(SIZE, bool)
AROUND = WHOLE.copy()
AROUND[20:28, 30:40] = False  # an object that touches the border everywhere


@pytest.mark.parametrize(
    ("picture", "expected", "note"),
    [
        (levels(MASK, 1, 2), MASK, "a ground of 1 in place of 0"),
        (colored(MASK, (0, 0, 127), (127, 0, 0)), MASK, "a ground of #00007f in place of 0"),
        (blurred(levels(MASK)), blurred(levels(MASK)) > 127, "many gray levels: those above half"),
        (blurred(levels(~MASK)), blurred(levels(~MASK)) < 128, "many gray levels, bright outside"),
        (blurred(levels(MASK)).astype(np.uint16) * 257, blurred(levels(MASK)) > 127, "many gray levels"),
        (np.stack([blurred(levels(MASK))] * 3, -1), blurred(levels(MASK)) > 127, "many gray levels"),
        (MASK * (1 + np.arange(64) // 20).astype(np.uint8), MASK, "several values"),
        (cutout(PHOTO | 1, MASK, 0), MASK, "many colors on a black ground"),
        (with_alpha(np.zeros_like(PHOTO), MASK * 255), MASK, ""),  # a black object
        (with_alpha(PHOTO, blurred(levels(MASK))), blurred(levels(MASK)) > 127, "many levels of transparency"),
        (levels(WHOLE), WHOLE, ""),
        (levels(NOTHING), NOTHING, ""),
    ],
    ids=[
        "1 and 2", "two colors", "soft", "soft inverted", "soft in 16 bits", "soft as RGB", "labels",
        "cutout on black", "black on nothing", "soft cutout", "all", "nothing",
    ],
)  # fmt: skip
def test_pictures_that_are_no_plain_masks_are_read_as_what_they_are(picture, expected, note):
    found = read_picture(Image.fromarray(picture))
    np.testing.assert_array_equal(found.mask, expected)
    assert found.note.startswith(note) and bool(found.note) == bool(note)


DRAWING = colored(MASK, (255, 255, 255), (0, 90, 0))  # on white, as photographs of products are
DRAWING[35:45, 5:15] = PHOTO[35:45, 5:15]


@pytest.mark.parametrize(
    "picture",
    [
        tinted(PHOTO, MASK),
        PHOTO,
        tinted(DRAWING, MASK),
        DRAWING,
        np.stack([blurred(levels(MASK)), blurred(levels(~MASK)), levels(MASK)], -1),  # a color map of many levels
        np.where(MASK, np.arange(64) * 3, 255).astype(np.uint8),  # gray on white: an object or its probabilities
    ],
    ids=["overlay", "photograph", "overlay of a drawing", "drawing", "color map", "gray on white"],
)
def test_pictures_that_do_not_show_a_mask_are_refused(picture):
    image = Image.fromarray(DRAWING if picture[0, 0].tolist() == [255] * 3 else PHOTO)
    with pytest.raises(NotAMask, match=NEEDED):
        read_picture(Image.fromarray(picture), image=image)


def test_a_cutout_is_told_from_an_overlay_by_the_image():
    image = Image.fromarray(DRAWING)
    assert (read_picture(Image.fromarray(cutout(PHOTO, MASK)), image=Image.fromarray(PHOTO)).mask == MASK).all()
    gray = np.where(MASK, np.arange(64) + 9, 0).astype(np.uint8)  # of a gray image; most of it is darker than half
    same = Image.fromarray(np.stack([np.broadcast_to(np.arange(64, dtype=np.uint8) + 9, SIZE)] * 3, -1))
    assert (
        read_picture(Image.fromarray(gray), image=same.resize((128, 96), Image.Resampling.NEAREST)).mask == MASK
    ).all()
    with pytest.raises(NotAMask):
        read_picture(Image.fromarray(tinted(DRAWING, MASK)), image=image)


def test_the_folder_says_which_of_two_values_is_the_ground(tmp_path, warnings):
    shapes = [MASK, np.roll(MASK, 5, 0), np.roll(MASK, 5, 1), AROUND, NOTHING]
    documents = [{**document(str(n), f"{n}.png"), "image": Image.fromarray(PHOTO)} for n in range(1, 6)]

    def predicted(write):
        for number, shape in enumerate(shapes, 1):
            write(tmp_path / f"{number}.png", shape)
        texts = replay("pixmini_ground", documents, masks=str(tmp_path))
        return [masks.decode(from_text(text, SIZE).prediction(SIZE)) for text in texts]

    for write in (
        lambda path, mask: Image.fromarray(levels(mask)).save(path),
        lambda path, mask: Image.fromarray(levels(~mask)).save(path),
        lambda path, mask: Image.fromarray(colored(mask, (68, 1, 84), (253, 231, 36))).save(path),
    ):
        np.testing.assert_array_equal(predicted(write), shapes)
    cut_out = predicted(lambda path, mask: Image.fromarray(cutout(PHOTO, mask)).save(path))
    np.testing.assert_array_equal(cut_out, [*shapes[:3], NOTHING, NOTHING])  # of one, the border shows no ground
    assert warnings[0].startswith("1 mask files, such as '4.png', have a mask around a ground of 0")
    assert warnings[1].startswith("5 mask files, such as '1.png', have a ground of 255 in place of 0: all that is not")


def test_masks_of_nearly_everything_are_said_once_a_run(tmp_path, warnings):
    documents = [document(str(number), f"{number}.jpg") for number in (1, 2, 3)]
    for number in (1, 2, 3):
        Image.new("L", (6, 4), 255 if number < 3 else 0).save(tmp_path / f"{number}.png")
    replay("pixmini_ground", documents, masks=str(tmp_path))
    said = "the masks of 2 of 3 documents cover more than 90% of the image: check that they are 0 outside the object"
    assert warnings[-1] == said
    warnings.clear()
    Image.new("L", (6, 4)).save(tmp_path / "2.png")
    replay("pixmini_ground", documents, masks=str(tmp_path))
    assert not any("cover more than" in warning for warning in warnings)


@pytest.mark.parametrize("kind", ["inverted", "viridis", "cutout", "overlay"])
def test_perfect_predictions_in_another_form_score_one_or_are_missing(tmp_path, kind):
    readable = []
    for doc in benchmarks.load("pixmini")["test"]:
        mask, image = masks.decode(doc["mask"]).astype(bool), np.asarray(doc["image"].convert("RGB"))
        path = tmp_path / f"{doc['id']}.png"
        # In a cutout, a white pixel of a thing is as the ground is.
        seen = mask & (image != 255).any(axis=2) if kind == "cutout" else mask
        readable.append(seen.sum() / mask.sum() if mask.any() else 1.0)
        if kind == "viridis":
            imsave(path, mask)
        else:
            form = {"inverted": levels(~mask), "cutout": cutout(image, mask), "overlay": tinted(image, mask)}[kind]
            Image.fromarray(form).save(path)
    found = metrics(evaluate("pixfound_replay", f"masks={tmp_path}", ["pixmini_ground"]), "pixmini_ground")
    if kind == "overlay":
        assert found["unparsed"] == 1.0
    else:
        assert (found["miou"], found["unparsed"]) == (pytest.approx(np.mean(readable), abs=1e-12), 0.0)
        assert kind == "cutout" or np.mean(readable) == 1.0
