"""`--use_cache` for runs that are killed.

lmms-eval writes every response to a log and to a database of the run. It merges them into the folder's shared database
when the run ends normally. It does not read the log of a killed run again, unless LMMS_CACHE_RUN_ID or a batch system
gives the next run the same name. Here every run first takes over the responses in the logs of unfinished runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lmms_eval.caching.response_cache import ResponseCache, _deserialize_response
from loguru import logger

_CREATE = ResponseCache.create.__func__  # lmms-eval's own, even if it is replaced later
_COLUMNS = ("cache_key", "request_type", "task_name", "doc_id", "idx", "gen_kwargs", "response", "created_at")
_INSERT = f"INSERT OR IGNORE INTO responses ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{c}' for c in _COLUMNS)})"


class ResumableCache(ResponseCache):
    """lmms-eval's response cache, with the responses of unfinished runs.

    Each evaluation (model, arguments and tasks) can have only one run at a time in a folder. Different evaluations may
    share a folder.
    """

    _lock: IO[str] | None = None

    @classmethod
    def open(cls, cache_root: str, *, global_rank: int = 0, **options: Any) -> ResumableCache:
        """`ResponseCache.create`, filled with the responses of unfinished runs.

        Raises:
            RuntimeError: if the folder is not writable, or another run of this evaluation uses it.
        """
        root = Path(cache_root).absolute()
        root = root.parent if root.suffix == ".db" else root  # as lmms-eval reads it
        started = time.time()
        with _with_fix_hint(root):
            cache: ResumableCache = _CREATE(cls, cache_root, global_rank=global_rank, **options)
            if global_rank == 0:  # one lock for all processes of the run
                cache._lock = _lock(root, cache)
                _clear_merge_lock(root)
            found = cache.db.executemany(_INSERT, _kept(root, cache, started)).rowcount
            cache.db.commit()
        if found > 0:
            logger.info(f"{found} responses of unfinished runs are reused")
        return cache

    def close(self) -> None:
        super().close()
        if self._lock:
            self._lock.close()
            self._lock = None

    def _log_to_audit(self, *args: Any, **options: Any) -> None:
        with _with_fix_hint(self._cache_root):
            super()._log_to_audit(*args, **options)

    def _store(self, *args: Any, **options: Any) -> None:
        with _with_fix_hint(self._cache_root):
            super()._store(*args, **options)


@contextmanager
def _with_fix_hint(folder: Path | str) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise RuntimeError(
            f"expected to keep responses in {folder} (--use_cache), but {error}: free some disk space or name a folder "
            "that is writable, and run the same command again; all answers so far are kept"
        ) from error


def _lock(root: Path, cache: ResumableCache) -> IO[str]:
    """An open file that locks this evaluation until the file is closed or the process ends, however it ends."""
    import fcntl  # POSIX

    name = cache._model_fingerprint_hash, *sorted(cache._task_fingerprints.values())
    file = (root / "runs" / f"{hashlib.sha256(repr(name).encode()).hexdigest()[:16]}.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise RuntimeError(
            f"expected to be the only run of this evaluation with --use_cache {root}, but {file.read().strip()} is "
            "running it: wait until it ends, or name another folder"
        ) from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    return file


def _clear_merge_lock(root: Path) -> None:
    """Remove lmms-eval's merge lock if a process of this machine was killed while it held the lock."""
    lock = root / "runs" / ".merge.lock"
    owner = _record((lock / "owner.json").read_text()) if (lock / "owner.json").exists() else {}
    if owner.get("hostname") == socket.gethostname() and not _is_running(owner.get("pid")):
        shutil.rmtree(lock, ignore_errors=True)


def _is_running(process: Any) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (TypeError, ValueError, OSError):  # unknown, or another user's process
        return True
    return True


def _kept(root: Path, cache: ResumableCache, started: float) -> Iterator[dict[str, Any]]:
    """This model's responses in the logs of unfinished runs, from the folder and from this machine's scratch folder."""
    own = Path(cache.audit_path)
    for log in sorted({*root.glob("runs/*/rank_*.audit.jsonl"), *own.parent.parent.glob("*/rank_*.audit.jsonl")}):
        if log == own or (cache._shared_db and _is_joined(log, started)):
            continue
        # A killed process may leave its last line cut off, even in the middle of a character.
        with log.open(encoding="utf-8", errors="replace") as lines:
            yield from filter(lambda record: _is_usable(record, cache), map(_record, lines))


def _is_joined(log: Path, before: float) -> bool:
    """Whether a run was merged before the time `before`, with its whole log in the shared database."""
    marker = log.with_name(".merged")
    return marker.exists() and log.stat().st_mtime <= marker.stat().st_mtime < before


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _is_usable(record: dict[str, Any], cache: ResumableCache) -> bool:
    """Whether it is a complete record of this model that lmms-eval would have cached too."""
    is_ours = record.get("model_fingerprint_hash") == cache._model_fingerprint_hash and record.get("cache_key")
    if not is_ours or not record.get("deterministic") or not record.keys() >= set(_COLUMNS):
        return False
    return bool(cache._is_valid_response(_deserialize_response(record["response"]), record["request_type"]))
