"""Jobs of a mix: pieces of tensors, done by several threads and told of in batches."""

from __future__ import annotations

import math
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from kshot.models.checkpoint.arithmetic import (
    Source,
    all_blocks,
    block_of,
    finished,
    members_blocks,
    weighted,
)
from kshot.models.checkpoint.compiled import Buffers, mixed_bytes, piece_values, suits
from kshot.models.checkpoint.operations import Linear
from kshot.models.checkpoint.parts import Operation, Survey
from kshot.models.checkpoint.reading import Room, memory_of, read_bytes

if TYPE_CHECKING:
    from torch import Tensor

JOB_VALUES = 1 << 21
_COPY_BYTES = 1 << 20
_REPORT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Job:
    """A run of values (of a copied tensor: of bytes) that one thread writes.

    Attributes:
        number: Its place among all jobs of the mix; the same in every process.
        tensor: Position in the plan.
        at: First value.
        count: How many.
        size: Bytes that it writes.
    """

    number: int
    tensor: int
    at: int
    count: int
    size: int


Do: TypeAlias = Callable[[Job, Room], None]
_End: TypeAlias = tuple[Job, BaseException | None] | None
_Ends: TypeAlias = "queue.SimpleQueue[_End]"


def jobs_of(sources: Sequence[Source], operation: Operation) -> tuple[Job, ...]:
    """All jobs of a mix in the order of the output; an operation of two passes takes each tensor whole.

    Example::

        jobs_of(sources, LINEAR)
    """
    jobs: list[Job] = []
    for number, source in enumerate(sources):
        total = math.prod(source.tensor.shape)
        if source.tensor.copied is not None:
            stored = source.kept(source.plan.base)
            total = step = stored.end - stored.start
            width = 1
        else:
            block = block_of(source, side_by_side=not isinstance(operation, Linear))
            step = total if operation.passes == 2 else max(1, JOB_VALUES // block) * block
            width = {"F64": 8, "F32": 4}.get(source.tensor.dtype, 2)
        for at in range(0, total, max(1, step)):
            count = min(step, total - at)
            jobs.append(Job(len(jobs), number, at, count, count * width))
    return tuple(jobs)


def do_job(source: Source, job: Job, operation: Operation, *, out: int, room: Room) -> None:
    """Read, mix and write one job; ``out`` is the descriptor of the output file.

    Raises:
        ModelError: A value is not finite, or an input changed.

    Example::

        do_job(sources[job.tensor], job, LINEAR, out=handle, room=Room())
    """
    if source.tensor.copied is not None:
        _copy(source, job, out)
        return
    linear = isinstance(operation, Linear)
    if linear and suits(source):
        _mix_compiled(source, job, out, room)
        return
    block = block_of(source, side_by_side=not linear)
    survey: Survey = {}
    if operation.passes == 2:
        survey = operation.survey(source.tensor, all_blocks(source, room))
    for at in range(job.at, job.at + job.count, block):
        count = min(block, job.at + job.count - at)
        values: Tensor
        if linear:
            values = weighted(source, at, count, room)
        else:
            values = operation.combine(
                members_blocks(source, at, count, room),
                source.weights,
                tensor=source.tensor,
                at=at,
                survey=survey,
            )
        done = finished(source, values, at, room)
        start = source.tensor.start + at * done.element_size()
        _write(out, memory_of(done), start)


def _mix_compiled(source: Source, job: Job, out: int, room: Room) -> None:
    if room.compiled is None:
        room.compiled = Buffers.made(len(source.weights))
    step = piece_values(len(source.weights))
    for at in range(job.at, job.at + job.count, step):
        count = min(step, job.at + job.count - at)
        data = mixed_bytes(source, at, count, room.compiled)
        if data is None:  # the other path says whose value it is
            data = memory_of(finished(source, weighted(source, at, count, room), at, room))
        _write(out, data, source.tensor.start + at * 2)


def run_jobs(
    jobs: Sequence[Job],
    do: Do,
    *,
    threads: int,
    report: Callable[[Sequence[Job]], None],
    with_torch: bool = True,
) -> None:
    """Do all jobs; ``report`` gets the finished ones from time to time, on the calling thread.

    At the first failure threads end with the job that they are at, what is finished is reported, and the
    failure of the earliest job is raised. An interrupt, too, lets them end with their jobs. Without torch
    none is loaded to be told how many threads it has.

    Example::

        run_jobs(jobs, do, threads=2, report=lambda finished: None)
    """
    ends: _Ends = queue.SimpleQueue()
    stop = threading.Event()
    todo = _shared(jobs, stop)
    workers = [
        threading.Thread(target=_work, args=(do, todo, ends, with_torch), daemon=True)
        for _ in range(max(1, min(threads, len(jobs))))
    ]
    failures: list[tuple[int, BaseException]] = []
    with single_threaded_torch() if with_torch else nullcontext():
        try:
            for worker in workers:
                worker.start()
            running = len(workers)
            while running:
                batch = list(_ended(ends, running))
                running -= batch.count(None)
                failed = [(end[0].number, end[1]) for end in batch if end is not None and end[1] is not None]
                failures += failed
                if failed:
                    stop.set()
                report([end[0] for end in batch if end is not None and end[1] is None])
        finally:
            stop.set()
            for worker in workers:
                worker.join()
    if failures:
        raise min(failures, key=lambda failure: failure[0])[1]


@contextmanager
def single_threaded_torch() -> Iterator[None]:
    """Torch's operators run on the calling thread inside the block; the number before is set again after it.

    Example::

        with single_threaded_torch():
            left @ right
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _shared(jobs: Sequence[Job], stop: threading.Event) -> Callable[[], Job | None]:
    """The next job for whichever thread asks; None at the end and after a stop."""
    todo, lock = iter(jobs), threading.Lock()

    def take() -> Job | None:
        with lock:
            return None if stop.is_set() else next(todo, None)

    return take


def _work(do: Do, take: Callable[[], Job | None], ends: _Ends, with_torch: bool) -> None:
    """One thread: its buffers, its jobs, and None when it ends."""
    if with_torch:
        import torch

        torch.set_num_threads(1)  # the setting of a thread, not of the process
    room = Room()
    try:
        while (job := take()) is not None:
            failure: BaseException | None = None
            try:
                do(job, room)
            except BaseException as error:  # raised again on the calling thread
                failure = error
            ends.put((job, failure))
    finally:
        ends.put(None)


def _ended(ends: _Ends, running: int) -> Iterator[_End]:
    """What ended within half a second, or until no thread runs."""
    until = time.monotonic() + _REPORT_SECONDS
    while running and (left := until - time.monotonic()) > 0:
        try:
            end = ends.get(timeout=left)
        except queue.Empty:
            return
        running -= end is None
        yield end


def _copy(source: Source, job: Job, out: int) -> None:
    """Bytes from the base as they are."""
    stored = source.kept(source.plan.base)
    buffer = memoryview(bytearray(min(_COPY_BYTES, job.count)))
    for at in range(job.at, job.at + job.count, _COPY_BYTES):
        part = buffer[: min(_COPY_BYTES, job.at + job.count - at)]
        read_bytes(source.files, stored, at, part)
        _write(out, part, source.tensor.start + at)


def _write(out: int, data: memoryview, at: int) -> None:
    while len(data):
        done = os.pwrite(out, data, at)
        data, at = data[done:], at + done
