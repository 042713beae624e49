"""Full disks, folders that cannot be written to, and two runs at once: told clearly, nothing torn is read back."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from lmms_eval.caching.response_cache import ResponseCache

from pixfound_tasks import plugin
from pixfound_tasks.files import replacing
from pixfound_tasks.hosts.patches import resume_killed_runs
from pixfound_tasks.hosts.response_cache import ResumableCache

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Model:
    """Answers one request after the other; says what it was asked, and is killed at the request numbered `killed`."""

    def __init__(self, killed=None):
        self.killed, self.asked = killed, []

    def generate_until(self, requests):
        for request in requests:
            if request.doc_id == self.killed:
                raise KeyboardInterrupt
            self.asked.append(request.doc_id)
            yield f"answer {request.doc_id} \u00fc"


def requests(count, **generation):
    return [
        SimpleNamespace(task_name="t", doc_id=number, idx=0, args=("prompt", {"until": ["."], **generation}))
        for number in range(count)
    ]


def opened(folder, **options):
    return ResumableCache.open(str(folder), **{"model": "pixfound", "model_args": "pretrained=m", **options})


def killed_run(folder, count, killed, **options):
    """What a run leaves that is killed before it answers a document."""
    cache = opened(folder, **options)
    with pytest.raises(KeyboardInterrupt):
        cache.execute(Model(killed), "generate_until", requests(count))
    cache._audit_file.flush()
    cache.close()  # a process that is killed closes no file, but lets its locks go


def ask(folder, count, **options):
    """What a model is asked in a new run, and all answers."""
    cache, model = opened(folder, **options), Model()
    answers = cache.execute(model, "generate_until", requests(count))
    cache.finalize(success=True)
    return model.asked, answers


ANSWERS = [f"answer {number} \u00fc" for number in range(8)]


def test_what_killed_runs_had_answered_is_not_asked_again(tmp_path):
    killed_run(tmp_path, 8, 2)
    killed_run(tmp_path, 8, 5)
    assert ask(tmp_path, 8) == ([5, 6, 7], ANSWERS)
    assert ask(tmp_path, 8) == ([], ANSWERS), "of the common database"


def test_another_number_of_processes_goes_on_with_it(tmp_path):
    killed_run(tmp_path, 8, 3, world_size=2, global_rank=1)
    assert ask(tmp_path, 8)[0] == [3, 4, 5, 6, 7]


def test_responses_of_another_model_are_not_taken(tmp_path):
    killed_run(tmp_path, 8, 5, model_args="pretrained=other")
    assert ask(tmp_path, 8)[0] == list(range(8))


@pytest.mark.parametrize("kept", [-1, -3, -30, 5, 0])
def test_a_log_that_is_torn_anywhere_gives_its_whole_lines(tmp_path, kept):
    killed_run(tmp_path, 8, 4)
    (log,) = tmp_path.glob("runs/*/rank_0.audit.jsonl")
    *whole, last = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(whole) + last[:kept])
    is_whole = kept == -1  # but for its end of line
    assert ask(tmp_path, 8) == ([4, 5, 6, 7] if is_whole else [3, 4, 5, 6, 7], ANSWERS)


def test_records_that_are_none_and_empty_answers_are_passed_over(tmp_path):
    killed_run(tmp_path, 8, 1)
    (log,) = tmp_path.glob("runs/*/rank_0.audit.jsonl")
    record = json.loads(log.read_text())
    hostile = [record | {"response": json.dumps("")}, [], None, {"deterministic": True}, record | {"cache_key": ""}]
    log.write_text("".join(json.dumps(line) + "\n" for line in hostile))
    assert ask(tmp_path, 8)[0] == list(range(8))


def test_a_second_run_of_the_same_evaluation_is_refused_and_of_another_not(tmp_path):
    first = opened(tmp_path)
    with pytest.raises(RuntimeError, match=rf"only run .*--use_cache {tmp_path}, but process {os.getpid()} on .* wait"):
        opened(tmp_path)
    opened(tmp_path, model_args="pretrained=other").close()
    opened(tmp_path, global_rank=1).close()  # of the first run
    first.close()
    opened(tmp_path).close()


def test_the_lock_of_a_killed_process_is_none(tmp_path):
    code = (
        "import os, signal, sys; from pixfound_tasks.hosts.response_cache import ResumableCache\n"
        "cache = ResumableCache.open(sys.argv[1], model='pixfound', model_args='pretrained=m')\n"
        "lock = cache._cache_root + '/runs/.merge.lock'; os.mkdir(lock)\n"
        "import json, socket; owner = {'pid': os.getpid(), 'hostname': socket.gethostname()}\n"
        "open(lock + '/owner.json', 'w').write(json.dumps(owner)); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=False)
    assert done.returncode == -9 and (tmp_path / "runs" / ".merge.lock").is_dir(), done.stderr
    assert ask(tmp_path, 2)[0] == [0, 1]
    assert not (tmp_path / "runs" / ".merge.lock").exists()


def test_the_merge_lock_of_a_running_process_stays(tmp_path):
    opened(tmp_path).close()
    lock = tmp_path / "runs" / ".merge.lock"
    lock.mkdir()
    (lock / "owner.json").write_text(json.dumps({"pid": os.getpid(), "hostname": os.uname().nodename}))
    opened(tmp_path).close()
    assert lock.is_dir()


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeError, match=rf"expected to keep responses in {tmp_path}/file/cache .* name a folder"):
        opened(tmp_path / "file" / "cache")


@pytest.mark.parametrize("place", ["_log_to_audit", "_store"])
def test_a_full_disk_stops_the_run_says_where_and_loses_nothing(tmp_path, monkeypatch, place):
    plain, calls = getattr(ResponseCache, place), []

    def filling(self, *args, **options):
        calls.append(1)
        if len(calls) == 4:
            raise FULL
        return plain(self, *args, **options)

    monkeypatch.setattr(ResponseCache, place, filling)
    cache = opened(tmp_path)
    with pytest.raises(RuntimeError, match=rf"in {tmp_path} \(--use_cache\), but \[Errno 28\] No space left"):
        cache.execute(Model(), "generate_until", requests(8))
    cache.finalize(success=False)
    monkeypatch.setattr(ResponseCache, place, plain)
    assert ask(tmp_path, 8) == ([3, 4, 5, 6, 7] if place == "_log_to_audit" else [4, 5, 6, 7], ANSWERS)


def test_only_our_models_runs_are_touched(tmp_path):
    resume_killed_runs(plugin.MODELS)
    create = ResponseCache.create
    resume_killed_runs(plugin.MODELS)
    assert ResponseCache.create is create
    assert type(create(str(tmp_path), model="dummy")) is ResponseCache
    assert type(create(str(tmp_path), model="pixfound_replay")) is ResumableCache


def test_a_file_is_replaced_as_a_whole_or_stays(tmp_path):
    file = tmp_path / "numbers.json"
    file.write_text("before")
    with pytest.raises(OSError, match="No space left"), replacing(file) as beside:
        beside.write_text("half of wh")
        raise FULL
    assert file.read_text() == "before" and list(tmp_path.iterdir()) == [file]
    with replacing(file) as beside:
        beside.write_text("after")
        assert file.read_text() == "before"
    assert file.read_text() == "after" and list(tmp_path.iterdir()) == [file]


def test_a_look_that_the_disk_has_no_room_for_leaves_nothing(tmp_path, mini_lens, scene_image, monkeypatch):
    from safetensors import SafetensorError

    from pixfound_tasks.attention import look_file

    def filling(arrays, path, metadata):
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    found = mini_lens.look(scene_image, "Identify the red circle in the scene.", max_new_tokens=2)
    monkeypatch.setattr(look_file, "save_file", filling)
    with pytest.raises(OSError, match=rf"expected to write {tmp_path}/a.safetensors, but .*No space left"):
        found.save(tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())
