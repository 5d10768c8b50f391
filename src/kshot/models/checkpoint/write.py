"""A planned mix, written: beside its place, by several threads, resumable, and renamed when it is whole."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

from kshot.errors import ModelError
from kshot.models.checkpoint.arithmetic import BLOCK_VALUES, MEMBER_VALUES, ROW_VALUES, Source
from kshot.models.checkpoint.compiled import suits
from kshot.models.checkpoint.folder import appear, check_space, fill, stamp_of
from kshot.models.checkpoint.journal import Workplace, workplace
from kshot.models.checkpoint.layer_weights import weights_by_tensor
from kshot.models.checkpoint.operations import LINEAR, Linear
from kshot.models.checkpoint.parts import LayerWeights, MixPlan, Operation
from kshot.models.checkpoint.reading import Room
from kshot.models.checkpoint.stream import JOB_VALUES, Job, do_job, jobs_of, run_jobs
from kshot.models.folders import check_free
from kshot.models.safetensor_files import StoredTensor

Progress: TypeAlias = Callable[[int, int], None]
_FORMAT = 1  # of the journal and the arithmetic: another number, and no half-written mix is carried on
_MOST_THREADS = 8
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class MixResult:
    """A mix that was written.

    Attributes:
        folder: The output.
        seconds: Wall time of this call.
        read_bytes: Of weights, by this call.
        written_bytes: Of weights, by this call.
        resumed: Whether an earlier process had begun it.
    """

    folder: Path
    seconds: float
    read_bytes: int
    written_bytes: int
    resumed: bool


def write_mix(  # noqa: PLR0913 - what is mixed, where to, how, and who is told
    plan: MixPlan,
    weights: Sequence[float],
    out: Path,
    *,
    operation: Operation = LINEAR,
    layer_weights: LayerWeights = (),
    threads: int | None = None,
    texts: Mapping[str, str] | None = None,
    on_progress: Progress | None = None,
) -> MixResult:
    """Mix the models of a plan into a folder, from disk to disk.

    Memory does not depend on the models' size. The bytes depend on the plan, the weights, the operation and
    the weights of layers alone: threads never change them. A process that died is carried on by the same
    call; a call with another mix for the same folder begins afresh.

    Args:
        plan: Of ``plan_mix``.
        weights: (N,) one for each member, as the operation wants them.
        out: A new or empty folder.
        operation: How members become one.
        layer_weights: (pattern, weights) pairs for tensors by name; the first that matches counts.
        threads: None: one for each processor, eight at most.
        texts: Small files that are written with the rest: path in the folder to content.
        on_progress: Called with bytes written so far and in all.

    Raises:
        ModelError: The plan has refusals, the weights do not fit, ``out`` is not empty or is being written,
            space is missing, an input changed, or a mixed value is not finite. In the last two cases nothing
            is left; else what was done is carried on by the next call.

    Example::

        plan = plan_mix(["base", "tuned"])
        write_mix(plan, [0.5, 0.5], Path("mixed"))
    """
    began = time.perf_counter()
    plan.check()
    rows = weights_by_tensor(plan, weights, operation=operation, layer_weights=layer_weights)
    small = _encoded({**plan.texts, **(texts or {})})
    _check_names(plan, small)
    check_free(out)
    _check_unchanged(plan)
    sources = tuple(Source(plan, tensor, row) for tensor, row in zip(plan.tensors, rows, strict=True))
    work = _Work(plan, sources, operation, threads or min(_MOST_THREADS, os.cpu_count() or 1), on_progress)
    try:
        with workplace(out) as place:
            done = place.begin(work.digest)
            check_space(plan, small, place, begun=bool(done))
            try:
                read, written = _stream(work, place, done)
                fill(place.output, plan, small)
                _check_unchanged(plan)
            except ModelError:
                place.clear()
                raise
            appear(place.output, out)
            place.clear()
    except OSError as error:
        raise _refusal(plan, out, error) from error
    return MixResult(out, time.perf_counter() - began, read, written, bool(done))


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be done, settled."""

    plan: MixPlan
    sources: tuple[Source, ...]
    operation: Operation
    threads: int
    on_progress: Progress | None

    @property
    def digest(self) -> str:
        """Over all that the bytes of the weights depend on, and how they are cut into jobs."""
        found = hashlib.sha256(f"{self.plan.digest} {self.operation!r} {version('torch')}".encode())
        found.update(f"{_FORMAT} {JOB_VALUES} {BLOCK_VALUES} {ROW_VALUES} {MEMBER_VALUES}".encode())
        for source in self.sources:
            found.update(",".join(weight.hex() for weight in source.weights).encode() + b";")
        return found.hexdigest()

    def is_compiled(self, job: Job) -> bool:
        """Whether a job is done without torch."""
        source = self.sources[job.tensor]
        return source.tensor.copied is not None or (isinstance(self.operation, Linear) and suits(source))

    def needed(self, source: Source) -> list[StoredTensor]:
        """What is read for one tensor in one pass; a member of weight 0 takes no part in a linear mix."""
        if source.tensor.copied is not None:
            return [source.kept(self.plan.base)]
        linear = isinstance(self.operation, Linear)
        used = [not linear or bool(coefficient) for coefficient in source.coefficients()]
        found = [source.kept(at) for at, reads in enumerate(used) if reads]
        for factors, weight in zip(source.tensor.factors, source.weights, strict=True):
            if factors is not None and (weight or not linear):
                found += [factors.pair.a, factors.pair.b]
        return found


def _stream(work: _Work, place: Workplace, done: set[int]) -> tuple[int, int]:
    """Do the jobs that are left; bytes read and written."""
    jobs = jobs_of(work.sources, work.operation)
    # a file that somebody took away or cut since then has none of the jobs that the journal tells of
    whole = {file.path for file in work.plan.files if _is_whole(place.output / file.path, file.size)}
    todo = [j for j in jobs if j.number not in done or work.plan.tensors[j.tensor].path not in whole]
    total, written = sum(job.size for job in jobs), sum(job.size for job in jobs) - sum(j.size for j in todo)
    with ExitStack() as stack:
        outputs = _open_outputs(work.plan, place.output, stack)
        paths = {stored.path for source in work.sources for stored in work.needed(source)}
        files = {path: _opened(stack, path, os.O_RDONLY) for path in sorted(paths)}
        sources = [replace(source, files=files) for source in work.sources]

        def do(job: Job, room: Room) -> None:
            source = sources[job.tensor]
            do_job(source, job, work.operation, out=outputs[source.tensor.path], room=room)

        def report(finished: Sequence[Job]) -> None:
            nonlocal written
            for path in {work.plan.tensors[job.tensor].path for job in finished}:
                os.fdatasync(outputs[path])  # the journal never tells of bytes that a crash could lose
            place.note(job.number for job in finished)
            written += sum(job.size for job in finished)
            if work.on_progress is not None:
                work.on_progress(written, total)

        with_torch = not all(work.is_compiled(job) for job in todo)
        run_jobs(todo, do, threads=work.threads, report=report, with_torch=with_torch)
    return _read_bytes(work, todo), sum(job.size for job in todo)


def _read_bytes(work: _Work, jobs: Sequence[Job]) -> int:
    counts: Counter[int] = Counter()
    for job in jobs:
        counts[job.tensor] += job.size
    read = 0.0
    for number, size in counts.items():
        source = work.sources[number]
        passes = 1 if source.tensor.copied is not None else work.operation.passes
        stored = sum(tensor.end - tensor.start for tensor in work.needed(source))
        whole = sum(job.size for job in jobs_of([source], work.operation))
        read += passes * stored * size / whole
    return round(read)


def _open_outputs(plan: MixPlan, folder: Path, stack: ExitStack) -> dict[str, int]:
    """Each weights file of the output at its full size, its header written."""
    handles = {}
    for file in plan.files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = handles[file.path] = _opened(stack, path, os.O_RDWR | os.O_CREAT)
        if os.fstat(handle).st_size != file.size:
            os.posix_fallocate(handle, 0, file.size)
        os.pwrite(handle, file.header, 0)
    return handles


def _is_whole(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _opened(stack: ExitStack, path: Path, flags: int) -> int:
    handle = os.open(path, flags, 0o644)
    stack.callback(os.close, handle)
    return handle


def _encoded(texts: Mapping[str, str]) -> dict[str, bytes]:
    r"""Texts as UTF-8; a lone surrogate, as in a name that is no UTF-8, as JSON spells it: ``\udcff``."""
    return {name: text.encode("utf-8", "backslashreplace") for name, text in texts.items()}


def _check_names(plan: MixPlan, small: Mapping[str, bytes]) -> None:
    taken = sorted({file.path for file in plan.files} & small.keys())
    if taken:
        raise ModelError(f"{taken[0]}: is a weights file of the output and cannot be a text")


def _check_unchanged(plan: MixPlan) -> None:
    for path, stamp in plan.stamps.items():
        try:
            same = stamp_of(path) == stamp
        except OSError:
            same = False
        if not same:
            raise ModelError(f"{path}: changed or went away after the mix was planned; plan it again")


def _refusal(plan: MixPlan, out: Path, error: OSError) -> ModelError:
    """What the system said, in words; what was written so far stays for the next call."""
    if error.errno in _FULL:
        need = plan.write_bytes / 1e9
        return ModelError(
            f"{out}: no space is left; the output takes {need:.2f} GB; make room and call again "
            "(what is done so far is kept)"
        )
    return ModelError(
        f"{error.filename or out}: cannot be read or written ({error.strerror}); mend that and call again to "
        "go on, or give another folder"
    )
