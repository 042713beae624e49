"""Text-writing segmenters: their prompts, their answers, and boxes with points together as prompts of a SAM."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from grounding import tiny_sams
from PIL import Image
from running import evaluate

from pixfound_tasks import masks
from pixfound_tasks.attention.lens import Answer, Lens
from pixfound_tasks.grounding.segmenters.base import make_segmenter
from pixfound_tasks.grounding.text_profiles import PROFILES, Located, ObjectGrounder, check_joint, find_profile
from pixfound_tasks.models.arguments import read_arguments
from pixfound_tasks.response import Candidate, from_text

WIDE = (420, 1680)  # (height, width): x doubles, y is halved
TWO = (
    "<think>Two of them.</think><answer>\n"
    '[{"bbox_2d": [10, 101, 200, 210], "point_2d": [30, 111]}, {"bbox_2d": [0, 0, 840, 840], "point_2d": [420, 3]}]\n'
    "</answer>"
)
ONE = '<think>It {is}.</think><answer>{"bbox": [10, 101, 200, 211], "points_1": [30, 105], "points_2": ["35", 11.9]}'


@pytest.fixture(scope="module")
def sam2(tmp_path_factory):
    return tiny_sams.save("sam2", tmp_path_factory.mktemp("sam2"))


class Squares:
    """Three candidates for each object: a square that grows, of which the middle one scores best."""

    name = "squares"

    def __init__(self):
        self.objects, self.image = [], None

    def set_image(self, image):
        self.image = image

    def segment_objects(self, objects):
        self.objects += objects
        made = []
        for index in range(len(objects)):
            shapes = [np.zeros(self.image.shape[:2], bool) for _ in range(3)]
            for size, mask in enumerate(shapes, 1):
                mask[:size, index * 3 : index * 3 + size] = True
            made.append(tuple(Candidate(masks.encode(m), s) for m, s in zip(shapes, (0.2, 0.9, 0.5))))
        return made


def test_prompts_are_the_authors():
    prompt = PROFILES["visionreasoner"].prompt('The dog\'s "Left" ear?!')
    assert prompt.startswith(
        'Please find "the dog\'s "left" ear" with bboxs and points.Compare the difference between '
    )
    assert prompt.endswith(
        'in JSON format.i.e., <think> thinking process here </think><answer>[{"bbox_2d": [10,100,200,210], "point_2d": '
        '[30,110]}, {"bbox_2d": [225,296,706,786], "point_2d": [302,410]}]</answer>'
    )
    prompt = PROFILES["segzero"].prompt("The dog?.")
    assert prompt.startswith("Please find 'the dog?' with bbox and points.Compare the difference between objects and ")
    assert prompt.endswith("{'bbox': [10,100,200,210], 'points_1': [30,110], 'points_2': [35,180]}</answer>")


def test_numbers_become_pixels_by_the_authors_rounding():
    """VisionReasoner: int(x + 0.5); Seg-Zero: whole numbers, rounded half to even, so that 52.5 becomes 52."""
    assert PROFILES["visionreasoner"].read(TWO, WIDE) == [
        Located((20, 51, 400, 105), ((60, 56),)),
        Located((0, 0, 1680, 420), ((840, 2),)),
    ]
    assert PROFILES["segzero"].read(ONE.replace("It {is}.", "It is."), WIDE) == [
        Located((20, 50, 400, 106), ((60, 52), (70, 6)))
    ]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("visionreasoner", "<answer>[]</answer>", []),
        ("visionreasoner", '[{"bbox_2d": [1, 2, 3, 4], "point_2d": [1, 2]}]', None),  # no answer tags
        ("visionreasoner", "<answer>There is none.</answer>", None),
        ("visionreasoner", '<answer>[{"bbox_2d": [1, 2, 3], "point_2d": [1, 2]}]</answer>', None),
        ("visionreasoner", '<answer>[{"bbox_2d": [1, 2, 3, NaN], "point_2d": [1, 2]}]</answer>', None),
        ("visionreasoner", '<answer>[{"bbox_2d": [1, 2, 3, 4]}]</answer>', None),
        ("visionreasoner", '<answer>{"bbox_2d": [1, 2, 3, 4], "point_2d": [1, 2]}</answer>', None),
        ("segzero", "{'bbox': [84, 84, 168, 168], 'points_1': [84, 84], 'points_2': [99, 84]}", "quotes"),
        ("segzero", ONE, None),  # the first braces hold no JSON
        ("segzero", '{"bbox": [1, 2, 3, 4], "points_1": [1, 2]}', None),
        ("segzero", "nothing", None),
        ("segzero", "{[1]}", None),
    ],
)
def test_answers_in_another_form_are_not_read(name, text, expected):
    expected = [Located((10, 20, 20, 40), ((10, 20), (12, 20)))] if expected == "quotes" else expected
    assert PROFILES[name].read(text, (200, 100)) == expected


def test_each_object_gets_its_highest_scoring_mask():
    segmenter, image = Squares(), Image.new("RGB", (40, 20))
    grounder = ObjectGrounder(PROFILES["visionreasoner"], segmenter, {"model": "some"})
    response = grounder.ground(Answer(TWO, 9), image, "Find it")
    union = masks.decode(response.prediction((20, 40)))
    assert union.sum() == 8 and union[:2, :2].all() and union[:2, 3:5].all()
    assert response.scores == (0.9, 0.9) and response.tokens == 9
    assert response.boxes == ((0, 0.1, 0.25, 0.25), (0, 0, 1, 1))  # int(10 * 40 / 840 + 0.5) is 0
    assert segmenter.objects[0] == ((0, 0.1, 0.25, 0.25), [(1 / 40, 3 / 20)])
    assert response.text.startswith("<answer>") and response.draft.text == "<think>Two of them.</think>"
    assert response.provenance == {"model": "some", "prompt": "Find it", "segmenter": "squares"}


def test_an_empty_list_is_not_there_and_anything_else_is_unparsed():
    grounder = ObjectGrounder(PROFILES["visionreasoner"], Squares())
    image = Image.new("RGB", (40, 20))
    assert grounder.ground(Answer("<answer>[]</answer>", 3), image, "?").masks == ()
    response = grounder.ground(Answer("<think>Hm", 3), image, "?")
    assert response.masks is None and len(response.problems) == 1


@torch.inference_mode()
def test_a_box_and_points_prompt_sam_2_as_in_metas_code(sam2):
    """Meta's predictor makes points of the box's corners, labelled 2 and 3, before the points, and pads once."""
    segmenter = make_segmenter(f"sam2:{sam2}", "cpu")
    image = np.random.RandomState(0).randint(0, 256, (60, 90, 3)).astype(np.uint8)
    segmenter.set_image(image)
    boxes, points = [(0.1, 0.2, 0.7, 0.9), (0.5, 0, 1, 0.5)], [[(0.3, 0.4), (0.6, 0.8)], [(0.7, 0.2), (0.9, 0.4)]]
    found = segmenter.segment_objects(list(zip(boxes, points)))
    model = transformers.Sam2Model.from_pretrained(sam2).eval()
    processor = transformers.Sam2Processor.from_pretrained(sam2)
    inputs = processor(images=Image.fromarray(image), return_tensors="pt")
    side = inputs["pixel_values"].shape[-1]
    places = torch.tensor([[*box[:2], *box[2:], *own[0], *own[1]] for box, own in zip(boxes, points)])
    features = model.get_image_embeddings(inputs["pixel_values"])
    sparse, dense = model.prompt_encoder(places.view(1, 2, 4, 2) * side, torch.tensor([[[2, 3, 1, 1]] * 2]), None, None)
    assert sparse.shape[2] == 5
    logits, scores, *_ = model.mask_decoder(
        features[-1], model.get_image_wide_positional_embeddings(), sparse, dense, True, features[:-1]
    )
    for own, expected, own_scores in zip(found, logits[0], scores[0]):
        large = torch.nn.functional.interpolate(expected[None], (60, 90), mode="bilinear")[0] > 0
        assert [each.score for each in own] == pytest.approx(own_scores.tolist(), abs=1e-5)
        for candidate, mask in zip(own, large.numpy()):
            assert (masks.decode(candidate.mask) != mask).sum() <= 2
    assert len({each.score for each in found[0]}) == 3


def test_profiles_are_found_by_the_checkpoints_name():
    assert find_profile(None, "Ricky06662/VisionReasoner-7B") == "visionreasoner"
    assert find_profile(None, "/models/Seg-Zero-7B") == find_profile("segzero", "x") == "segzero"
    with pytest.raises(ValueError, match=r"expected profile=NAME .*\['segzero', 'visionreasoner'\]"):
        find_profile(None, "Qwen/Qwen2.5-VL-7B")
    with pytest.raises(ValueError, match="expected a SAM as the segmenter with grounding=text"):
        check_joint(make_segmenter("region"))


def test_arguments_name_the_segmenter_of_the_profile():
    found = read_arguments({"pretrained": "Ricky06662/VisionReasoner-7B", "grounding": "text"})
    assert (found.profile, found.segmenter) == ("visionreasoner", "sam2:facebook/sam2-hiera-large")
    assert read_arguments({"grounding": "text", "profile": "segzero", "segmenter": "sam2:x"}).segmenter == "sam2:x"
    with pytest.raises(ValueError, match="expected grounding=text with profile=segzero"):
        read_arguments({"profile": "segzero"})


def test_referring_prompts_are_answered_in_the_command(sam2, monkeypatch):
    seen = []
    plain = Lens.answer_all

    def answer_all(self, images, prompts, **options):
        if not prompts[0].startswith("Please find"):
            assert {image.size for image in images} == {(840, 840)}
            return plain(self, images, prompts, **options)
        seen.extend(zip(images, prompts))
        assert options["max_new_tokens"] == 2048
        return [Answer(TWO, 5) for _ in prompts]

    monkeypatch.setattr(Lens, "answer_all", answer_all)
    given = f"pretrained=pixfound/mini,grounding=text,profile=visionreasoner,segmenter=sam2:{sam2}"
    run = evaluate("pixfound", given, ["pixmini_ground", "pixmini_vqa"], limit=3, batch_size=2)
    assert [image.size for image, _ in seen] == [(840, 840)] * 3
    for sample, (_, prompt) in zip(run["samples"]["pixmini_ground"], seen):
        response = from_text(sample["filtered_resps"][0], tuple(sample["pixfound"]["mask"]["size"]))
        assert len(response.masks) == 2 and response.provenance["profile"] == "visionreasoner"
        assert response.provenance["prompt"] == prompt
        assert f'Please find "{sample["pixfound"]["expression"].lower()}" with' in prompt
    assert all(not sample["filtered_resps"][0].startswith("{") for sample in run["samples"]["pixmini_vqa"])
