"""Replies of many kinds to every document of PixMini, among them those that tables lose."""

from __future__ import annotations

import json

from pixfound_tasks import masks

VQA, GROUND, OPEN = "PixMini_VQA", "PixMini_Ground", "PixMini_VQA_Open"
_CHOICES = (
    "A", "B", "(b)", "The answer is B.", "<think>A or B?</think>\n\nA", "", "None", "NA", "5", "007", "=1+1", "nan",
    "A\r\nbecause\tit is", 'He said "B"', "\N{PILE OF POO} A", "http://example.org/B", " b ", "1.0",
)  # fmt: skip


def odd_replies() -> dict[str, dict[str, str]]:
    """By the dataset's name and the document's id. Every grounding reply is about the true box of some document."""
    from pixfound_tasks import benchmarks

    documents = benchmarks.load("pixmini")["test"].remove_columns("image").to_list()
    found: dict[str, dict[str, str]] = {VQA: {}, GROUND: {}, OPEN: {}}
    for number, doc in enumerate(documents):
        name = doc["id"]
        found[VQA][name] = doc["answer"].upper() if number % 3 else _CHOICES[number // 3 % len(_CHOICES)]
        found[OPEN][name] = f"It is {doc['options'][ord(doc['answer']) - ord('a')]}." if number % 4 else ""
        found[GROUND][name] = _grounding(doc, number)
    return found


def _grounding(doc: dict, number: int) -> str:
    rows, columns = masks.decode(doc["mask"]).nonzero()
    if not len(rows):
        return "There is none." if number % 2 else "None"
    box = [
        round(1000 * edge / side)
        for edge, side in (
            (columns.min(), doc["width"]), (rows.min(), doc["height"]),
            (columns.max() + 1, doc["width"]), (rows.max() + 1, doc["height"]),
        )
    ]  # fmt: skip
    whole = {"schema": "pixfound/1", "text": "here", "masks": [doc["mask"]]}
    kinds = (
        json.dumps([{"bbox_2d": box, "label": "it"}]),
        f"```json\n{json.dumps({'bbox_2d': box})}\n```",
        f"<think>where?</think> [{box[0]}, {box[1]}, {box[2]}, {box[3]}]",
        json.dumps(whole),
        f"<box>({box[0]},{box[1]}),({box[2]},{box[3]})</box>",
        "I cannot see it" + " at all" * 9000,
        f"\t{box}\r\n",
        "",
    )
    return kinds[number % len(kinds)]
