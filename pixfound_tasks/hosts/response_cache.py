"""`--use_cache` for runs that are killed.

lmms-eval writes every response it gets to a log and a database of the run, and joins them to the folder's common
database when the run ends well. The log of a run that was killed it never looks at again, unless LMMS_CACHE_RUN_ID or a
batch system gives the next run the same name. Here every run first takes over what the logs of unfinished runs hold.
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

_CREATE = ResponseCache.create.__func__  # as lmms-eval defines it, whatever stands in for it later
_COLUMNS = ("cache_key", "request_type", "task_name", "doc_id", "idx", "gen_kwargs", "response", "created_at")
_INSERT = f"INSERT OR IGNORE INTO responses ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{c}' for c in _COLUMNS)})"


class ResumableCache(ResponseCache):
    """lmms-eval's cache of responses, with those of runs that did not end.

    One evaluation (model, arguments and tasks) has one run at a time in a folder; different ones may share it.
    """

    _lock: IO[str] | None = None

    @classmethod
    def open(cls, cache_root: str, *, global_rank: int = 0, **options: Any) -> ResumableCache:
        """As `ResponseCache.create`, and filled.

        Raises:
            RuntimeError: where the folder cannot be written to, or another run of this evaluation uses it.
        """
        root = Path(cache_root).absolute()
        root = root.parent if root.suffix == ".db" else root  # as lmms-eval takes it
        started = time.time()
        with _errors_named(root):
            cache: ResumableCache = _CREATE(cls, cache_root, global_rank=global_rank, **options)
            if global_rank == 0:  # it stands for all processes of its run
                cache._lock = _lock(root, cache)
                _clear_merge_lock(root)
            found = cache.db.executemany(_INSERT, _kept(root, cache, started)).rowcount
            cache.db.commit()
        if found > 0:
            logger.info(f"{found} responses of runs that did not end are taken over")
        return cache

    def close(self) -> None:
        super().close()
        if self._lock:
            self._lock.close()
            self._lock = None

    def _log_to_audit(self, *args: Any, **options: Any) -> None:
        with _errors_named(self._cache_root):
            super()._log_to_audit(*args, **options)

    def _store(self, *args: Any, **options: Any) -> None:
        with _errors_named(self._cache_root):
            super()._store(*args, **options)


@contextmanager
def _errors_named(folder: Path | str) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise RuntimeError(
            f"expected to keep responses in {folder} (--use_cache), but {error}: make room or name a folder that can "
            "be written to, and run the same command again; what is answered by now is kept"
        ) from error


def _lock(root: Path, cache: ResumableCache) -> IO[str]:
    """An open file that locks this evaluation until it is closed, or the process ends in any way."""
    import fcntl  # POSIX

    name = cache._model_fingerprint_hash, *sorted(cache._task_fingerprints.values())
    file = (root / "runs" / f"{hashlib.sha256(repr(name).encode()).hexdigest()[:16]}.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise RuntimeError(
            f"expected to be the only run of this evaluation with --use_cache {root}, but {file.read().strip()} is at "
            "it: wait until it ends, or name another folder"
        ) from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    return file


def _clear_merge_lock(root: Path) -> None:
    """Remove the lock of lmms-eval's that a process of this machine left when it was killed while it joined runs."""
    lock = root / "runs" / ".merge.lock"
    owner = _record((lock / "owner.json").read_text()) if (lock / "owner.json").exists() else {}
    if owner.get("hostname") == socket.gethostname() and not _is_running(owner.get("pid")):
        shutil.rmtree(lock, ignore_errors=True)


def _is_running(process: Any) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (TypeError, ValueError, OSError):  # cannot be told, or is another user's
        return True
    return True


def _kept(root: Path, cache: ResumableCache, started: float) -> Iterator[dict[str, Any]]:
    """This model's responses in the logs of unfinished runs, in the folder or in this machine's scratch beside it."""
    own = Path(cache.audit_path)
    for log in sorted({*root.glob("runs/*/rank_*.audit.jsonl"), *own.parent.parent.glob("*/rank_*.audit.jsonl")}):
        if log == own or (cache._shared_db and _is_joined(log, started)):
            continue
        # The last line of a process that was killed may be torn, in the middle of a letter too.
        with log.open(encoding="utf-8", errors="replace") as lines:
            yield from filter(lambda record: _is_usable(record, cache), map(_record, lines))


def _is_joined(log: Path, before: float) -> bool:
    """Whether a run ended before that time, and all that its log holds is in the common database."""
    marker = log.with_name(".merged")
    return marker.exists() and log.stat().st_mtime <= marker.stat().st_mtime < before


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _is_usable(record: dict[str, Any], cache: ResumableCache) -> bool:
    """Whether it is a whole record of this model, which lmms-eval would have kept too."""
    is_ours = record.get("model_fingerprint_hash") == cache._model_fingerprint_hash and record.get("cache_key")
    if not is_ours or not record.get("deterministic") or not record.keys() >= set(_COLUMNS):
        return False
    return bool(cache._is_valid_response(_deserialize_response(record["response"]), record["request_type"]))
