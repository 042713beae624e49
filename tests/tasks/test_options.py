"""The paper rule and the lenient rule: options by letter and by text, in markup, in languages, denied, taken back."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixfound_tasks.response.option import is_correct_answer, lenient_choice

OPTIONS = ["Open", "Closed"]


@pytest.mark.parametrize(
    "answer",
    [
        "b",
        "B.",
        "(b)",
        "(B).",
        "b:",
        " Closed ",
        "closed.",
        "The answer is B",
        "Answer: closed",
        "So the answer is (b).",
    ],
)
def test_paper_rule_accepts(answer):
    assert is_correct_answer(answer, OPTIONS, 1) and not is_correct_answer(answer, OPTIONS, 0)


@pytest.mark.parametrize(
    "answer",
    # A colon that stays after "answer is" makes the authors' rule miss the answer; so it does here.
    ["B. Closed", "B) Closed", "the answer is: b", "It is closed", "The correct option is B", "", "A or B"],
)
def test_paper_rule_refuses(answer):
    assert not is_correct_answer(answer, OPTIONS, 0) and not is_correct_answer(answer, OPTIONS, 1)


def test_paper_rule_follows_the_last_announcement():
    assert is_correct_answer("The answer is a. No, the answer is b", OPTIONS, 1)
    assert is_correct_answer("the answer is answer: b", OPTIONS, 1)


@pytest.mark.parametrize(
    ("answer", "choice"),
    [
        ("B. Closed", 1),
        ("(a) open", 0),
        ("the answer is: b", 1),
        ("The correct option is B", 1),
        ("I think it is closed, really", 1),
        ("A or B", None),
        ("open or closed", None),
        ("", None),
        ("A butterfly", None),
        ("disclosed", None),
        ("c", None),
    ],
)
def test_lenient_rule(answer, choice):
    assert lenient_choice(answer, OPTIONS) == choice


def test_lenient_rule_counts_an_option_within_another_once():
    assert lenient_choice("it lies to the left of the cup", ["left", "to the left of"]) == 1


# Answers that choose B, "Closed", as models write them. \u0412 is Cyrillic.
LETTERS = [
    "**B**", "**B.**", "**Answer:** B", "**Final Answer**: B", "### Answer\nB", "`B`", "__B__", "# B", "> B", "- B",
    "1. B", r"\boxed{B}", r"\boxed{\text{(B) Closed}}", r"The answer is $\boxed{B}$", "$B$", r"\(B\)",
    r"$\textbf{B}$", "<b>B</b>", "<answer>B</answer>", "<choice>B</choice>", "<|begin_of_box|>B<|end_of_box|>",
    "B</s>", "B<|im_end|>", "B<|eot_id|>", '{"answer": "B"}', '{"answer":"B. Closed"}', "{'answer': 'B'}", '["B"]',
    '```json\n{"answer": "B"}\n```', '{"reasoning": "It could be A.", "final_answer": "(b)"}',
    '{"answer": {"option": "B"}}', "{answer: B}", "[B]", "(B)", "B)", "b)", "(b)", "b", '"B"', "'B'", "\uff22",
    "\uff08\uff22\uff09", "\uff22\uff1aClosed", "B\u3002", "\u3010B\u3011", "B: yes", "B - Closed", "B\u2014Closed",
    "B.Closed", "b) closed", "b, since it is shut", "B\n\nThe mouth is closed.", "B, because it is shut",
    "B because it is shut", "The answer is B because it is shut.", "The answer is b.", "option b", "The answer is: B",
    "Answer:\n\n**B**", "Answer = B", "ANSWER: B", "The final answer is:\n\nB", "My answer is B",
    "option B is correct", "B is the best choice", "It's B", "I think it is B.", "I choose B", "I'd go with B",
    "Select B.", "The correct choice is **B. Closed**", "So the answer is (B).", "Therefore, B.",
    "I believe the answer to be B.", "The image shows a butterfly. Its wings are closed.\n\nB",
    "(a) Open (b) Closed. The answer is B.", "~~A~~ B", "选B", "我选择B", "选项B", "应该选B项", "答案是B",
    "答案\uff1aB", "正确答案是 B\u3002", "B是正确的", "答えはB", "答えはBです。", "正解\uff1aB", "Bを選びます",
    "選択肢B", "정답은 B", "정답은 B입니다.", "답: B", "선택지 B", "B번", "Ответ: B", "Ответ: \u0412", "\u0412",
    "Правильный ответ — B.", "Вариант B", "Я выбираю B", "الإجابة: B", "الإجابة الصحيحة هي B", "الجواب هو B",
    "الخيار B", "उत्तर: B", "सही उत्तर B है।", "विकल्प B", "जवाब: B", "Antwort: B", "Die richtige Antwort ist B.",
    "Ich wähle B", "B ist richtig", "La respuesta correcta es B", "La respuesta es la b)",
    "La opción correcta es la B", "Opción B", "La réponse est B", "La bonne réponse est la B.", "Réponse : B",
    "C'est B", "Resposta: B", "A resposta correta é B", "A alternativa correta é a letra B.", "Risposta: B",
]  # fmt: skip
# Answers that choose B by denying A, or by taking A back.
NOT_THE_FIRST = [
    "The mouth is not open.", "No, the door is not open.", "It isn't open.", "The mouth isn\u2019t open",
    "It can't be open", "The mouth is no longer open", "It doesn't look open", "I don't think the mouth is open.",
    "I wouldn't say it's open", "The wings are anything but open", "None of the wings are open", "not A",
    "It can't be A", "It can't be A, so B", "not A, B", "Not A but B", "A is wrong", "Option A is incorrect.",
    "A is not correct, B is", "I would rule out A.", "Answer: not A", "It is closed, not open.",
    "closed, rather than open", "Instead of open, they are closed", "not open but closed",
    "They look more closed than open", "closed, as opposed to open", "There is no doubt that it is closed",
    "A. No wait, B.", "A, no, B", "A: It is shut. So B", "A... actually, B.", "A? No. B.", "Scratch that: B",
    "A or B? B.", "I first thought A; on reflection the answer is B", "The answer is A. No, the answer is B",
    "Open? No, closed.", "At first it seems open, but it is closed.",
    "Initially I'd say A. On closer inspection, it's B.", "Open... sorry, I mean closed",
    "Although A seems plausible, the answer is B.", "B. Option A would need an open mouth.",
    "The wings are closed; if they were open, you'd see the pattern.", "It seems closed, but I'm not sure.",
    "A: false, B: true", "(A) - incorrect\n(B) - correct", "a: wrong; b: right", "There's no way it is open",
    "It is by no means open.",
]  # fmt: skip
UNREAD = [
    "A dog is in the picture.", "A butterfly", "I see a dog", "A person is standing.", "As an AI, I cannot see.", "C",
    "c", "A or B", "A/B", "A, B", "A and B", "A\nB", "Both A and B", "The answer is A or B", "It could be A or B",
    "neither A nor B", "A. Closed", "open (B)", "(a) Open (b) Closed", "A) Open\nB) Closed", "Open and closed",
    "neither open nor closed", "not open and not closed", "The mouth is not fully open.", "half-open",
    "It is not clear whether it is open.", "Is it open?", "I'm not sure if it is open",
    "It's hard to say whether it is open.", "I cannot tell.", '{"answer": null}', "disclosed", "<think>B",
    "<think>The answer is B. But wait", "Okay, let me look. It seems closed, but", "", "A: wrong, B: wrong",
]  # fmt: skip


@pytest.mark.parametrize("answer", [*LETTERS, *NOT_THE_FIRST])
def test_the_lenient_rule_reads_what_is_meant(answer):
    assert lenient_choice(answer, OPTIONS) == 1


@pytest.mark.parametrize("answer", UNREAD)
def test_the_lenient_rule_does_not_guess(answer):
    assert lenient_choice(answer, OPTIONS) is None


@pytest.mark.parametrize(
    "answer",
    [
        "The answer is A because it is open.",
        "A because it is",
        "A, as it is open",
        "Option A",
        "It's A.",
        "A is correct",
    ],
)
def test_an_a_that_is_no_article_is_a_letter(answer):
    assert lenient_choice(answer, OPTIONS) == 0


@pytest.mark.parametrize(
    ("options", "answer", "choice"),
    [
        (["Yes", "No"], "Yes, there is no hat on the person.", 0),
        (["Yes", "No"], "No, there is a hat", 1),
        (["Yes", "No"], "There is no hat.", 1),
        (["Yes", "No"], "Yes... no wait, no.", 1),
        (["Yes", "No"], "是的", 0),
        (["Yes", "No"], "Yes and no", None),
        (["Yes", "No"], "Yes or no", None),
        (["Yes", "No"], "B: yes", None),
        (["Yes", "No"], "It is no longer open", None),
        (["0", "1", "2", "3"], "There are 2 dogs: 1 on the left and 1 on the right.", 2),
        (["0", "1", "2", "3"], "Two dogs, one on the left and one on the right", 2),
        (["0", "1", "2", "3"], "two dogs", 2),
        (["0", "1", "2", "3"], "2 (two)", 2),
        (["0", "1", "2", "3"], "Not three but two", 2),
        (["0", "1", "2", "3"], "C. 2", 2),
        (["0", "1", "2", "3"], "There are no dogs.", 0),
        (["0", "1", "2", "3"], "There is only one dog.", 1),
        (["0", "1", "2", "3"], "There is 1 dog on the left and 1 on the right.", None),
        (["0", "1", "2", "3"], "There is one dog on the left and another on the right", None),
        (["0", "1", "2", "3"], "There are 5 dogs: 2 left and 3 right", None),
        (["0", "1", "2", "3"], "1 or 2", None),
        (["0", "1", "2", "3"], "more than 2", None),
        (["0", "1", "2", "3"], "2.5", None),
        (["Left", "Right"], "The man with no hat is on the left", 0),
        (["Left", "Right"], "The man who is not smiling is on the left.", 0),
        (["Left", "Right"], "The dog is not on the left side.", 1),
        (["Red", "Green", "Blue"], "It isn't red, it's blue", 2),
        (["Red", "Green", "Blue"], "It can't be A or B", 2),
        (["Red", "Green", "Blue"], "It can't be A, B or C", None),
        (["Red", "Green", "Blue"], "It is not red.", None),
        (["Visible", "Not visible"], "It is not visible.", 1),
        (["Visible", "Not visible"], "The dog isn't visible.", 1),
        (["One", "More than one"], "There is more than one.", 1),
        (['"Happy Easter"', '"Happy Easter!"'], '"Happy Easter!"', 1),
        (["Empty", "A painting hanging on it"], "The wall is not empty.", 1),
        (["A", "B"], "A", 0),
        (["Yes", "No"], "A: Yes\nB: No", None),
        (["Yes", "No"], "A: false, B: true", 1),
        (["True", "False"], "A: False, B: True", None),
    ],
)
def test_options_of_other_kinds(options, answer, choice):
    assert lenient_choice(answer, options) == choice


WORDS = [
    *"AB(){}[]\n,.?12",
    "no",
    "not",
    "yes",
    "open",
    "Closed",
    "the answer is",
    "so",
    "or",
    "wait",
    "~~",
    "```",
    "<think>",
    '"',
]


@given(
    st.text() | st.lists(st.sampled_from(WORDS)).map(" ".join),
    st.sampled_from([OPTIONS, ["Yes", "No"], ["0", "1", "2"], ["A", "B"], ["", " "], ["*", "**"], ["Yes"]]),
)
def test_any_text_is_read_as_an_option_or_none(answer, options):
    assert lenient_choice(answer, options) in (None, *range(len(options)))


@given(st.text(), st.sampled_from([*LETTERS, *NOT_THE_FIRST]))
def test_a_draft_changes_nothing(draft, answer):
    assert lenient_choice(f"<think>{draft}</think>{answer}", OPTIONS) == 1


@pytest.mark.parametrize("unit", ["[", "B, ", "not open ", "\n", "no wait ", "1 ", "<a"])
def test_long_answers_take_linear_time(unit):
    start = time.perf_counter()
    lenient_choice(unit * (10_000_000 // len(unit)), ["0", "1"] if unit == "1 " else OPTIONS)
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize(
    ("answer", "options", "chosen"),
    [
        ("A\u3067\u306f\u306a\u304fB", ("Open", "Closed"), 1),
        ("A\uac00 \uc544\ub2c8\ub77c B", ("Open", "Closed"), 1),
        ("Choose A over B", ("Open", "Closed"), 0),
        ("I prefer A to B", ("Open", "Closed"), 0),
        *((answer, "0123", None) for answer in (
            "The answer is 2 or 3", "2-3", "2+", "At least 2", "There are two or more dogs", "up to 3",
            "No more than one", "two pairs of dogs", "half of 2",
        )),
        *((answer, "0123", 2) for answer in ("2", "I see two dogs", "C) 2", "The answer is 2.")),
    ],
)  # fmt: skip
def test_comparisons_and_counts_that_are_no_number(answer, options, chosen):
    assert lenient_choice(answer, tuple(options)) == chosen
