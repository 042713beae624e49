"""A run of lmms-eval written by hand: five images of PixMini, so that pair 2 has one half only."""

import json
import random

import numpy as np

from pixfound_tasks import masks

SIZE = (10, 20)
HOSTILE = "</script><img src=x onerror=alert(1)>"
DATE = "20260102_030405"


def box(columns):
    """The mask of the first columns, of ten pixels each."""
    mask = np.zeros(SIZE, bool)
    mask[:, :columns] = True
    return masks.encode(mask)


# id: true columns, predicted columns (None: only text came), whether the question was answered rightly
IMAGES = {"1": (10, 8, True), "2": (0, 5, True), "3": (10, 4, True), "4": (10, 10, False), "5": (4, 4, True)}


def document(id):
    number = int(id)
    return {
        "benchmark": "pixmini", "id": id, "pair": (number - 1) // 2, "question": f"Is it {HOSTILE}?",
        "options": ["Yes", "No"], "options_text": "(a) Yes (b) No", "answer": "a",
        "pattern": "Text" if number < 3 else "Color and Appearance", "expression": "the red square",
        "mask": box(IMAGES[id][0]), "width": SIZE[1], "height": SIZE[0], "task": "", "source": "", "origin": "drawn",
    }  # fmt: skip


def vqa_sample(id):
    correct = IMAGES[id][2]
    part = [(int(id) - 1) // 2, correct]
    return {
        "doc_id": int(id) - 1, "target": "a", "filtered_resps": "A" if correct else HOSTILE, "input": "Is it?",
        "accuracy": float(correct), "lenient_accuracy": float(correct), "unparsed": float(not correct),
        "pair_accuracy": part, "score": part, "pixfound": document(id),
    }  # fmt: skip


def grounding(id, text):
    """A response with one phrase of two candidates: the prediction, and one column."""
    predicted = box(IMAGES[id][1])
    candidates = [{"mask": predicted, "score": 0.9}, {"mask": box(1), "score": 0.1}]
    phrase = {
        "text": text,
        "chars": [4, 4 + len(text)],
        "similarity": 0.9,
        "point": [0.1, 0.5],
        "candidates": candidates,
    }
    return json.dumps({
        "schema": "pixfound/1", "text": f"See {text} there", "masks": [predicted], "phrases": [phrase],
        "selected": {"by": "similarity", "phrase": 0, "candidate": 0},
        "control": [{"point": [0.9, 0.5], "candidates": [{"mask": box(2)}]}],
        "provenance": {"reducer": "mean_centered"},
    })  # fmt: skip


def ground_sample(id):
    true, predicted, _ = IMAGES[id]
    iou = min(true, predicted) / max(true, predicted)
    return {
        "doc_id": int(id) - 1, "target": "the red square", "input": "Identify",
        "filtered_resps": [grounding(id, HOSTILE)],
        "miou": iou, "score": iou, "ciou": [10 * min(true, predicted), 10 * max(true, predicted)],
        "precision_50": float(iou > 0.5), "absent_accuracy": None if true else 0.0,
        "oracle_miou": 1.0 if true == 0 else iou, "unparsed": 0.0, "pixfound": document(id),
    }  # fmt: skip


# id: the judge's verdict, IoU (None: no expression), whether masks came with the answer
OPEN = {
    "1": (True, 0.5, True),
    "2": (True, 1.0, False),
    "3": (True, 0.3, False),
    "4": (True, None, False),
    "5": (None, 0.2, False),
}


def open_sample(id):
    verdict, iou, came = OPEN[id]
    part = [(int(id) - 1) // 2, verdict is True]
    return {
        "doc_id": int(id) - 1, "target": "a", "filtered_resps": [f"It is {HOSTILE}"], "input": "Is it?",
        "score": [part, [iou, came]], "pair_accuracy": part, "accuracy": float(verdict is True),
        "unjudged": float(verdict is None), "miou": [iou, came],
        "judgement": {"by": "rule", "verdict": verdict, "reply": ""}, "pixfound": document(id),
    }  # fmt: skip


# id: source, task
PARTS = {"1": ("ADE20K", "Count"), "2": ("ADE20K", "Relation"), "3": ("COCO", "Count"), "4": ("COCO", "Count")}


def of_pixcvbench(sample):
    """The same sample of an image without a pair and a pattern, whose part of the score is 0 or 1."""
    source, task = PARTS[sample["pixfound"]["id"]]
    document = {"benchmark": "pixcvbench", "pair": None, "pattern": "", "source": source, "task": task}
    parts = {"pair_accuracy": sample["accuracy"]} if "accuracy" in sample else {}
    return sample | parts | {"pixfound": sample["pixfound"] | document}


def write_samples(folder, task, samples, date=DATE, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    samples = list(samples)
    random.Random(seed).shuffle(samples)
    lines = [json.dumps(sample) for sample in samples]
    (folder / f"{date}_samples_{task}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_results(folder, date=DATE, **config):
    results = {
        "results": {"pixmini_vqa": {"score,none": float("nan")}},
        "model_name": "maker/model", "lmms_eval_version": "0.7.3",
        "config": {"model": "pixfound", "model_args": "pretrained=maker/model", "limit": 5.0, **config}, "date": date,
    }  # fmt: skip
    (folder / f"{date}_results.json").write_text(json.dumps(results), encoding="utf-8")


def write_run(run):
    """A run of both tasks, in which both are shuffled."""
    folder = run / "maker__model"
    write_samples(folder, "pixmini_vqa", map(vqa_sample, IMAGES), seed=1)
    write_samples(folder, "pixmini_ground", map(ground_sample, IMAGES), seed=2)
    write_results(folder)
    return run
