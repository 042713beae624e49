"""Paraphrased questions: read from a file, and where a judge is named for it, made by the judge and saved there.

PIXFOUND_PARAPHRASES names the file, see `read_paraphrases`. PIXFOUND_PARAPHRASER names the judge, as PIXFOUND_JUDGE
does; it is asked for what the file lacks, see `judges.paraphrasing`, in one process at a time.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

from pixfound_tasks.files import replacing
from pixfound_tasks.settings import read_setting

if TYPE_CHECKING:
    from pixfound_tasks.judges.base import Judge
    from pixfound_tasks.judges.paraphrasing import Paraphrased

VARIABLE, MAKER = "PIXFOUND_PARAPHRASES", "PIXFOUND_PARAPHRASER"
_THREADS = 4  # questions that a judge is asked at once
_WAYS = f"name a judge that makes them in {MAKER} (openai:MODEL or local:CHECKPOINT)"

Texts = Mapping[str, Sequence[str]]  # by document id


def are_wanted() -> bool:
    """Whether PIXFOUND_PARAPHRASES is set. Raises ValueError where only PIXFOUND_PARAPHRASER is."""
    path, maker = read_setting(VARIABLE), read_setting(MAKER)
    if maker and not path:
        raise ValueError(
            f"expected {VARIABLE} to name the .jsonl file for what {maker} ({MAKER}) makes, but it is not set; set it, "
            f"or unset {MAKER}"
        )
    return bool(path)


def paraphrases(benchmark: str, questions: Mapping[str, str], count: int) -> dict[str, list[str]]:
    """The first `count` paraphrases of each question, by document id; what the judge has to make is saved first.

    Raises ValueError where there is no file, or it lacks some, and no judge made them.
    """
    path, maker = Path(read_setting(VARIABLE)), read_setting(MAKER)
    if not path.exists() and not maker:
        raise ValueError(
            f"expected {path}, which {VARIABLE} names, to hold paraphrases (columns id and paraphrase, one a row), but "
            f"there is no such file; write it, or {_WAYS}"
        )
    found = read_paraphrases(path, benchmark) if path.exists() else {}
    reason = ""
    if maker and _lacking(questions, found, count):
        found, reason = _complete(path, maker, benchmark, questions, count)
    if lacking := _lacking(questions, found, count):
        ways = f"name another judge in {MAKER}" if maker else _WAYS
        raise ValueError(
            f"expected {count} paraphrases of document {lacking[0]} of {benchmark} in {path}, but got "
            f"{len(found.get(lacking[0], ()))}, and {len(lacking)} of {len(questions)} documents have too few; "
            + (f"{reason}. What came is saved: run the same command again if the judge was down, " if reason else "")
            + f"add them to the file, {ways}, or run the task without {VARIABLE}"
        )
    return {id: found[id][:count] for id in questions}


def read_paraphrases(path: Path, benchmark: str) -> dict[str, list[str]]:
    """The paraphrases of questions (without options) by document id, in the order of the file.

    A CSV file with a header, or JSONL: one paraphrase a row, with the columns `id` and `paraphrase`. Where a row has a
    `benchmark` too, rows of others are left out. Raises ValueError for another kind of file or a row without these.
    """
    if path.suffix not in (".csv", ".jsonl"):
        raise ValueError(f"expected {VARIABLE} as a .csv or .jsonl file, but got {path}")
    found: dict[str, list[str]] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file) if path.suffix == ".csv" else map(json.loads, filter(str.strip, file))
        for number, row in enumerate(rows, 1):
            if not row.get("paraphrase") or row.get("id") in (None, ""):
                raise ValueError(f"expected id and paraphrase in row {number} of {path}, but got {row}")
            if row.get("benchmark") in (None, "", benchmark):
                found.setdefault(str(row["id"]), []).append(row["paraphrase"])
    return found


def _lacking(questions: Iterable[str], found: Texts, count: int) -> list[str]:
    return [id for id in questions if len(found.get(id, ())) < count]


def _complete(
    path: Path, maker: str, benchmark: str, questions: Mapping[str, str], count: int
) -> tuple[dict[str, list[str]], str]:
    """Have made what the file lacks, and save it: what the file then holds, and why that may be too few, or ""."""
    from filelock import FileLock

    from pixfound_tasks.judges.base import make_judge

    if path.suffix != ".jsonl":
        raise ValueError(
            f"expected {VARIABLE} as a .jsonl file, where {maker} ({MAKER}) shall make what it lacks, but got {path}"
        )
    judge = make_judge(maker, writes=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Of the processes of one run each loads the task: the others wait for the first, and find all there.
    with FileLock(path.with_name(f".{path.name}.lock")):
        found = read_paraphrases(path, benchmark) if path.exists() else {}
        lacking = {id: questions[id] for id in _lacking(questions, found, count)}
        reason = _make(path, judge, benchmark, lacking, found, count) if lacking else ""
        return read_paraphrases(path, benchmark) if path.exists() else {}, reason


def _make(path: Path, judge: Judge, benchmark: str, questions: Mapping[str, str], found: Texts, count: int) -> str:
    """Ask the judge, and save what came, also where it is interrupted; the first reason why there is too little."""
    from tqdm import tqdm

    from pixfound_tasks.judges.paraphrasing import paraphrase

    # The images of a pair share their question, and so its paraphrases.
    asked = {id: (question, tuple(found.get(id, ()))) for id, question in questions.items()}
    distinct = list(dict.fromkeys(asked.values()))
    logger.info(f"{len(distinct)} questions of {benchmark} are paraphrased by {judge.name} ({MAKER})")
    made: dict[tuple[str, tuple[str, ...]], Paraphrased] = {}
    try:
        with ThreadPoolExecutor(_THREADS) as pool:
            replies = pool.map(lambda each: paraphrase(judge, each[0], count, each[1]), distinct)
            made.update(zip(distinct, tqdm(replies, "paraphrasing", len(distinct))))
    finally:
        _append(
            path,
            [
                {"id": id, "benchmark": benchmark, "paraphrase": text, "by": judge.name}
                for id, question in asked.items()
                if question in made
                for text in made[question].texts
            ],
        )
    return next((each.reason for each in made.values() if each.reason), "")


def _append(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows to a JSONL file: written beside and renamed, so that who reads sees a whole file."""
    if not rows:
        return
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    end = "\n" if before and not before.endswith("\n") else ""
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    with replacing(path) as beside:
        beside.write_text(before + end + lines, encoding="utf-8")
