"""The final answer: what is left without thinking, tool calls, markup and end tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixfound_tasks.response.final_answer import final_answer, without_draft

# Output, answer. What follows the last mark of a draft counts.
ANSWERS = [
    ("B", "B"),
    ("  B \n", "B"),
    ("<think>It may be A.</think>B", "B"),
    ("<think>\nIt may be A.\n</think>\n\nB", "B"),
    ("It may be A.</think>B", "B"),  # the template opened it
    ("It may be A.</think> or <think>A?</think>B", "B"),
    ("<THINK>A</THINK>B", "B"),
    ("<think>A</thinking>B", "B"),
    ("<thinking>A</thinking>B", "B"),
    ("<think>I would write </thinking> or A</think>B", "B"),
    ("<think>a <think> b</think> A</think>B", "B"),
    ("<reasoning>A</reasoning>B", "B"),
    ("<analysis>A</analysis>B", "B"),
    ("<seed:think>A</seed:think>B", "B"),
    ("[THINK]A[/THINK]B", "B"),
    ("◁think▷A◁/think▷B", "B"),
    ("A◁/think▷B", "B"),
    ("<|START_THINKING|>A<|END_THINKING|><|START_RESPONSE|>B<|END_RESPONSE|>", "B"),
    ("<|begin_of_thought|>A<|end_of_thought|><|begin_of_solution|>B<|end_of_solution|>", "B"),
    ("<|channel|>analysis<|message|>Maybe A.<|end|><|start|>assistant<|channel|>final<|message|>B<|return|>", "B"),
    ("<|channel|>analysis<|message|>A<|end|><|start|>assistant<|channel|>commentary to=functions.zoom "
     '<|constrain|>json<|message|>{"box": [1, 2]}<|call|><|start|>assistant<|channel|>final<|message|>B', "B"),
    ("<|channel|>final<|message|>B", "B"),
    ("analysisThe user asks. Maybe A.assistantfinalB", "B"),
    ("<|channel>thought\nMaybe A.<channel|>B", "B"),
    ("<unused94>thought\nA<unused95>B", "B"),
    ('<tool_call>{"name": "zoom", "arguments": {"bbox_2d": [1, 2, 3, 4]}}</tool_call>B', "B"),
    ("B <think>Let me check: A?</think>", "B"),
    ("B <think>Let me check: A", "B"),
    ('B<tool_call>{"name": "zoom"}</tool_call>', "B"),
    ("<SUMMARY>A</SUMMARY><CAPTION>A</CAPTION><REASONING>A</REASONING><CONCLUSION>B</CONCLUSION>", "B"),
    ("<think>A</think><answer>B</answer>", "B"),
    ("<think>A</think><answer> B </answer> I hope this helps.", "B"),
    ("<answer>A</answer> No: <answer>B</answer>", "B"),
    ("<think>A</think><answer>B", "B"),
    ("B</answer>", "B"),
    (r"So the answer is $\boxed{B}$.", "B"),
    (r"\boxed{A} or rather \boxed{B}", "B"),
    (r"\boxed{\text{B}}", "B"),
    (r"\boxed{B", "B"),
    (r"\boxed{\{B\}}", r"\{B\}"),
    ("<think>A</think>The answer is <|begin_of_box|>B<|end_of_box|>.", "B"),
    ("B</s>", "B"),
    ("<s>B</s></s>", "B"),
    ("B<|im_end|>\n<|im_start|>user\nAnd this?", "B"),
    ("B<end_of_turn>", "B"),
    ("<|im_start|>assistant\nB<|im_end|>", "B"),
    ("<|begin_of_text|><|start_header_id|>assistant<|end_header_id|>\n\nB<|eot_id|>", "B"),
    ("Okay, let me look. The mouth is open.", "Okay, let me look. The mouth is open."),
    ("The wings look open", "The wings look open"),
    ("I think so", "I think so"),
    ("<thinker>B", "<thinker>B"),
    ("<mm:think>A</mm:think>B", "B"),
    ("<longcat_think>A</longcat_think>B", "B"),
    ("<inner_thoughts>A</inner_thoughts>B", "B"),
    ("<function=zoom>A</function>B", "B"),
    ('<details type="reasoning" done="true">A</details>B', "B"),
    *(
        (text, text)
        for text in (
            "Let me analyze the image.\n\nAnswer: B", "Hmm, B", "Okay, closed", "Alright, the answer is B",
            "Got it. The answer is B", "To answer the question: B", "To determine the state, look at wings.\n\nB",
            "首先，看图。答案是B", "好的，答案：B", "Let me locate the dog.\n100, 250, 500, 750",  # noqa: RUF001
            "Alright, x1: 100, y1: 250, x2: 500, y2: 750", "Let me think about it. The left one",
        )
    ),
]  # fmt: skip
UNFINISHED = [
    "<think>It may be A. But",
    "<think>",
    "<thinking>A",
    "[THINK]A",
    "◁think▷A",
    "<|channel|>analysis<|message|>The user asks. A",
    "<|channel|>analysis<|message|>The user asks. A<|end|>",
    "analysisThe user asks. A",
    '<tool_call>{"name": "zoom", "arguments": {"bbox_2d": [1, 2, 3, 4]}}',
    "</s><think>A",
    "A</think><think>B",
    "Got it, let me look. The wings look open at first, so",
    "Okay, the user asks about the mouth. Let me see: it looks open, but I should check the",
    "Thinking Process:\n\n1. **Analyze**: maybe A\n2. **Check**: the wings.",
    "Here's a thinking process:\n1. A is",
    "Let me look. I need to see whether the wings of it are open or folded",
    "So, let's see. The dog's mouth seems to be open because",
    "好的，让我看看。翅膀看起来是张开的，但",  # noqa: RUF001
]


@pytest.mark.parametrize(("output", "answer"), ANSWERS)
def test_the_answer_is_what_is_not_drafted(output, answer):
    found = final_answer(output)
    assert found.text == answer and found.is_finished
    start, stop = found.chars
    assert answer.replace("\\", "").strip("{}") in output[start:stop].replace("\\", "")


@pytest.mark.parametrize("output", UNFINISHED)
def test_an_unfinished_draft_is_no_answer(output):
    assert final_answer(output) == ("", (len(output), len(output)), False)


def test_what_is_empty_after_its_thinking_is_empty():
    for output in ("", "<think>A</think>", "A</think>", "<answer></answer>", "<|im_end|>"):
        assert final_answer(output).text == ""


def test_readers_of_places_get_boxes_with_the_text_around_them():
    output = r"<think>[1, 2]</think>It is at <|begin_of_box|>[3, 4]<|end_of_box|>, \boxed{here}.</s>"
    found = final_answer(output, keep_boxes=True)
    assert found.text == r"It is at <|begin_of_box|>[3, 4]<|end_of_box|>, \boxed{here}."
    assert output[slice(*found.chars)] == found.text


def test_rules_on_whole_answers_get_all_but_the_draft():
    for answer in ("B", "**B**", r"So \boxed{B}", "<answer>B</answer>", "B</s>", "Okay, let me look. B or"):
        assert without_draft(answer) == without_draft(f"<think>A</think>\n{answer}") == answer
    assert without_draft("<think>A") == without_draft("") == ""


@given(st.text(), st.sampled_from(["<think>", "[THINK]", "◁think▷"]), st.text("abc (),.{}[]"))
def test_no_draft_is_ever_part_of_the_answer(draft, opening, answer):
    closing = {"<think>": "</think>", "[THINK]": "[/THINK]", "◁think▷": "◁/think▷"}[opening]
    assert final_answer(f"{opening}{draft}{closing}{answer}").text == answer.strip()


@given(st.text("<>/|think[]THINK◁▷answer\\boxed{}s_ ABchnel", max_size=200))
def test_any_output_has_a_range_within_it(output):
    for keep_boxes in (False, True):
        found = final_answer(output, keep_boxes)
        assert 0 <= found.chars[0] <= found.chars[1] <= len(output)
        if keep_boxes and found.is_finished:
            assert output[slice(*found.chars)] == found.text
