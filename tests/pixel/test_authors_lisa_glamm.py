"""LISA and GLaMM against what the authors' own code gave for the same tiny weights."""

from __future__ import annotations

import json
import tarfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixfound_tasks.pixel.families.registry import Options, load_pixel_model
from pixfound_tasks.pixel.sam_decoder import sam_pixels
from pixfound_tasks.pixel.states import record_states

FAMILIES = ("lisa", "glamm")
STATE, LOGITS, PIXELS = 1e-4, 1e-3, 5
HALF = 4e-3  # rounding of the logits that are stored in half precision
END = 2


class Fixture:
    """One archive: its cases, arrays and masks, and our model for a template."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases = json.loads((folder / "expected" / "cases.json").read_text())["cases"]
        self.model = cache(self._model)

    def _model(self, template: str):
        options = Options(torch.float32, more={"template": template})
        return load_pixel_model(str(self.folder / "checkpoint"), options=options)

    def of(self, *kinds: str):
        return [case for case in self.cases if case["kind"] in kinds]

    def arrays(self, case):
        return np.load(self.folder / "expected" / f"{case['name']}.npz")

    def image(self, case):
        return Image.open(self.folder / case["image"])

    def masks(self, case):
        return [np.asarray(Image.open(self.folder / "expected" / name)) > 0 for name in case["mask_files"]]

    def check_masks(self, case, states, embeddings, low_res_logits, masks) -> None:
        stored = self.arrays(case)
        assert len(states) == len(stored["seg_hidden"]) == len(masks)
        np.testing.assert_allclose(states, stored["seg_hidden"], atol=STATE)
        np.testing.assert_allclose(embeddings, stored["seg_embed"], atol=STATE)
        if "low_res_logits" in stored:
            np.testing.assert_allclose(low_res_logits, stored["low_res_logits"], atol=LOGITS)
        else:
            np.testing.assert_allclose(low_res_logits, stored["low_res_logits_f16"], atol=LOGITS + HALF)
        expected = self.masks(case)
        assert len(expected) == len(masks)
        assert max(int((one != other).sum()) for one, other in zip(masks, expected)) <= PIXELS


@pytest.fixture(scope="module", params=FAMILIES)
def fixtures(request, shared, tmp_path_factory):
    """All archives of a family."""
    archives = sorted((shared / "data" / "pixel").glob(f"{request.param}_*.tar.gz"))
    if not archives:
        pytest.skip("needs the archives in data/pixel (shared)")
    found = []
    for archive in archives:
        with tarfile.open(archive) as file:
            file.extractall(tmp_path_factory.getbasetemp() / "authors", filter="data")
        found.append(Fixture(tmp_path_factory.getbasetemp() / "authors" / archive.name.removesuffix(".tar.gz")))
    return found


def test_ids_texts_and_masks_are_the_authors(fixtures):
    for fixture in fixtures:
        cases = fixture.of("chat", "region_chat", "chat_without_seg")
        assert {len(case.get("mask_files", ())) for case in cases} >= {0, 1, 2}  # none, one, several
        assert len({case["image"] for case in cases}) == 3  # square, wide, tall
        for case in cases:
            model = fixture.model(case["conv_type"])
            boxes = case.get("boxes_xyxy_pixels")
            given = {"boxes": [boxes]} if boxes else {}
            (answer,) = model.answer_all(
                [fixture.image(case)], [case["user_prompt"]], max_new_tokens=case.get("max_new_tokens", 20), **given
            )
            expected = case["output_ids"][len(case["input_ids"]) :]
            assert list(answer.ids) == [token for token in expected if token != END], case["name"]
            if case.get("mask_files"):
                drawn = answer.low_res_logits, answer.masks
                fixture.check_masks(case, answer.states, answer.embeddings, *drawn)
                stored = fixture.arrays(case)["iou_pred"].reshape(len(answer.masks), -1)[:, 0]
                np.testing.assert_allclose(answer.scores, stored, atol=STATE)
            else:
                assert answer.masks.shape == (0, *fixture.image(case).size[::-1])


def test_prompts_and_decoded_texts_are_the_authors(fixtures):
    for fixture in fixtures:
        for case in fixture.of("chat", "region_chat", "chat_without_seg"):
            processor = fixture.model(case["conv_type"]).processor
            content = [{"type": "image"}, {"type": "text", "text": case["user_prompt"]}]
            text = processor.apply_chat_template([{"role": "user", "content": content}])
            assert text == case["prompt_string"]
            ids = [-200 if token == processor.image_token_id else token for token in processor.ids(text)]
            at = ids.index(-200)
            assert ids[at : at + processor.image_tokens] == [-200] * processor.image_tokens
            assert ids[: at + 1] + ids[at + processor.image_tokens :] == case["input_ids"]
            decoded = processor.tokenizer.decode([token for token in case["output_ids"] if token != -200])
            assert decoded == case.get("decoded_full", decoded)
            shown = decoded.replace("\n", "").replace("  ", " ")
            assert case["text_output"] in (shown, shown.split("ASSISTANT: ")[-1])


def test_given_answers_are_read_as_in_the_authors_evaluation(fixtures):
    for fixture in fixtures:
        for case in fixture.of("teacher_forced"):
            model = fixture.model(case["conv_type"])
            ids = [model.processor.ids(text) for text in case["prompt_strings"]]
            image, rows = fixture.image(case), []
            for own, expected, kept in zip(ids, case["input_ids"], case["attention_mask"]):
                whole = [token for token, keep in zip(expected, kept) if keep]
                tokens = model.processor.image_tokens
                at = whole.index(-200)
                assert own == whole[:at] + [model.processor.image_token_id] * tokens + whole[at + 1 :]
                inputs = model.processor(images=[[image]], text=[case["prompt_strings"][len(rows)]])
                with torch.inference_mode(), record_states(model.model, [model.mask_token], "predict") as states:
                    model.model(**inputs)
                places = [place for place, token in enumerate(own) if token == model.mask_token]
                rows.append(torch.stack([states.of(0, place) for place in places]))
            found = torch.cat(rows)
            with torch.inference_mode():
                embeddings = model.projection(found)
                drawing = model.decoder.draw(image, embeddings)
            fixture.check_masks(case, found, embeddings, drawing.low_res_logits, drawing.masks)


def test_batches_on_the_left_padded_are_the_same(fixtures):
    for fixture in fixtures:
        cases = [case for case in fixture.of("chat") if case["conv_type"] == "llava_v1"]
        model = fixture.model("llava_v1")
        found = model.look_all(
            [fixture.image(case) for case in cases], [case["user_prompt"] for case in cases], max_new_tokens=20
        )
        assert len({len(case["input_ids"]) for case in cases}) > 1
        for case, (answer, look) in zip(cases, found):
            assert list(answer.ids) == [token for token in case["new_ids"] if token != END]
            fixture.check_masks(case, answer.states, answer.embeddings, answer.low_res_logits, answer.masks)
            assert look.rows.shape == (len(answer.ids), model.processor.image_tokens)
            assert np.isfinite(look.rows).all() and look.text == answer.text


def test_what_clip_and_sam_see_is_the_authors(fixtures):
    for fixture in fixtures:
        for case in fixture.of("chat"):
            model, stored, image = fixture.model("llava_v1"), fixture.arrays(case), fixture.image(case)
            seen = torch.from_numpy(model.processor.image_processor([image]))
            rows = stored["clip_pixels_rows"].reshape(3, -1, seen.shape[-1])
            step = seen.shape[2] // rows.shape[1] + (seen.shape[2] % rows.shape[1] > 0)
            np.testing.assert_allclose(seen[0][:, ::step], rows, atol=1e-5)
            padded = sam_pixels(image, model.decoder.sam.config.vision_config.image_size)
            np.testing.assert_allclose(padded[:, ::64, ::64], stored["sam_pixels_sub"].reshape(3, 16, 16), atol=1e-5)


def test_region_features_are_the_authors(fixtures):
    for fixture in fixtures:
        for case in fixture.of("region_chat"):
            model, stored = fixture.model("llava_v1"), fixture.arrays(case)
            found = model.region_features(fixture.image(case), case["boxes_xyxy_pixels"])
            np.testing.assert_allclose(found, stored["region_features"], atol=1e-3)
            with pytest.raises(ValueError, match="as many boxes"):
                model.answer_all([fixture.image(case)], ["no region"], boxes=[case["boxes_xyxy_pixels"]])
