"""Looks: maps of phrases, saving and loading, plots."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from attention.test_exactness import PROMPTS, sample_images
from attention.test_lens import ANSWERS, lens_of
from PIL import Image
from safetensors.numpy import save_file

from pixfound_tasks import Look


def test_phrases_have_maps_and_peaks(mini_lens, scene_image):
    look = mini_lens.look(scene_image, "Describe the scene.")
    phrase = " ".join(look.text.split()[3:6])
    start = look.text.index(phrase)
    tokens = [i for i, (a, b) in enumerate(look.token_chars) if a < start + len(phrase) and b > start]
    expected = look.geometry.paint(look.values[tokens].mean(axis=0))
    np.testing.assert_array_equal(look.phrase_map(phrase), expected)
    np.testing.assert_array_equal(look.phrase_map((start, start + len(phrase))), expected)
    x, y = look.peak(phrase)
    height, width = expected.shape
    assert expected[int(y * height), int(x * width)] == expected.max()
    with pytest.raises(ValueError, match="expected a phrase of the answer 'The .*, but got 'a green elephant'"):
        look.phrase_map("a green elephant")


def test_looks_are_saved_whole_and_loaded_again(mini_lens, scene_image, tmp_path):
    look = mini_lens.look(scene_image, "Describe the scene.")
    place = tmp_path / "deep" / "look.safetensors"
    look.save(place)
    again = Look.load(place)
    assert (again.text, again.token_chars) == (look.text, look.token_chars)
    assert again.settings == json.loads(json.dumps(look.settings))
    np.testing.assert_array_equal(again.maps(), look.maps())
    assert [path.name for path in place.parent.iterdir()] == ["look.safetensors"]


def test_looks_of_a_mixed_batch_are_saved_as_they_are(tmp_path):
    # The rows of a batch have room for the sample with the most image tokens: a look's own are not contiguous there.
    lens = lens_of("qwen2_vl", reducer="mean", layers=range(2), heads=np.arange(3))
    for index, look in enumerate(lens.look_all(sample_images(), PROMPTS, ANSWERS)):
        look.save(tmp_path / f"{index}")
        again = Look.load(tmp_path / f"{index}")
        np.testing.assert_array_equal(again.rows, look.rows)
        np.testing.assert_array_equal(again.values, look.values)
        assert (again.settings["layers"], again.settings["heads"]) == ([0, 1], [0, 1, 2])
    backwards = replace(look, rows=look.rows[:, ::-1], values=np.asfortranarray(look.values))
    backwards.save(tmp_path / "backwards")
    np.testing.assert_array_equal(Look.load(tmp_path / "backwards").rows, backwards.rows)


def test_other_files_are_no_looks(mini_lens, scene_image, tmp_path):
    place = tmp_path / "file"
    look = mini_lens.look(scene_image, "Describe the scene.", "It shows a car.")
    look.save(place)
    whole = place.read_bytes()

    def with_head(**changes):
        head = {"schema": "pixfound-look/1", "text": "a", "token_chars": [[0, 1]], "sizes": [[9, 9]], "settings": {}}
        arrays = {"rows": look.rows[:1], "values": look.values[:1], "boxes_0": look.geometry.boxes}
        save_file(arrays, place, {"look": json.dumps(head | changes)})

    def with_text(text):
        save_file({"rows": look.rows}, place, {"look": text})

    with_head()
    assert Look.load(place).text == "a"
    for spoil in (
        lambda: place.write_bytes(b""), lambda: place.write_bytes(whole[:-9]), lambda: place.write_text("no"),
        lambda: save_file({"rows": look.rows}, place), lambda: with_text("[]"), lambda: with_text("{"),
        lambda: with_head(token_chars=[0, 1]), lambda: with_head(token_chars=[[0, 1], [1, 2]]),
        lambda: with_head(sizes=[]), lambda: with_head(sizes=[[9, 9], [9, 9]]), lambda: with_head(schema="other"),
    ):  # fmt: skip
        spoil()
        with pytest.raises(ValueError, match="to be written by Look.save as pixfound-look/1, but"):
            Look.load(place)


def test_many_threads_may_save_one_look(mini_lens, scene_image, tmp_path):
    look = mini_lens.look(scene_image, "Describe the scene.", "It shows a car.")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: look.save(tmp_path / "look"), range(60)))
    np.testing.assert_array_equal(Look.load(tmp_path / "look").rows, look.rows)
    assert [path.name for path in tmp_path.iterdir()] == ["look"]


def test_large_images_are_plotted_small(mini_lens, scene_image):
    look = mini_lens.look(scene_image.resize((1500, 900)), "Describe the scene.", "It shows a car.")
    panel = look.plot(["a car"]).axes[0]
    assert [image.get_array().shape[:2] for image in panel.images] == [(269, 448)] * 2


def test_plots_show_every_phrase_over_the_image(mini_lens, scene_image, tmp_path):
    look = mini_lens.look(scene_image, "Describe the scene.")
    words = look.text.split()
    figure = look.plot()
    assert [panel.get_title() for panel in figure.axes if panel.get_title()] == words
    assert figure.axes[-1].get_ylabel() == "attention, mean_centered"  # the color bar
    figure.savefig(tmp_path / "plot.png")
    assert Image.open(tmp_path / "plot.png").size[0] > 500
    panel = look.plot([words[0]]).axes[0]
    assert len(panel.images) == 2 and panel.images[0].get_array().shape == (160, 120, 3)
    look.save(tmp_path / "look.safetensors")
    loaded = Look.load(tmp_path / "look.safetensors")
    assert not loaded.plot([words[0]]).axes[0].images[0].get_array().any()  # without the image, over black
    assert loaded.plot([words[0]], picture=scene_image).axes[0].images[0].get_array().any()
