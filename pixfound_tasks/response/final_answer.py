"""The final answer in a model's output: without its thinking, its tool calls, its markup and its end tokens.

Models mark their thinking in many ways, and some templates open it in the prompt, so that only its end is in the
output. lmms-eval removes two pairs of tags, and only if its command runs with them, so every reader of this package
uses `final_answer` instead.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Names of tags around a draft, in any case: `<think>...</think>`. The prefix is that of `<seed:think>`.
_THINK_TAG = r"(?:[\w-]+[:_])?(?:think|thinking|thoughts?|reasoning|reason|reflection|analysis|scratchpad)"
_TOOL_TAG = r"(?:tool_calls?|function_calls?|tool_response|function)"
# Other marks around a draft.
_DRAFT_MARKS = (
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|thinking|>", "<|/thinking|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|START_ACTION|>", "<|END_ACTION|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|tool_call_start|>", "<|tool_call_end|>"),
    ("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
    ("<|tool_call|>", "<|/tool_call|>"),
    ("<SUMMARY>", "</SUMMARY>"),
    ("<CAPTION>", "</CAPTION>"),
    ("<|channel>thought", "<channel|>"),
    ("<unused94>thought", "<unused95>"),
    ("[TOOL_CALLS]", "[/TOOL_CALLS]"),
)
# OpenAI's harmony format: every channel but the final one is a draft, up to the next message. Decoders that drop
# special tokens leave "analysis...assistantfinal...".
_HARMONY_DRAFT = r"<\|channel\|>(?!final)\w+[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>"
_HARMONY_END = r"<\|(?:end|call)\|>"
_HARMONY_FINAL = re.compile(r"(?:<\|start\|>assistant)?<\|channel\|>final[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
_BARE_HARMONY = re.compile(r"analysis(?=[A-Z\"'*\u201c])")
_BARE_FINAL = re.compile(r"assistant\s*final(?:\s*json)?")

_MARKS = [(re.escape(opening), re.escape(closing)) for opening, closing in _DRAFT_MARKS]
_TAGS = [
    (rf"(?i:<{_THINK_TAG}(?:\s[^<>]*)?>)", rf"(?i:</{_THINK_TAG}>)"),
    (rf"(?i:<{_TOOL_TAG}(?:[\s=][^<>]*)?>)", rf"(?i:</{_TOOL_TAG}>)"),
    (r"(?i:<details\b[^<>]*reasoning[^<>]*>)", r"(?i:</details>)"),
]
_PAIRS = [*_TAGS, *_MARKS, (_HARMONY_DRAFT, _HARMONY_END)]
_HARMONY = len(_PAIRS) - 1
_DRAFT = re.compile("|".join(f"(?P<o{i}>{opening})|(?P<c{i}>{closing})" for i, (opening, closing) in enumerate(_PAIRS)))

_ANSWER = re.compile(
    r"(?i:<(?P<close>/?)(?:answer|final_answer|conclusion|solution)>)"
    r"|<\|(?P<begin>begin_of_solution|START_RESPONSE)\|>|<\|(?:end_of_solution|END_RESPONSE)\|>"
)
_BOXES = (("<|begin_of_box|>", "<|end_of_box|>"),)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_STYLED = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|operatorname)\s*\{([^{}]*)\}")

_TURN = (
    r"<\|(?:im_end|im_start|endoftext|end_of_text|eot_id|eom_id|end|return|user|assistant|observation|eos|end_of_turn"
    r"|endofassistant|END_OF_TURN_TOKEN|END_RESPONSE|begin_of_text|start_header_id|eot)\|>"
    r"|</?s>|<(?:bos|eos|pad|end_of_turn|start_of_turn|end_of_utterance|\|?turn\|?)>|<\uff5cend\u2581of\u2581sentence\uff5c>|\[EOS\]"
)
_LEADING_TOKENS = re.compile(
    rf"(?:\s|<\|(?:im_start|start_header_id)\|>\s*assistant\b\s*(?:<\|end_header_id\|>)?|{_TURN})*"
)
_END_TOKEN = re.compile(_TURN)

# A draft without any mark: it deliberates, and stops in the middle of a sentence.
_DELIBERATES = re.compile(
    r"(?i:\W*(?:okay|ok|alright|all right|got it|hmm+|well|so|first|now|right|sure|wait)?[,.!:]?\s*"
    r"(?P<strong>let me\b|let's\b|lets\b|i need to\b|i should\b|i have to\b|we need to\b|the user\b)"
    r"|\W*(?:hmm+|wait|okay|alright|got it)[,.]\s)"
    r"|\s*(?:好的|嗯|首先|让我|我需要|用户)"
)
_OUTLINES = re.compile(r"(?i:\W*(?:here's a |here is a )?thinking process\b)")  # a draft of numbered steps
_SENTENCE_END = re.compile(r"[.!?\u3002\uff01\uff1f\u0964\u061f\])}>\"'\u201d\u2019*`\uff09\u300d]\s*$")
_SENTENCES = re.compile(r"[.!?:\n\u3002\uff01\uff1f\uff1a]")
_STATED = re.compile(r"(?:\b[A-Z]|\d)$|(?i:\banswer\b)")  # a letter or a number at its end, or an announcement
_GOES_ON = re.compile(
    r"(?i:\b(?:so|but|and|or|the|a|an|to|of|in|on|at|is|are|be|that|which|because|since|if|with|for|as|check|i))$"
    r"|[,;\uff0c]$|(?:但|因为|所以|而|和|的)$"
)
_LONGEST = 300_000  # characters that are read; more than models are allowed to generate


UNFINISHED = "the output ends while the model is thinking: give it more tokens, --gen_kwargs max_new_tokens=4096"


class FinalAnswer(NamedTuple):
    """What a model answers in the end.

    Attributes:
        text: the answer, stripped; "" if there is none.
        chars: its half-open range in the output.
        is_finished: False if the output ends while the model is still thinking; `text` is then "".
    """

    text: str
    chars: tuple[int, int]
    is_finished: bool = True


def final_answer(output: str, keep_boxes: bool = False) -> FinalAnswer:
    r"""Return the final answer in an output. Never raises, in time linear in the output's length.

    Only the first 300,000 characters are read. Drafts are left out: thinking in the marks of about twenty model
    families, tool calls, and the channels of OpenAI's harmony format that are not the final one. If a draft is closed
    but not opened, all text before its end is one. If the output ends inside a draft, the answer is the text before
    it; if there is none, it is unfinished. An output that deliberates ("Okay, let me look ...") and stops in the middle
    of a sentence is unfinished too. Of what is left, the answer is the last `<answer>...</answer>`, `\boxed{...}` or
    `<|begin_of_box|>...<|end_of_box|>`, or else all of it up to the first end token.

    Args:
        output: what the model printed.
        keep_boxes: keep `\boxed{}` and `<|begin_of_box|>` and the text around them, as readers of phrases and of
            coordinates need them.
    """
    output = output[:_LONGEST]
    (start, stop), is_finished = _last_part(output)
    if not is_finished:
        return FinalAnswer("", (len(output), len(output)), False)
    start, stop = _in_answer_tags(output, start, stop)
    start, stop = _within_end_tokens(output, start, stop)
    text = output[start:stop]
    if _is_cut(text):
        return FinalAnswer("", (len(output), len(output)), False)
    if not keep_boxes:
        start, stop = _in_box(output, start, stop)
        text = _STYLED.sub(r"\1", output[start:stop])
    start, stop = _trimmed(output, start, stop)
    return FinalAnswer(text.strip(), (start, stop))


def without_draft(output: str) -> str:
    """Return an output without its drafts, with its markup and end tokens; "" if it is unfinished. Never raises.

    Rules that are defined on a model's whole answer, such as the authors', read this.
    """
    output = output[:_LONGEST]
    (start, stop), is_finished = _last_part(output)
    return output[start:stop].strip() if is_finished else ""


def _last_part(text: str) -> tuple[tuple[int, int], bool]:
    """The range after the last draft, or before an unclosed one; and whether the thinking has ended."""
    if bare := _BARE_HARMONY.match(text):
        final = _last_match(_BARE_FINAL, text, bare.end(), len(text))
        return ((final.end(), len(text)), True) if final else ((0, 0), False)
    start, opened, kind = 0, -1, -1
    visible: tuple[int, int] | None = None
    is_channel = False  # whether the last draft was a harmony channel, after which the final one must come
    for mark in _DRAFT.finditer(text):
        assert mark.lastgroup is not None
        is_opening, number = mark.lastgroup[0] == "o", int(mark.lastgroup[1:])
        if is_opening and kind < 0:
            visible = (start, mark.start()) if _says_something(text, start, mark.start()) else visible
            opened, kind = mark.start(), number
        elif not is_opening and kind < 0 and number != _HARMONY:
            visible, start = None, mark.end()
        elif not is_opening and number == kind:
            start, kind, is_channel = mark.end(), -1, number == _HARMONY
    if final := _last_match(_HARMONY_FINAL, text, opened if kind == _HARMONY else start, len(text)):
        return (final.end(), len(text)), True
    if kind >= 0:
        return visible or (0, 0), visible is not None
    if _says_something(text, start, len(text)):
        return (start, len(text)), True
    return visible or (start, len(text)), visible is not None or not is_channel


def _is_cut(text: str) -> bool:
    """Whether a text without marks is thinking that was cut off."""
    if _OUTLINES.match(text):
        return "final answer" not in text.lower()
    opening = _DELIBERATES.match(text)
    if not opening or _SENTENCE_END.search(text[-50:]) or _BOXED.search(text):
        return False
    last = _SENTENCES.split(text[-300:])[-1].strip()
    if _GOES_ON.search(last):
        return True
    return not _STATED.search(last) and bool(opening["strong"]) and len(last.split()) >= 5


def _says_something(text: str, start: int, stop: int) -> bool:
    return bool(_END_TOKEN.sub("", text[start:stop]).strip())


def _in_answer_tags(text: str, start: int, stop: int) -> tuple[int, int]:
    """The range within the last answer tags; the template may have opened them, and the model not closed them."""
    found, opened = (start, stop), start
    for tag in _ANSWER.finditer(text, start, stop):
        if tag["begin"] or tag["close"] == "":
            opened = tag.end()
            found = (opened, stop)
        else:
            found = (opened, tag.start())
    return found


def _within_end_tokens(text: str, start: int, stop: int) -> tuple[int, int]:
    leading = _LEADING_TOKENS.match(text, start, stop)
    start = leading.end() if leading else start
    end = _END_TOKEN.search(text, start, stop)
    return start, end.start() if end else stop


def _in_box(text: str, start: int, stop: int) -> tuple[int, int]:
    r"""The range within the last box: `<|begin_of_box|>...<|end_of_box|>`, or `\boxed{...}` with balanced braces."""
    for opening, closing in _BOXES:
        at = text.rfind(opening, start, stop)
        if at >= 0:
            end = text.find(closing, at, stop)
            start, stop = at + len(opening), stop if end < 0 else end
    last = _last_match(_BOXED, text, start, stop)
    if last is None:
        return start, stop
    depth = 1
    for brace in re.compile(r"[{}]").finditer(text, last.end(), stop):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return last.end(), brace.start()
    return last.end(), stop


def _last_match(pattern: re.Pattern[str], text: str, start: int, stop: int) -> re.Match[str] | None:
    found = None
    for each in pattern.finditer(text, start, stop):
        found = each
    return found


def _trimmed(text: str, start: int, stop: int) -> tuple[int, int]:
    inner = text[start:stop]
    start += len(inner) - len(inner.lstrip())
    return start, max(start, start + len(inner.strip()))
