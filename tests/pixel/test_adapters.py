"""Models that other code runs: what they return is checked, and answers documents like any other model's."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from attention.toys import make_tokenizer
from PIL import Image
from running import evaluate, metrics
from safetensors.torch import save_file

from pixfound_tasks import masks
from pixfound_tasks.models.pixel_arguments import read_pixel_arguments
from pixfound_tasks.pixel.adapters import AdaptedModel, adapter_family
from pixfound_tasks.pixel.families.registry import FAMILIES, Options, load_pixel_model
from pixfound_tasks.response import from_text

CODE = """
import numpy as np
import torch
from transformers import PreTrainedConfig, PreTrainedModel


class ReddestConfig(PreTrainedConfig):
    model_type = "reddest"


class Reddest(PreTrainedModel):
    config_class = ReddestConfig

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(1, 1)
        self.post_init()

    def predict_forward(self, image=None, text=None, past_text="", tokenizer=None, processor=None):
        assert tokenizer.eos_token == "</s>" and text == "<image>\\nWhere?"
        red = np.asarray(image)[None, :, :, 0] > 128
        return {"prediction": "Sure, [SEG] and [SEG].<|im_end|>", "prediction_masks": [red, ~red]}
"""


class Halves:
    """Draws the left half; more of it with an option."""

    def __init__(self, pretrained, device, columns=2):
        self.name, self.device, self.columns = pretrained, device, int(columns)

    def predict(self, image, prompt):
        mask = np.zeros((image.height, image.width), np.uint8)
        mask[:, : image.width // self.columns] = 255
        return f" {prompt} of {self.name} ", [mask]


@pytest.fixture
def family(monkeypatch):
    """A function that registers an adapter under a name."""

    def register(make, name="halves", **options):
        monkeypatch.setitem(FAMILIES.data, name, adapter_family(make, **options))

    return register


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint with code of its own."""
    names = {"AutoConfig": "code.ReddestConfig", "AutoModel": "code.Reddest"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "reddest", "auto_map": names}))
    (tmp_path / "code.py").write_text(CODE)
    save_file({"layer.weight": torch.ones(1, 1), "layer.bias": torch.ones(1)}, tmp_path / "model.safetensors")
    make_tokenizer().save_pretrained(tmp_path)
    return str(tmp_path)


def test_an_adapter_answers_with_its_text_and_masks(family):
    family(Halves, options=("columns",))
    model = load_pixel_model("some/name", "halves", Options(device_map="cpu", more={"columns": 4}))
    assert isinstance(model, AdaptedModel) and model.adapter.device == "cpu"
    found = model.answer_all([Image.new("L", (40, 20)), Image.new("RGB", (8, 12))], ["A", "B"], max_new_tokens=5)
    assert [answer.text for answer in found] == ["A of some/name", "B of some/name"]
    assert [answer.masks.shape for answer in found] == [(1, 20, 40), (1, 12, 8)]
    assert found[0].masks[0].sum() == 20 * 10 and found[1].masks[0].sum() == 12 * 2
    assert np.isnan(found[0].scores).all() and found[0].chars == (None,)


@pytest.mark.parametrize(
    ("found", "kind", "message"),
    [
        ("Sure", TypeError, r"predict of halves to return \(text, masks\), but got 'Sure'"),
        ((None, []), TypeError, r"to return \(text, masks\)"),
        (("Sure", [np.zeros((4, 5))]), ValueError, r"\(height, width\) = \(5, 4\), but got \(4, 5\); resize"),
        (("Sure", [np.zeros((1, 5, 4))]), ValueError, r"but got \(1, 5, 4\)"),
    ],
)
def test_what_an_adapter_returns_is_checked(family, found, kind, message):
    class Wrong:
        def __init__(self, pretrained, device):
            pass

        def predict(self, image, prompt):
            return found

    family(Wrong)
    with pytest.raises(kind, match=message):
        load_pixel_model("name", "halves").answer_all([Image.new("RGB", (4, 5))], ["?"])


def test_masks_may_be_tensors_or_none(family):
    class Tensors:
        def __init__(self, pretrained, device):
            pass

        def predict(self, image, prompt):
            return "", [] if prompt == "none" else [torch.eye(4, dtype=torch.bfloat16), torch.eye(4) > 0]

    family(Tensors)
    some, none = load_pixel_model("name", "halves").answer_all([Image.new("RGB", (4, 4))] * 2, ["some", "none"])
    assert (some.masks == np.eye(4, dtype=bool)).all() and len(some.masks) == 2
    assert none.masks.shape == (0, 4, 4)


def test_documents_are_answered_by_an_adapter(family):
    family(Halves, options=("columns",), prompt="lisa")
    tasks = ["pixmini_ground", "pixmini_vqa", "pixmini_vqa_open"]
    run = evaluate("pixfound_pixel", "pretrained=some/name,family=halves,columns=4", tasks, limit=4, batch_size=2)
    ious = []
    for sample in run["samples"]["pixmini_ground"]:
        height, width = sample["pixfound"]["mask"]["size"]
        response = from_text(sample["filtered_resps"][0], (height, width))
        assert response.text.startswith("Can you segment ") and response.provenance["model"] == "some/name"
        assert response.provenance["family"] == "halves" and response.provenance["columns"] == 4
        (mask,) = response.masks
        assert masks.decode(mask).sum() == height * (width // 4) and response.tokens is None
        ious.append(masks.iou(response.prediction((height, width)), sample["pixfound"]["mask"]))
    assert metrics(run, "pixmini_ground")["miou"] == pytest.approx(sum(ious) / 4)
    assert all("of some/name" in sample["filtered_resps"][0] for sample in run["samples"]["pixmini_vqa"])
    opened = run["samples"]["pixmini_vqa_open"][0]
    assert from_text(opened["filtered_resps"][0], tuple(opened["pixfound"]["mask"]["size"])).masks is not None


def test_there_is_no_attention_of_other_code(family):
    family(Halves)
    given = "pretrained=some/name,family=halves,grounding=both,segmenter=region,phrases=rules"
    with pytest.raises(ValueError, match="expected grounding=own with family=halves, which other code runs"):
        evaluate("pixfound_pixel", given, ["pixmini_ground"], limit=1)


def test_options_are_those_of_the_family(family):
    family(Halves, options=("columns",))
    assert read_pixel_arguments({"pretrained": "x", "family": "halves", "columns": 3}).options == {"columns": 3}
    with pytest.raises(ValueError, match="a model argument to be one of"):
        read_pixel_arguments({"pretrained": "x", "family": "halves", "template": "llava_v1"})
    with pytest.raises(ValueError, match="a model argument to be one of"):
        read_pixel_arguments({"pretrained": "x", "columns": 3})
    with pytest.raises(ValueError, match="an option of halves"):
        load_pixel_model("x", "halves", Options(more={"rows": 3}))


def test_code_of_a_checkpoint_runs_only_if_the_user_says_so(checkpoint):
    for given in (None, {"trust_remote_code": False}, {"trust_remote_code": "false"}):
        with pytest.raises(ValueError, match="expected trust_remote_code=True, because .* run by code that comes with"):
            load_pixel_model(checkpoint, "predict_forward", Options(more=given))
    with pytest.raises(ValueError, match="a model argument to be one of"):
        read_pixel_arguments({"pretrained": checkpoint, "trust_remote_code": True})


def test_predict_forward_is_called_as_its_authors_do(checkpoint):
    arguments = read_pixel_arguments(
        {"pretrained": checkpoint, "family": "predict_forward", "trust_remote_code": "True"}
    )
    model = load_pixel_model(checkpoint, arguments.family, Options(more=arguments.options))
    image = Image.new("RGB", (6, 4))
    image.paste((255, 0, 0), (0, 0, 3, 4))
    (answer,) = model.answer_all([image], ["Where?"])
    assert answer.text == "Sure, [SEG] and [SEG]."
    assert answer.masks[0, :, :3].all() and not answer.masks[0, :, 3:].any()
    assert (answer.masks[1] == ~answer.masks[0]).all()


def test_a_model_without_predict_forward_is_an_error(checkpoint, tmp_path):
    (tmp_path / "code.py").write_text(CODE.replace("predict_forward", "forward"))
    with pytest.raises(ValueError, match="expected a model with predict_forward, but Reddest has none"):
        load_pixel_model(checkpoint, "predict_forward", Options(more={"trust_remote_code": True}))
