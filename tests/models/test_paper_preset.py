"""preset=paper on a tiny random LLaVA, against a straightforward re-implementation with `output_attentions`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers as hf
from attention.families import build_family
from attention.toys import IDS, PATCH, SIDE, make_tokenizer
from loguru import logger
from PIL import Image
from torch.nn import functional

from pixfound_tasks.attention.geometry import peak
from pixfound_tasks.models import presets
from pixfound_tasks.models.arguments import read_arguments
from pixfound_tasks.models.pixfound import PixFound

SIZE = (40, 70)  # height, width
SYSTEM = presets.PRESETS["paper"]["system"]
# LLaVA-1.5's template on the hub.
CHAT = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
STEPS = 12


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llava")
    processor = hf.LlavaProcessor(
        hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}),
        make_tokenizer(image_token="<image>"), patch_size=PATCH, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, image_token="<image>", chat_template=CHAT,
    )  # fmt: skip
    processor.save_pretrained(folder)
    build_family("llava").model.save_pretrained(folder)
    return folder


@pytest.fixture
def model(checkpoint, monkeypatch):
    monkeypatch.delenv("PIXFOUND_EXPRESSIONS", raising=False)
    made = PixFound(
        str(checkpoint), preset="paper", phrases="rules", select="similarity:lexical", segmenter="region",
        max_new_tokens=STEPS, device="cpu",
    )  # fmt: skip
    yield made
    monkeypatch.delenv("PIXFOUND_EXPRESSIONS", raising=False)


@pytest.fixture
def image():
    return Image.fromarray(np.random.RandomState(3).randint(0, 255, (*SIZE, 3)).astype(np.uint8))


def by_hand(model, processor, image, prompt):
    """The authors' steps: ids of the answer, and one map per token, (tokens, height, width)."""
    side, (height, width) = max(image.size), SIZE
    color = tuple(int(255 * mean) for mean in processor.image_processor.image_mean)
    square = Image.new("RGB", (side, side), color)
    square.paste(image, ((side - width) // 2, (side - height) // 2))
    text = f"{SYSTEM} USER: <image>\n{prompt} ASSISTANT:"
    inputs = processor(images=square, text=text, return_tensors="pt")
    hf.set_seed(2024)
    with torch.inference_mode():
        output = model.generate(
            **inputs, do_sample=True, temperature=0.2, max_new_tokens=STEPS, output_attentions=True,
            return_dict_in_generate=True, pad_token_id=0,
        )  # fmt: skip
    ids = output.sequences[0, inputs["input_ids"].shape[1] :].tolist()
    columns = inputs["input_ids"][0] == IDS["<image>"]
    rows = []
    for step, layers in enumerate(output.attentions):
        query = -2 if step == 0 else -1  # the first token: the second-to-last query of the prompt
        stacked = torch.stack([layer[0, :, query, : len(columns)][:, columns] for layer in layers])
        rows.append(stacked.mean(dim=(0, 1)))
    centered = torch.stack(rows) - torch.stack(rows).mean(dim=0)  # over all steps, end-of-text among them
    grids = centered.view(len(rows), 1, SIDE // PATCH, SIDE // PATCH)
    maps = functional.interpolate(grids, (side, side), mode="bicubic")[:, 0]
    top, left = (side - height) // 2, (side - width) // 2
    return ids, maps[:, top : top + height, left : left + width].numpy()


def test_rows_centering_first_query_and_sampling_are_the_studys(model, checkpoint, image):
    prompt = "Identify  the dog in the scene."
    hf.set_seed(2024)
    look = model.lens.look(image, prompt, **model.arguments.generation)
    eager = hf.LlavaForConditionalGeneration.from_pretrained(checkpoint, attn_implementation="eager").eval()
    eager.generation_config.pad_token_id, eager.generation_config.eos_token_id = 0, 2
    ids, maps = by_hand(eager, model.lens.processor, image, prompt)
    ids = ids[: ids.index(2)] if 2 in ids else ids
    assert look.text == model.lens.processor.tokenizer.decode(ids, skip_special_tokens=True).strip()
    assert len(look.token_chars) == len(ids) > 3
    np.testing.assert_allclose(look.maps(), maps[: len(ids)], atol=1e-5)
    # The whole-number corner of the highest pixel of a phrase's map.
    token, span = next((t, span) for t, span in enumerate(look.token_chars) if t and span[0] < span[1])
    row, column = np.unravel_index(maps[token].argmax(), SIZE)
    assert peak(look.phrase_map(span), corner=True) == pytest.approx((column / SIZE[1], row / SIZE[0]))


@pytest.fixture
def logged():
    messages: list[str] = []
    sink = logger.add(lambda line: messages.append(line.record["message"]), level="INFO")
    yield messages
    logger.remove(sink)


def test_every_setting_is_logged_and_what_is_given_wins(checkpoint, logged):
    arguments = read_arguments({"pretrained": str(checkpoint), "preset": "paper", "mask": "single", "phrases": "rules"})
    assert (arguments.mask, arguments.point, arguments.query, arguments.sampling_seed) == (
        "single", "corner", "study", 2024,
    )  # fmt: skip
    lines = [line for line in logged if "preset=paper" in line]
    assert len(lines) == len(presets.PRESETS["paper"])
    assert any("mask='single' (given; the preset has 'third')" in line for line in lines)


def test_the_provenance_tells_a_preset_run_apart(model):
    made = model.grounder.provenance
    assert made["preset"] == "paper" and made["mask"] == "third" and made["point"] == "corner"
    assert made["query"] == made["reducer"] == "study" and made["temperature"] == 0.2 and made["pad"] is True


def test_a_judge_beside_the_preset_selects_as_in_the_study(checkpoint):
    def judging(**given):
        return read_arguments({"pretrained": str(checkpoint), "preset": "paper", **given}).judging

    asked = {"select": "judge", "judge": "openai:gpt-4o"}
    assert judging(**asked) == "study" and judging(**asked, judging="default") == "default"
    assert judging() == "default"  # the preset selects by similarity
    assert judging(**asked | {"judge": "self", "judging": "default"}) == "default"
    for wrong in (asked | {"judge": "self"}, {"judging": "study"}):
        with pytest.raises(ValueError, match="expected select=judge and judge=openai:MODEL with judging=study"):
            judging(**wrong)


def test_the_rules_of_a_judge_are_in_the_provenance(monkeypatch, checkpoint, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path))
    for rules in ("study", "default"):
        made = PixFound(
            str(checkpoint), select="judge", judge="openai:m", judging=rules, phrases="rules", segmenter="region",
            device="cpu",
        )  # fmt: skip
        assert made.grounder.provenance.get("judging") == {"study": "study"}.get(rules)
        assert made.grounder.judging == rules


def test_an_answer_without_a_phrase_is_wrong_whatever_is_there(model, image):
    empty = model.lens.look(image, "x", **model.arguments.generation).part((0, 0))
    assert model.grounder.ground(empty, image, "the dog").provenance["unanswered"] is True


@pytest.mark.parametrize(
    ("model_type", "vision", "message"),
    [
        ("cambrian_llama", None, "transformers has no Cambrian-1"),
        ("qwen2_5_vl", None, "expected LLaVA-1.5 with preset=paper, such as .*, but got qwen2_5_vl"),
        ("llava", "pixtral", "expected LLaVA-1.5 with preset=paper"),
    ],
)
def test_other_models_get_a_clear_word(model_type, vision, message):
    with pytest.raises(ValueError, match=message):
        presets.check_family("paper", model_type, vision)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="expected preset to be one of .*paper.*, but got 'papr'"):
        read_arguments({"preset": "papr"})
