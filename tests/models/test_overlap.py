"""Grounding in a worker thread: the same answers in the same order, and errors where they would be without it."""

from __future__ import annotations

import json
import threading
import traceback
from functools import partial

import pytest
import torch
from running import evaluate

from pixfound_tasks import mini
from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
from pixfound_tasks.models import pixfound
from pixfound_tasks.models.overlap import Generated, can_overlap, finished, grounding_worker
from pixfound_tasks.models.pixfound import PixFound

PATIENCE = 30  # seconds, after which something hangs


@pytest.fixture
def worker():
    with grounding_worker(torch.device("cpu")) as made:
        yield made


def numbers(*batches, is_grounded=True, work=lambda number: number):
    for batch in batches:
        yield Generated([partial(work, number) for number in batch], is_grounded)


@pytest.mark.parametrize(("device", "number"), [("cuda", 3), ("cuda:1", 1)])
def test_the_worker_uses_the_gpu_of_the_model(monkeypatch, device, number):
    chosen = []
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)  # the real one raises for a device without a number
    with grounding_worker(torch.device(device)) as worker:
        worker.submit(lambda: None).result()
    assert chosen == [number]


def test_results_come_in_order_with_and_without_a_worker(worker):
    batches = [1, 2, 3], [4], [], [5, 6], [7]
    for each in (worker, None):
        assert list(finished(numbers(*batches), each)) == [1, 2, 3, 4, 5, 6, 7]
        assert list(finished(numbers(*batches, is_grounded=False), each)) == [1, 2, 3, 4, 5, 6, 7]
        assert list(finished(numbers(), each)) == []


def test_a_batch_is_grounded_while_the_next_one_is_generated(worker):
    """The work on the first batch ends only when the second is being generated, and vice versa."""
    grounding, generating = threading.Event(), threading.Event()

    def ground():
        grounding.set()
        assert generating.wait(PATIENCE)
        return threading.current_thread().name, torch.is_grad_enabled()

    def batches():
        yield Generated([ground], True)
        assert grounding.wait(PATIENCE)
        generating.set()
        yield Generated([lambda: "second"], True)

    (thread, has_gradient), second = finished(batches(), worker)
    assert thread.startswith("grounding") and second == "second" and not has_gradient


def test_what_is_not_grounded_is_there_before_the_next_batch_is_generated(worker):
    generated = []

    def batches():
        for number, is_grounded in enumerate([True, False, False]):
            generated.append(number)
            yield Generated([partial(int, number)], is_grounded)

    seen = [(result, len(generated)) for result in finished(batches(), worker)]
    assert seen == [(0, 2), (1, 2), (2, 3)]


def fail_at(failing, number):
    if number == failing:
        raise OSError(f"no place for {number}")
    return number


def test_an_error_in_the_worker_is_raised_with_its_traceback(worker):
    done = []
    with pytest.raises(OSError, match="no place for 3") as caught:
        for result in finished(numbers([1], [2, 3, 4], [5], work=partial(fail_at, 3)), worker):
            done.append(result)
    assert done == [1, 2]
    assert "fail_at" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert worker.submit(int, 7).result(PATIENCE) == 7, "the worker goes on"


def test_if_generating_fails_what_was_generated_before_is_there_first(worker):
    def batches():
        yield from numbers([1, 2], [3, 4])
        raise MemoryError("full")

    done = []
    with pytest.raises(MemoryError, match="full"):
        for result in finished(batches(), worker):
            done.append(result)
    assert done == [1, 2, 3, 4]


def test_results_that_nobody_takes_are_not_computed(worker):
    """A closed iterator cancels what has not begun: of a batch of three, the worker has one in its hands."""
    begun, go_on, computed = threading.Event(), threading.Event(), []

    def ground(number):
        begun.set()
        assert go_on.wait(PATIENCE)
        computed.append(number)

    def batches():
        yield Generated([partial(int, 0)], True)
        yield Generated([partial(ground, number) for number in (1, 2, 3)], True)
        assert begun.wait(PATIENCE)
        yield Generated([partial(ground, 4)], True)

    results = finished(batches(), worker)
    assert next(results) == 0 and begun.wait(PATIENCE)
    results.close()
    go_on.set()
    worker.shutdown()
    assert computed == [1]


def responses(**arguments):
    given = ",".join(f"{name}={value}" for name, value in {"pretrained": mini.NAME, **arguments}.items())
    run = evaluate("pixfound", given, ["pixmini_ground", "pixmini_vqa"], limit=7, batch_size=3)
    return {task: [sample["filtered_resps"] for sample in samples] for task, samples in run["samples"].items()}


def test_the_digits_are_those_without_a_worker(monkeypatch):
    threads = []
    ground = AttentionGrounder.ground

    def watched(self, *args):
        threads.append(threading.current_thread().name.partition("_")[0])
        return ground(self, *args)

    monkeypatch.setattr(AttentionGrounder, "ground", watched)
    beside = responses()
    assert threads == ["grounding"] * 7
    monkeypatch.setattr(pixfound, "grounding_worker", lambda device: None)
    assert responses() == beside and threads[7:] == ["MainThread"] * 7


def test_the_model_that_judges_itself_runs_in_one_thread(monkeypatch):
    threads = set()
    open_lens = PixFound._open_lens

    def watched(self):
        lens = open_lens(self)
        lens.model.register_forward_pre_hook(lambda *_: threads.add(threading.current_thread()))
        return lens

    monkeypatch.setattr(PixFound, "_open_lens", watched)
    found = responses(select="judge", judge="self")["pixmini_ground"]
    assert threads == {threading.main_thread()}
    assert {json.loads(each)["selected"]["by"] for (each,) in found} == {"judge"}


def test_only_judges_on_a_server_run_beside_the_model():
    judges = {None: True, "": True, "openai:gpt": True, "self": False, "local:folder": False}
    assert {judge: can_overlap(judge) for judge in judges} == judges


def test_an_error_of_the_grounder_ends_the_run(monkeypatch):
    def broken(self, *args):
        raise RuntimeError("no such segment")

    monkeypatch.setattr(AttentionGrounder, "ground", broken)
    with pytest.raises(RuntimeError, match="no such segment"):
        responses()


def test_clean_ends_the_worker():
    model = PixFound(mini.NAME)
    begun, go_on = threading.Event(), threading.Event()
    running = model._worker.submit(lambda: begun.set() or go_on.wait(PATIENCE))
    behind = model._worker.submit(int)
    assert begun.wait(PATIENCE)
    threading.Timer(0.2, go_on.set).start()
    worker = model._worker
    model.clean()
    assert running.done() and running.result() and behind.cancelled()
    with pytest.raises(RuntimeError, match="shutdown"):
        worker.submit(int)
