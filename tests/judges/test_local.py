from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from pixfound_tasks import Lens, mini
from pixfound_tasks.judges.base import JudgeDown, NoReply, make_judge
from pixfound_tasks.judges.local import LocalJudge
from pixfound_tasks.judges.thinking import whole_reply

WORDS = "yes no is it the wings open closed user assistant : ?"


@pytest.fixture(scope="module")
def text_model(tmp_path_factory):
    """A tiny random Llama with a word tokenizer that begins with <s>, and no chat template; its folder."""
    folder = tmp_path_factory.mktemp("llama")
    plain = Tokenizer(models.WordLevel(unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    plain.train_from_iterator([WORDS], trainers.WordLevelTrainer(special_tokens=["<unk>", "<s>", "</s>"]))
    plain.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    ).save_pretrained(folder)
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=plain.get_vocab_size(), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, bos_token_id=1, eos_token_id=2, pad_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def greedy(folder, text, steps=64):
    """The most likely continuation, token by token, without `generate`."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = LlamaForCausalLM.from_pretrained(folder).eval()
    ids = tokenizer(text, return_tensors="pt").input_ids
    start = ids.shape[1]
    for _ in range(steps):
        token = model(ids).logits[0, -1].argmax()
        if token == tokenizer.eos_token_id:
            break
        ids = torch.cat([ids, token.view(1, 1)], 1)
    return tokenizer.decode(ids[0, start:], skip_special_tokens=True).strip()


def test_a_text_model_replies_greedily(text_model):
    judge = LocalJudge(str(text_model))
    assert judge.name == f"local:{text_model}" and not judge.takes_images
    assert judge.ask("is it open ?") == greedy(text_model, "is it open ?") != ""


@pytest.mark.parametrize("begin", ["", "<s>"])
def test_a_chat_template_is_used_and_the_text_begins_once(text_model, tmp_path, monkeypatch, begin):
    folder = shutil.copytree(text_model, tmp_path / "chat")
    template = begin + "{% for message in messages %}user : {{ message['content'] }} {% endfor %}assistant :"
    (folder / "chat_template.jinja").write_text(template)
    seen = []
    plain = LlamaForCausalLM.generate
    monkeypatch.setattr(
        LlamaForCausalLM, "generate", lambda model, **o: seen.append(o["input_ids"]) or plain(model, **o)
    )
    reply = LocalJudge(str(folder)).ask("is it open ?")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    assert tokenizer.decode(seen[0][0]) == "<s> user : is it open ? assistant :"
    assert reply == greedy(folder, "user : is it open ? assistant :")


def test_a_text_model_refuses_images(text_model, scene_image):
    with pytest.raises(ValueError, match="expected a judge that takes images, but local:.* reads text only"):
        LocalJudge(str(text_model)).ask("p", [scene_image])


def test_weights_are_loaded_at_the_first_question(text_model, tmp_path):
    folder = shutil.copytree(text_model, tmp_path / "late")
    judge = LocalJudge(str(folder))
    (folder / "model.safetensors").unlink()
    with pytest.raises(JudgeDown, match=r"local:.* does not run: OSError"):
        judge.ask("p")


def test_changed_weights_are_another_judge(text_model, tmp_path):
    folder = shutil.copytree(text_model, tmp_path / "changed")
    before = LocalJudge(str(folder)).settings
    assert before == LocalJudge(str(folder)).settings
    (folder / "model.safetensors").write_bytes(b"")
    assert before != LocalJudge(str(folder)).settings


def test_an_image_model_reads_text_and_images(scene_image, monkeypatch, tmp_path):
    monkeypatch.setenv("PIXFOUND_CACHE", str(tmp_path))
    judge = make_judge(f"local:{mini.weights_folder()}")
    question = "Identify the red circle in the scene."
    seen = judge.ask(question, [scene_image])
    folder = mini.weights_folder()
    model, processor = AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    assert seen == Lens(model, processor).answer_all([scene_image], [question], max_new_tokens=64)[0].text
    assert judge.ask(question) != seen
    assert len(list(tmp_path.rglob("*.json"))) == 2


@pytest.mark.parametrize(
    ("template", "replies", "limits"),
    [
        ("", ["yes"], [64]),
        ("", ["<think> is it", "<think> is it </think> yes"], [64, 4096]),  # the reply shows that it thinks
        ("<think>", ["is it the", "is it the wings </think> yes"], [64, 4096]),  # only the template does
        ("<think>", ["</think> yes"], [64]),
    ],
)
def test_a_judge_that_thinks_gets_more_tokens(template, replies, limits):
    asked = []

    def generate(limit):
        asked.append(limit)
        reply = replies[len(asked) - 1]
        return reply, limit if len(asked) < len(limits) else len(reply)

    assert whole_reply("j", SimpleNamespace(chat_template=template), 64, generate).endswith("yes") and asked == limits


@pytest.mark.parametrize(
    ("template", "text"), [("", "<think> yes"), ("<think>", "yes"), ("{% if enable_thinking %}", "a")]
)
def test_a_judge_that_never_stops_thinking_gives_no_reply(template, text):
    with pytest.raises(NoReply, match="j is still thinking after 4096 tokens"):
        whole_reply("j", SimpleNamespace(chat_template=template), 64, lambda limit: (text, limit))


def test_a_local_judge_that_thinks_endlessly_gives_no_reply(text_model, tmp_path, monkeypatch):
    folder = shutil.copytree(text_model, tmp_path / "thinks")
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }} <think>")
    plain = LlamaForCausalLM.generate
    limits = []

    def generate(model, max_new_tokens, **options):
        limits.append(max_new_tokens)
        tokens = min(max_new_tokens, 80)
        return plain(model, **options, max_new_tokens=tokens, min_new_tokens=tokens)

    monkeypatch.setattr(LlamaForCausalLM, "generate", generate)
    monkeypatch.setattr("pixfound_tasks.judges.thinking.MAX_TOKENS_THINKING", 80)
    with pytest.raises(NoReply, match=r"local:.* is still thinking after 80 tokens"):
        LocalJudge(str(folder)).ask("is it open ?")
    assert limits == [64, 80]


def test_threads_take_turns(text_model, monkeypatch):
    running, most = [], []
    plain = LlamaForCausalLM.generate

    def generate(model, **options):
        running.append(model)
        most.append(len(running))
        time.sleep(0.02)
        running.pop()
        return plain(model, **{**options, "max_new_tokens": 3})

    monkeypatch.setattr(LlamaForCausalLM, "generate", generate)
    judge = LocalJudge(str(text_model))
    prompts = [f"is it {word} ?" for word in WORDS.split()]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(judge.ask, prompts))
    assert most == [1] * len(prompts)
    assert together == [judge.ask(prompt) for prompt in prompts] and len(set(together)) > 1
