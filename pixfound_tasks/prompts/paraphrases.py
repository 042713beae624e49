"""Paraphrased questions, read from a file. If a judge is named, it writes the missing ones, which are saved there.

PIXFOUND_PARAPHRASES names the file, see `read_paraphrases`. PIXFOUND_PARAPHRASER names the judge in the form of
PIXFOUND_JUDGE. The judge writes the paraphrases that the file lacks, see `judges.paraphrase`. Only one process at a
time uses it.
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
    from pixfound_tasks.judges.paraphrase import Paraphrased

VARIABLE, MAKER = "PIXFOUND_PARAPHRASES", "PIXFOUND_PARAPHRASER"
_THREADS = 4  # questions that the judge paraphrases in parallel
_WAYS = f"name a judge that writes them in {MAKER} (openai:MODEL or local:CHECKPOINT)"

Texts = Mapping[str, Sequence[str]]  # by document id


def are_wanted() -> bool:
    """Whether PIXFOUND_PARAPHRASES is set. Raises ValueError if only PIXFOUND_PARAPHRASER is set."""
    path, maker = read_setting(VARIABLE), read_setting(MAKER)
    if maker and not path:
        raise ValueError(
            f"expected {VARIABLE} to name the .jsonl file for what {maker} ({MAKER}) writes, but it is not set; set "
            f"it, or unset {MAKER}"
        )
    return bool(path)


def paraphrases(benchmark: str, questions: Mapping[str, str], count: int) -> dict[str, list[str]]:
    """Return the first `count` paraphrases of each question, by document id.

    If PIXFOUND_PARAPHRASER names a judge, it writes the missing ones, which are saved in the file. Raises ValueError if
    the file does not exist and no judge is named, or if a document still has too few paraphrases.
    """
    path, maker = Path(read_setting(VARIABLE)), read_setting(MAKER)
    if not path.exists() and not maker:
        raise ValueError(
            f"expected {path}, which {VARIABLE} names, to hold paraphrases (columns id and paraphrase, one per row), "
            f"but there is no such file; write it, or {_WAYS}"
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
            + (f"{reason}. The replies are saved: run the same command again if the judge was down, " if reason else "")
            + f"add them to the file, {ways}, or run the task without {VARIABLE}"
        )
    return {id: found[id][:count] for id in questions}


def read_paraphrases(path: Path, benchmark: str) -> dict[str, list[str]]:
    """Read the paraphrases of questions (without options) by document id, in the order of the file.

    The file is CSV with a header, or JSONL. It has one paraphrase per row, with the columns `id` and `paraphrase`. If a
    row also has a `benchmark`, it is skipped unless that is the given one. Raises ValueError for another kind of file,
    or if a row lacks `id` or `paraphrase`.
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
    """Have the judge write the paraphrases that the file lacks, and save them.

    Returns the paraphrases that the file then holds, and the reason why some are still missing ("" if none).
    """
    from filelock import FileLock

    from pixfound_tasks.judges.base import make_judge

    if path.suffix != ".jsonl":
        raise ValueError(
            f"expected {VARIABLE} as a .jsonl file, so that {maker} ({MAKER}) can add what it lacks, but got {path}"
        )
    judge = make_judge(maker, writes=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Every process of a run loads the task. The others wait for the first one, and then find all paraphrases saved.
    with FileLock(path.with_name(f".{path.name}.lock")):
        found = read_paraphrases(path, benchmark) if path.exists() else {}
        lacking = {id: questions[id] for id in _lacking(questions, found, count)}
        reason = _make(path, judge, benchmark, lacking, found, count) if lacking else ""
        return read_paraphrases(path, benchmark) if path.exists() else {}, reason


def _make(path: Path, judge: Judge, benchmark: str, questions: Mapping[str, str], found: Texts, count: int) -> str:
    """Ask the judge for paraphrases and save its replies, even if the process is interrupted.

    Returns the first reason why a question has too few paraphrases, or "".
    """
    from tqdm import tqdm

    from pixfound_tasks.judges.paraphrase import paraphrase

    # The images of a pair share their question and therefore its paraphrases.
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
    """Append rows to a JSONL file. A new file is written and renamed, so that readers never see an incomplete file."""
    if not rows:
        return
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    end = "\n" if before and not before.endswith("\n") else ""
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    with replacing(path) as beside:
        beside.write_text(before + end + lines, encoding="utf-8")
