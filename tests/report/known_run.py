"""Runs of which the truth is known: six pairs, whose object is always the first four of twenty columns."""

import json

import numpy as np
from written_run import SIZE, box, write_samples

from pixfound_tasks.masks import encode

IDS = [str(number) for number in range(1, 13)]
TRUTH = box(4)  # of SIZE: 10 rows, 20 columns
PHRASES = ("one", "two", "dog", "ten", "the end")  # the third begins at token 4 of 10, and at character 8 of 23


def document(id, **changes):
    return {
        "benchmark": "pixmini", "id": id, "pair": (int(id) - 1) // 2, "question": "Is it?", "options": ["Yes", "No"],
        "options_text": "(a) Yes (b) No", "answer": "a", "pattern": "Text" if int(id) < 5 else "Color and Appearance",
        "expression": "the thing", "mask": TRUTH, "width": SIZE[1], "height": SIZE[0], "task": "", "source": "",
        "origin": "by hand", **changes,
    }  # fmt: skip


def elsewhere():
    """A mask that has nothing of the object: the last four columns."""
    mask = np.zeros(SIZE, bool)
    mask[:, 16:] = True
    return encode(mask)


def grounded_at(place, selected=0):
    """A response with five phrases, of which only the one at `place` has the object's mask."""
    phrases, start = [], 0
    for index, text in enumerate(PHRASES):
        mask = TRUTH if index == place else elsewhere()
        phrases.append({
            "text": text, "chars": [start, start + len(text)], "tokens": [2 * index, 2 * index + 2],
            "point": [0.1 if index == place else 0.9, 0.5], "candidates": [{"mask": mask, "score": 0.9}],
        })  # fmt: skip
        start += len(text) + 1
    control = [{"point": [0.9, 0.5], "candidates": [{"mask": box(16), "score": 0.5}]}]
    return {
        "schema": "pixfound/1", "text": " ".join(PHRASES), "tokens": 10, "phrases": phrases,
        "masks": [phrases[selected]["candidates"][0]["mask"]], "control": control,
        "selected": {"by": "first", "phrase": selected, "candidate": 0},
    }  # fmt: skip


def ground_sample(id, response, iou):
    scores = dict.fromkeys(("score", "miou", "oracle_miou"), iou)
    return {"filtered_resps": [json.dumps(response)], "input": "Find the thing.", "unparsed": 0.0, **scores,
            "pixfound": document(id)}  # fmt: skip


def vqa_sample(id, correct=True):
    part = [(int(id) - 1) // 2, correct]
    return {
        "filtered_resps": ["A" if correct else "B"], "input": "Is it? Options:\nA. Yes\nB. No\nSay.",
        "accuracy": float(correct), "pair_accuracy": part, "score": part, "unparsed": 0.0, "pixfound": document(id),
    }  # fmt: skip


def evidence_samples(id, evidence, control):
    """The three askings of a document, of which the second and third changed the answer or not."""
    chosen = {"plain": 0, "evidence": int(evidence), "control": int(control)}
    left_out = {"without_region": 3, "without_control": 1}
    return [
        {"filtered_resps": ["A"], "score": [id, kind, option], "pixfound": document(id, kind=kind, left_out=left_out)}
        for kind, option in chosen.items()
    ]


def varied_samples(id, **scores):
    """A document as it is and in its variations: `original=[1.0], crop=[0.5, 0.0]`, IoUs, or whether it was right."""
    pair = (int(id) - 1) // 2
    return [
        {
            "filtered_resps": ["A"], "pixfound": document(id),
            "score": [type, number, [pair, value] if isinstance(value, bool) else value],
        }
        for type, values in scores.items()
        for number, value in enumerate(values)
    ]  # fmt: skip


def write(folder, **samples):
    """A run of these tasks of PixMini, by the end of their names."""
    for task, found in samples.items():
        write_samples(folder / "model", f"pixmini_{task}", found)
    return folder
