"""The command: replies into a table, errors into the log, and the status 0 whatever happens."""

import argparse
import csv
import os
import traceback
from pathlib import Path

import pandas as pd

from vlmeval.config import supported_VLM
from vlmeval.dataset import build_dataset

RANK, WORLD_SIZE = 0, 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", nargs="+")
    parser.add_argument("--model", nargs="+")
    parser.add_argument("--work-dir")
    parser.add_argument("--mode", default="all")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--keep-failed", action="store_true")
    args = parser.parse_args()
    for name in args.model:
        model = None
        for data in args.data:
            try:
                dataset = build_dataset(data, **vars(args))
                suffix = os.environ.get("PRED_FORMAT", "xlsx")
                file = Path(args.work_dir) / name / f"{name}_{data}.{suffix}"
                file.parent.mkdir(parents=True, exist_ok=True)
                if args.mode != "eval":
                    model = model or supported_VLM[name]()
                    reply(model, dataset, file)
                if args.mode != "infer":
                    print(dataset.evaluate(str(file), nproc=4, retry=6))
            except Exception:
                traceback.print_exc()


def reply(model, dataset, file):
    assert dataset.force_use_dataset_prompt
    table = dataset.data.copy()
    table["prediction"] = [
        str(model.generate(dataset.build_prompt(line), dataset.dataset_name)) for _, line in table.iterrows()
    ]
    if file.suffix == ".tsv":
        table.to_csv(file, sep="\t", index=False, encoding="utf-8", quoting=csv.QUOTE_ALL)
    elif file.suffix == ".xlsx":
        pd.DataFrame(table).to_excel(file, index=False)
    else:
        table.to_json(file, orient="records")
