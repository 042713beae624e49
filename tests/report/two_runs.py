"""Two runs written by hand, of images in pairs 1+2, 3+4, ..., and the command that compares them."""

import json

from typer.testing import CliRunner
from written_run import box, ground_sample, vqa_sample, write_results, write_samples

from pixfound_tasks.cli import app as command

SURE = "maker__model"


def placed(sample, id, **document):
    """A sample as that of another image."""
    place = {"id": str(id), "pair": (id - 1) // 2, "question": "Is it red?"}
    return sample | {"doc_id": id - 1, "pixfound": sample["pixfound"] | place | document}


def choice(id, correct, task="vqa", **document):
    part = [(id - 1) // 2, correct]
    answered = {"accuracy": float(correct), "pair_accuracy": part, "score": part}
    opened = {"unjudged": 0.0, "miou": [None, False]} if task == "open" else {}
    return placed(vqa_sample("1") | answered | opened, id, **document)


def found(id, columns, text="See it", provenance=None, **document):
    """A mask of the first columns, where ten are true: an IoU of as many tenths."""
    response = {"schema": "pixfound/1", "text": text, "masks": [box(columns)], "provenance": provenance or {}}
    return placed(ground_sample("1") | {"filtered_resps": [json.dumps(response)], "miou": columns / 10}, id, **document)


def write(run, folder=SURE, benchmark="pixmini", vqa=(), vqa_open=(), ground=(), **config):
    for task, samples in {"vqa": vqa, "vqa_open": vqa_open, "ground": ground}.items():
        if samples:
            write_samples(run / folder, f"{benchmark}_{task}", samples)
    write_results(run / folder, limit=None, **config)
    return run


def invoke(*arguments):
    return CliRunner().invoke(command.app, ["compare", *map(str, arguments)])


def compared(first, second, *options):
    done = invoke(first, second, "--json", "-", *options)
    assert done.exit_code == 0, done.output
    (benchmark,) = json.loads(done.stdout)["benchmarks"]
    return benchmark


def by_score(comparison):
    return {each["score"]: each for each in comparison["differences"]}


def error_of(done):
    assert done.exit_code == 1 and not done.stdout
    return " ".join(done.stderr.split())


def rights(*pairs):
    """Choice answers of ten pairs, of which these have both images right, and the others their first."""
    return [choice(id, id % 2 == 1 or (id - 1) // 2 in pairs) for id in range(1, 21)]


def write_five_pairs_apart(folder):
    """Of ten pairs the first run has 0-3 and 5-7 right, the second 4-7: five differ. IoUs: 0.8, and 0.6 in the second.

    Both have the first image of every pair right, and the second image where the pair is.
    """
    return (
        write(folder / "a", vqa=rights(0, 1, 2, 3, 5, 6, 7), ground=[found(id, 8) for id in range(1, 21)]),
        write(folder / "b", vqa=rights(4, 5, 6, 7), ground=[found(id, 6) for id in range(1, 21)]),
    )
