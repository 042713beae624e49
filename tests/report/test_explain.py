"""`pixfound explain`: the command on the embedded model, and explanations made by hand of which all is known."""

import io
import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image, ImageFile
from rectangles import rectangle
from rich.console import Console
from typer.testing import CliRunner

from pixfound_tasks.attention.look import Look
from pixfound_tasks.cli import app as command
from pixfound_tasks.explain import browsing, explanation, figure, overlays, page, wording
from pixfound_tasks.explain.explanation import ExplainedPhrase, Explanation, explain
from pixfound_tasks.explain.subject import Subject, drawn_scene, read_image
from pixfound_tasks.explain.terminal import print_explanation
from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
from pixfound_tasks.grounding.mask_judge import Judged
from pixfound_tasks.grounding.segmenters.region import RegionSegmenter
from pixfound_tasks.judges.base import JudgeDown
from pixfound_tasks.response import Candidate, Phrase, Selection

SIZE = (10, 20)
HOSTILE = "</style><img src=x onerror=alert(1)> \"'><a href='javascript:alert(1)'> $\\frac$ \x1b[2J\u202e \ud83d"


UNLIKE = "no phrase reaches a similarity of 0.7 to the expression; the highest similarity is 0.90"


def invoke(*arguments):
    return CliRunner().invoke(command.app, ["explain", *map(str, arguments)])


def made_by_hand(text="a dog", answer="I see a dog.", **fields):
    """A phrase with three masks: columns 0..4, 0..9 and all twenty of which the truth is columns 0..7."""
    candidates = tuple(Candidate(rectangle(0, 0, width, 10, SIZE), width / 20) for width in (5, 10, 20))
    start = answer.index(text)
    phrase = Phrase((0.25, 0.5), candidates, text, "dog", (start, start + len(text)), (2, 4), 0.9)
    found = ExplainedPhrase(phrase, np.arange(200, dtype=np.float32).reshape(SIZE), (5 / 8, 8 / 10, 8 / 20))
    known = {
        "image": Image.new("RGB", SIZE[::-1], "gray"), "expression": "the dog", "prompt": "Identify the dog.",
        "answer": answer, "phrases": (found,), "selection": Selection("similarity", 0, 1), "judged": None,
        "target": rectangle(0, 0, 8, 10, SIZE), "provenance": {"model": "a/model", "picture": "dog.png"},
    }  # fmt: skip
    return Explanation(**known | fields)


def printed(explanation, width=120):
    console = Console(width=width, file=io.StringIO())
    print_explanation(console, explanation)
    return console.file.getvalue()


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.handlers = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.links += [value for name, value in attributes if name in ("href", "src", "action", "xlink:href")]
        self.handlers += [name for name, _ in attributes if name.startswith("on")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    result = invoke(
        "--scene", "129", "--judge", "self", "--html", folder / "new" / "page.html", "--png", folder / "figure.png"
    )
    return result, folder / "new" / "page.html", folder / "figure.png"


def test_the_command_explains_a_drawn_scene_as_it_stands():
    result = invoke()
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert {"Image    PixMini 129", "Prompt   Identify the roof of the red house in the scene."} <= {*lines}
    assert any("[1]" in line for line in lines) and "--html out.html, --png out.png" in lines[-1]


def test_the_command_tells_what_is_selected_and_where_it_is_written(run):
    result, page_file, figure_file = run
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "Prompt   Identify the roof of the red house in the scene." in lines
    assert any("The yellow roof[1] of the red house[2]" in line for line in lines)
    (row,) = [line for line in lines if "selected" in line]
    assert float(row.split()[4]) > 0.9 and "best IoU" in row
    assert any(line.startswith("Judge self ") for line in lines)
    assert lines[-2:] == [str(page_file), str(figure_file)]


def test_the_page_loads_nothing_and_runs_only_its_own_script(run):
    text = run[1].read_text(encoding="utf-8")
    found = Elements(text)
    assert "default-src 'none'" in text and not found.handlers
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in text
    assert text.count("<script") == 2 and '<script type="application/json" id="data">' in text
    assert all(link.startswith(("#", "data:image/png;base64,", "data:image/jpeg;base64,")) for link in found.links)
    assert not re.search(r"url\((?!\"\$\{browser.image.src\})|@import", text)
    # One picture, and over it a map and three masks for each of four phrases, what is taken, and the truth.
    phrases = len(re.findall(r'<section class="card" id="phrase-', text))
    assert text.count("data:image/jpeg") == 1 and text.count("data:image/png") == 4 * phrases + 3


def test_the_figure_decodes(run):
    with Image.open(run[2]) as opened:
        opened.load()
    assert opened.format == "PNG" and opened.width > 1000 and opened.height > 1000
    # The colours of the first two phrases are in it.
    colors = {color for _, color in opened.convert("RGB").getcolors(1 << 24)}
    assert {(0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)} <= colors


def test_numbers_by_hand():
    """IoU of the second mask: 8 of 10 columns, the best; the third covers all of the picture."""
    explanation = made_by_hand()
    assert wording.verdict(explanation) == (
        "Selected by similarity: phrase 1, “a dog”, mask 2. IoU with the ground truth: 0.80."
    )
    assert wording.labels(explanation, 0, 1) == ["selected", "best"] and wording.labels(explanation, 0, 2) == []
    assert wording.measured(explanation, 0, 2) == "score 1.00 · area 100.0 % · IoU 0.40"
    assert wording.true_mask(explanation) == "Ground truth: the object covers 40.0 % of the image."
    assert list(wording.parts(explanation)) == [("I see ", None), ("a dog", 0), (".", None)]
    lines = printed(explanation).splitlines()
    assert "  I see a dog[1]." in lines
    (row,) = [line for line in lines if "selected" in line]
    assert row.split() == ["2", "0.50", "50.0", "%", "0.80", "←", "selected,", "best", "IoU"]
    assert any(line.split()[:8] == ["1", "a", "dog", "2\N{EN DASH}3", "0.25,", "0.50", "0.90", "1"] for line in lines)


def test_the_terminal_cuts_nothing_at_80_columns():
    lines = printed(made_by_hand("the large purple triangle", "I see the large purple triangle."), 80).splitlines()
    assert max(map(len, lines)) <= 80 and not any("\N{HORIZONTAL ELLIPSIS}" in line for line in lines)
    assert {"point 0.25, 0.50", "similarity 0.90"} <= {line.strip() for line in lines}
    (row,) = [line for line in lines if "selected" in line]
    assert row.split()[-9:] == ["2", "0.50", "50.0", "%", "0.80", "\N{LEFTWARDS ARROW}", "selected,", "best", "IoU"]


def test_hostile_text_stays_text():
    notes = {"name": HOSTILE, "status": "chosen", "exchanges": [{"prompt": HOSTILE, "images": 3, "reply": HOSTILE}]}
    judged = Judged(Selection("judge", 0, 0), notes)
    provenance = {"model": HOSTILE, "picture": HOSTILE, HOSTILE: {HOSTILE: [HOSTILE]}}
    explanation = made_by_hand(
        HOSTILE, f"I see {HOSTILE}.", expression=HOSTILE, prompt=HOSTILE, judged=judged, provenance=provenance
    )
    text = page.render(explanation)
    text.encode()  # no half of a surrogate pair
    found = Elements(text)
    assert "\u202e" not in text and text.count("</style>") == 1
    assert not {"img", "script"} & found.tags and not found.handlers
    assert all(link.startswith(("#", "data:image/")) for link in found.links)
    terminal = printed(explanation)
    assert "\x1b" not in terminal and "\u202e" not in terminal and "onerror=alert(1)" in terminal
    terminal.encode()
    figure.draw(explanation)


def test_an_answer_of_any_length_fits_in_the_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(figure, "MOST_PHRASES", 2)
    long = made_by_hand("x" * 200_000, "x" * 200_000, phrases=made_by_hand("x" * 200_000, "x" * 200_000).phrases * 30)
    assert "and 28 more phrases" in [text.get_text() for text in figure.draw(long).texts]
    figure.write_figure(long, tmp_path / "long.png")
    with Image.open(tmp_path / "long.png") as opened:
        assert opened.height < 3000
    assert len(wording.verdict(long)) < 200


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"phrases": ()}, "the answer has no noun phrase to ground. IoU with the ground truth: 0.00."),
        ({}, f"{UNLIKE}. IoU with the ground truth: 0.00."),
        ({"target": rectangle(0, 0, 0, 0, SIZE)}, f"{UNLIKE}."),  # it would be 1 and say no more
        ({"target": None}, f"{UNLIKE}."),
        ({"text": "no dog", "answer": "There is no dog.", "target": None}, "the answer says “no dog”."),
        ({"selection": Selection("phrase"), "target": None}, "no phrase names it."),
        ({"selection": Selection("judge"), "target": None}, "the judge chose no mask."),
    ],
)  # fmt: skip
def test_not_there_says_why(fields, said):
    explanation = made_by_hand(**{"selection": Selection("similarity")} | fields)
    assert wording.verdict(explanation) == f"Not there: {said}"
    assert said.partition(".")[0] in printed(explanation)
    assert "not there" in page.render(explanation)
    figure.draw(explanation)


def test_an_absent_object_of_a_drawn_scene(mini_lens):
    subject = drawn_scene(3)
    found = explain(mini_lens, AttentionGrounder(RegionSegmenter()), subject, "Identify the purple car in the scene.")
    assert found.answer == "There is no purple car in the scene."
    assert wording.verdict(found) == "Not there: the answer says “no purple car”."
    assert wording.true_mask(found) == "Ground truth: the object is not in the image."
    assert found.iou(found.selection) == 1.0
    assert all(each.ious == () for each in found.phrases)


def test_of_another_expression_the_truth_is_not_known():
    assert drawn_scene(1).target and drawn_scene(1, "the sky").target is None


class Saying:
    """A judge that gives these replies one after the other; of an exception, none."""

    name = "said"

    def __init__(self, *replies):
        self.replies = list(replies)

    def ask(self, prompt, images=()):
        if isinstance(self.replies[0], Exception):
            raise self.replies[0]
        return self.replies.pop(0)


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        (["yes", "2"], r"Judge said chooses: phrase \d, “.*”, mask \d\. IoU with the ground truth: [01]\.\d\d\."),
        (["no"], r"Judge said says that the object is not there\. IoU with the ground truth: 0\.00\."),
        (
            ["yes", "what?"],
            r"Judge said gave no readable number, so the first mask is used: phrase 1, .*",
        ),
        ([JudgeDown("no\x1b key")], "Judge said gave no reply: no\x1b key"),
    ],
)
def test_the_judge_is_asked_beside_the_selection_or_for_it(mini_lens, scene_image, replies, said):
    subject = Subject(scene_image, "the fish", "scene", rectangle(0, 0, 9, 9, scene_image.size[::-1]))
    beside = explain(mini_lens, AttentionGrounder(RegionSegmenter()), subject, "Identify it.", Saying(*replies))
    assert re.fullmatch(said, wording.judgement(beside)) and beside.selection.by == "similarity"
    grounder = AttentionGrounder(RegionSegmenter(), select="judge", judge=Saying(*replies))
    for_it = explain(mini_lens, grounder, subject, "Identify it.")
    assert wording.judgement(for_it) == wording.judgement(beside)
    assert for_it.selection.by == ("similarity" if "no reply" in said else "judge")


def test_maps_are_the_looks_own(mini_lens, scene_image):
    """What is shown is `Look.phrase_map`: a picture of 160 pixels needs no smaller one."""
    subject = Subject(scene_image, "the fish", "scene")
    found = explain(mini_lens, AttentionGrounder(RegionSegmenter()), subject, "Identify the fish.", max_new_tokens=6)
    look: Look = mini_lens.look(scene_image, "Identify the fish.", max_new_tokens=6)
    assert found.answer == look.text and len(look.token_chars) <= 6 and found.phrases
    for each in found.phrases:
        np.testing.assert_array_equal(each.map, look.phrase_map(each.phrase.chars))


def test_what_cannot_be_looked_at_widely_is_looked_at_plainly(mini_lens, scene_image, monkeypatch):
    def refuse(*_, **__):
        raise ValueError("expected another kernel")

    monkeypatch.setattr(explanation, "look_widely", refuse)
    subject = Subject(scene_image, "the fish", "scene")
    found = explain(mini_lens, AttentionGrounder(RegionSegmenter()), subject, "Identify the fish.", max_new_tokens=6)
    assert found.look.heads is None and not found.look.others and found.answer
    browsed = browsing.browsing(found)
    assert browsed["heads"] is None and [*browsed["reducers"]] == ["mean_centered"]


def test_masks_are_outlined_and_the_rest_is_shaded():
    overlay = np.asarray(overlays.mask_overlay(rectangle(0, 0, 40, 50, (100, 80)), (100, 80), "#009e73"))
    inside, beside, outside, border = overlay[20, 20], overlay[51, 20], overlay[90, 70], overlay[0, 20]
    assert inside[3] == 0 and 0 < outside[3] < 255
    assert tuple(beside) == tuple(border) == (0x00, 0x9E, 0x73, 255)
    assert (np.asarray(overlays.mask_overlay(None, (10, 8), "red")) == outside).all()


def pixel(path):
    return read_image(path).getpixel((0, 0))


def test_pictures_of_every_kind(tmp_path):
    path = tmp_path / "picture"
    turned = Image.new("RGB", (4, 2), "red")
    turned.putpixel((0, 1), (0, 0, 255))  # bottom left, to be seen at the top left
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(path, "PNG", exif=exif)
    assert read_image(path).size == (2, 4) and pixel(path) == (0, 0, 255)
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(path, "PNG")
    assert pixel(path) == (255, 255, 255)
    palette = Image.new("P", (2, 2), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(path, "PNG")
    assert pixel(path) == (10, 20, 30)
    palette.save(path, "PNG", transparency=1)
    assert pixel(path) == (255, 255, 255)
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(path, "JPEG")
    assert pixel(path)[0] > 200 and max(pixel(path)[1:]) < 60
    Image.fromarray(np.full((2, 2), 0x8000, np.uint16)).save(path, "PNG")
    assert pixel(path) == (128, 128, 128)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "grey.png"
    Image.new("RGB", (60, 40), "gray").save(path)
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.png", "--expr", "it"], "expected an image file, but there is no nowhere.png"),
        ([__file__, "--expr", "it"], "expected an image that Pillow reads, such as PNG or JPEG, but"),
        (["PICTURE"], 'add --expr "the dog\'s face"'),
        (["--scene", "241"], "expected --scene as a number in 1..240, but got 241"),
        (["PICTURE", "--expr", "it", "--select", "similarly"], "did you mean 'similarity'?"),
        (["PICTURE", "--expr", "it", "--select", "judge"], "expected a judge with select=judge"),
        (["PICTURE", "--expr", "it", "--judge", "me"], "expected --judge as self, openai:MODEL or local:CHECKPOINT"),
        (["PICTURE", "--expr", "it", "--reducer", "median"], "did you mean 'mean'?"),
        (["PICTURE", "--expr", "it", "--dtype", "float"], "expected the dtype to be one of"),
        (["PICTURE", "--expr", "it", "--device", "gpu"], "expected a device of this machine, but got 'gpu'"),
        (["PICTURE", "--expr", "it", "--model", "FOLDER/none"], "expected a model on the hub or a folder that holds"),
        (["PICTURE", "--expr", "it", "--model", "FOLDER", "--geometry", "registered"], "expected a model of one of"),
        (["PICTURE", "--expr", "it", "--geometry", "guessed"], "expected geometry to be one of"),
        (["PICTURE", "--expr", "it", "--html", "FOLDER"], "is a folder; name a file in it"),
    ],
)
def test_errors_say_what_to_do(picture, arguments, message):
    (picture.parent / "config.json").write_text(json.dumps({"model_type": "gpt2"}), encoding="utf-8")
    given = [each.replace("PICTURE", str(picture)).replace("FOLDER", str(picture.parent)) for each in arguments]
    result = invoke(*given)
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert message in result.stderr and result.stderr.startswith("Error: ")


def test_a_picture_cut_short_is_an_error(picture, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)  # lmms-eval turns it on, for its whole process
    picture.write_bytes(picture.read_bytes()[:60])
    assert "expected an image that can be read, but" in invoke(picture, "--expr", "it").stderr


def test_a_prompt_of_ones_own_and_what_else_there_is(picture):
    result = invoke(picture, "--expr", "a dog", "--prompt", "{Find} {expr}!", "--max-new-tokens", "5")
    assert result.exit_code == 0, result.output
    assert "Prompt   {Find} a dog!" in result.stdout.splitlines()
    assert "--html out.html, --png out.png" in result.stdout.splitlines()[-1]
