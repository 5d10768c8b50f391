"""A mix before it is made: what would be written where, and what speaks against it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from kshot.errors import ModelError
from kshot.models.checkpoint.adapters import adapter_factors
from kshot.models.checkpoint.buffers import differing, why_copied
from kshot.models.checkpoint.checks import find_problems
from kshot.models.checkpoint.folder import stamp_of
from kshot.models.checkpoint.layout import Place, full_name, indexes, lay_out
from kshot.models.checkpoint.lineage import lineage_warnings
from kshot.models.checkpoint.members import kind_of, open_member
from kshot.models.checkpoint.names import match_names
from kshot.models.checkpoint.parts import Factors, Member, MixPlan, OutputFile, TensorPlan
from kshot.models.checkpoint.side_files import side_files
from kshot.models.kinds.base import KINDS, KindName
from kshot.models.safetensor_files import StoredTensor

BYTES_PER_SECOND = 1e9  # read and written together; of one processor's memory, and of a good disk


def plan_mix(
    models: Sequence[str | Path | Member],
    *,
    base: int = 0,
    kind: KindName | Literal["auto"] = "auto",
    dtype: str | None = None,
    revision: str | None = None,
    lineage: bool = True,
) -> MixPlan:
    """Look at headers and small files, and lay the output out.

    What forbids the mix stands in ``refusals``: call ``check`` before anything else. Of the weights, integer
    tensors and output layers that should be tied are compared, and with ``lineage`` a sample is read.

    Args:
        models: Folders, hub names or open members, in the order of the weights.
        base: Position of the model whose layout, dtypes and small files the output takes.
        kind: ``auto``: as the base's small files tell.
        dtype: ``float32``, ``bfloat16`` or ``float16`` for all floating point; None: the base's own.
        revision: Of the hub, for all names.
        lineage: Whether a sample of the weights is looked at, to warn of models of different origin.

    Raises:
        ModelError: There is no model, no such base, kind or dtype, or a model cannot be read.

    Example::

        plan = plan_mix(["models/base", "models/tuned"])
        plan.check()
    """
    members = _opened(models, base, revision)
    problems = find_problems(members, base=base)
    refusals, warnings = list(problems.refusals), list(problems.warnings)
    found_kind = _kind(members[base], kind, refusals)
    if members[base].is_lora:
        return _refused(members, base, found_kind, refusals, warnings)
    copies, texts = side_files(members[base], members, dtype=dtype)
    stamps = {path: stamp_of(path) for path in [*_files(members), *copies.values()]}
    files, tensors = _tensors(members, base, dtype, refusals)
    if not refusals:
        warnings += _copied_warnings(members, tensors, base)
        warnings += lineage_warnings(members, base=base) if lineage else ()
    return MixPlan(
        members=members,
        base=base,
        kind=found_kind,
        tensors=tensors,
        files=files,
        side_files=copies,
        texts={**texts, **indexes(members[base], files, tensors)},
        refusals=tuple(refusals),
        warnings=tuple(warnings),
        read_bytes=_read_bytes(tensors, members),
        write_bytes=sum(file.size for file in files),
        digest=_digest(members, base, tensors, files, stamps),
        stamps=stamps,
    )


def estimate(plan: MixPlan, *, passes: int = 1) -> float:
    """Roughly how many seconds a mix takes: its bytes at 1 GB/s. A slow disk takes several times as long.

    Args:
        plan: The mix.
        passes: Of its operation.

    Example::

        estimate(plan)  # 6.6
    """
    return (plan.read_bytes * passes + plan.write_bytes) / BYTES_PER_SECOND


def _opened(models: Sequence[str | Path | Member], base: int, revision: str | None) -> tuple[Member, ...]:
    if not models:
        raise ModelError("no model to mix; give at least one")
    if not 0 <= base < len(models):
        raise ModelError(f"base {base}: expected a position from 0 to {len(models) - 1}")
    return tuple(m if isinstance(m, Member) else open_member(m, revision=revision) for m in models)


def _kind(base: Member, kind: KindName | Literal["auto"], refusals: list[str]) -> str:
    if kind != "auto":
        if kind not in KINDS:
            raise ModelError(f"kind {kind!r}: expected auto or one of {', '.join(KINDS)}")
        return kind
    try:
        return kind_of(base)
    except ModelError as error:
        refusals.append(str(error))
        return "unknown"


def _refused(
    members: tuple[Member, ...], base: int, kind: str, refusals: Sequence[str], warnings: Sequence[str]
) -> MixPlan:
    """A plan of nothing: the base is an adapter."""
    said = refusals or (f"{members[base].name}: is an adapter; the base must be a full model",)
    return MixPlan(members, base, kind, (), (), {}, {}, tuple(said), tuple(warnings), 0, 0, "")


def _tensors(
    members: tuple[Member, ...], base: int, dtype: str | None, refusals: list[str]
) -> tuple[tuple[OutputFile, ...], tuple[TensorPlan, ...]]:
    own = members[base]
    files, places = lay_out(own, own.tensors.keys(), dtype=dtype)
    stored = [{} if member.is_lora else match_names(own, member) for member in members]
    changes = [adapter_factors(own, member) if member.is_lora else {} for member in members]
    tensors = tuple(_tensor(own, place, stored, changes) for place in places)
    if not refusals:
        refusals += [
            f"{member.name}: tensor {full_name(tensor)} is missing"
            for tensor in tensors
            for member, found in zip(members, tensor.stored, strict=True)
            if found is None and not member.is_lora
        ]
    return files, tensors


def _tensor(
    base: Member,
    place: Place,
    stored: Sequence[Mapping[str, StoredTensor]],
    changes: Sequence[Mapping[str, Factors]],
) -> TensorPlan:
    own = base.tensors[place.full]
    return TensorPlan(
        name=place.name,
        path=place.path,
        dtype=place.dtype,
        shape=own.shape,
        start=place.start,
        stored=tuple(found.get(place.full) for found in stored),
        factors=tuple(found.get(place.full) for found in changes),
        copied=why_copied(place.full, own),
    )


def _copied_warnings(members: tuple[Member, ...], tensors: Sequence[TensorPlan], base: int) -> list[str]:
    found = []
    for tensor in tensors:
        others = differing(members, tensor.stored, base) if tensor.copied is not None else []
        if others:
            found.append(
                f"tensor {full_name(tensor)} holds {tensor.copied} that differ in {', '.join(others)}; "
                f"those of {members[base].name} are taken"
            )
    return found


def _read_bytes(tensors: Sequence[TensorPlan], members: tuple[Member, ...]) -> int:
    spots = {stored for tensor in tensors for stored in tensor.stored if stored is not None}
    for member in members:
        for pair in member.pairs.values():
            spots |= {pair.a, pair.b}
    return sum(stored.end - stored.start for stored in spots)


def _files(members: Sequence[Member]) -> list[Path]:
    stored = {tensor.path for member in members for tensor in member.tensors.values()}
    pairs = {path for m in members for pair in m.pairs.values() for path in (pair.a.path, pair.b.path)}
    return sorted(stored | pairs)


def _digest(
    members: Sequence[Member],
    base: int,
    tensors: Sequence[TensorPlan],
    files: Sequence[OutputFile],
    stamps: Mapping[Path, tuple[int, int]],
) -> str:
    found = hashlib.sha256(json.dumps([base, [member.is_lora for member in members]]).encode())
    for path, stamp in sorted(stamps.items()):
        found.update(json.dumps([str(path.resolve()), *stamp]).encode())
    for file in files:
        found.update(file.path.encode() + b"\0" + file.header)
    for tensor in tensors:
        found.update(json.dumps(asdict(tensor), default=str).encode())
    return found.hexdigest()
