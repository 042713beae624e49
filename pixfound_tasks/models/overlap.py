"""Grounds the answers of a batch in a worker thread while the model generates the next batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

Result = TypeVar("Result")
Work = Callable[[], Result]  # makes the response of one answer


@dataclass(frozen=True)
class Generated(Generic[Result]):
    """The work on the answers of a batch, and whether it takes long enough to be done beside the model."""

    work: Sequence[Work[Result]]
    is_grounded: bool


def can_overlap(judge: str | None) -> bool:
    """Return whether grounding with this judge (see `named_judge`) may run beside the model.

    The model must not run in two threads, which excludes the judge "self". Loading another model changes PyTorch's
    default dtype for all threads, which excludes local judges.
    """
    return not judge or judge.startswith("openai:")


def grounding_worker(device: torch.device) -> ThreadPoolExecutor:
    """Return an executor with one thread, so that answers are grounded one by one and in order.

    PyTorch keeps the current GPU and the gradient mode per thread. A device without a number is this thread's GPU.
    """
    gpu = None
    if device.type == "cuda":
        gpu = torch.cuda.current_device() if device.index is None else device.index

    def begin() -> None:
        torch.set_grad_enabled(False)
        if gpu is not None:
            torch.cuda.set_device(gpu)

    return ThreadPoolExecutor(1, thread_name_prefix="grounding", initializer=begin)


def finished(batches: Iterator[Generated[Result]], worker: ThreadPoolExecutor | None) -> Iterator[Result]:
    """Yield the results of all batches, in order. Taking a batch from the iterator generates its answers.

    With a worker, a batch is grounded while the next one is generated, and its results are yielded after that. So a run
    that is killed loses at most two batches: the one being generated and the one before. Without a worker, and of
    answers that are not grounded, each result is yielded at once, and at most one batch is lost.

    An error in the worker is raised here with its own traceback. If generating a batch fails, the results of the batch
    before it are yielded first, as without a worker.
    """
    waiting: list[Future[Result]] = []
    begun: list[Future[Result]] = []
    try:
        while True:
            try:
                batch = next(batches, None)
            except Exception:
                yield from (future.result() for future in waiting)
                raise
            begun = []
            if batch and batch.is_grounded and worker:
                begun = [worker.submit(work) for work in batch.work]
            yield from (future.result() for future in waiting)
            waiting = begun
            if batch is None:
                return
            if not begun:
                yield from (work() for work in batch.work)
    finally:
        for future in (*waiting, *begun):
            future.cancel()
