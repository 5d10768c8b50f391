"""Models kept in memory and mixed in place: what a search of weights asks for the mixed model's own loss."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, final

import numpy as np

from kshot.errors import ModelError
from kshot.models.checkpoint.operations.weights import check_sum
from kshot.models.checkpoint.parts import Member
from kshot.models.checkpoint.resident_memory import check_room
from kshot.models.checkpoint.resident_tensors import Terms, held_tensors, held_terms, mix_into
from kshot.models.kinds.base import Doubles, ExampleLosses, KindName, Mixable, Rows
from kshot.models.kinds.open import KindOptions, open_mixable

if TYPE_CHECKING:
    from torch import Tensor

Objective: TypeAlias = Callable[[Doubles, Sequence[int]], Doubles]


@final
@dataclass(slots=True)
class ResidentMix:
    """N members in memory and one model whose weights are any linear mix of theirs, made without a file.

    The mixed values are those that ``write_mix`` writes: added up in the order of the members, rounded once
    to the dtype of the model. They are equal bit by bit where the model has the dtype of the files, on the
    CPU. Shared weights are mixed once, whole numbers are the
    base's. Adapters change the base, so weights sum to 1.

    Attributes:
        members: N, in the order of the weights.
        mixable: The model; it holds the weights of ``weights``.
        weights: What it holds now; None after a mix that broke off.

    Example::

        mix = ResidentMix.open([base, one, other], "decoder")
        table = [losses.each for losses in mix.own_losses(shots)]
        objective = mix.objective(shots)
        objective(np.array([0.2, 0.4, 0.4]), range(len(shots)))
    """

    members: tuple[Member, ...]
    mixable: Mixable
    weights: tuple[float, ...] | None
    _terms: dict[str, Terms] = field(repr=False)
    _into: dict[str, Tensor] = field(repr=False)
    _base: int

    @classmethod
    def open(
        cls,
        members: Sequence[Member],
        kind: KindName,
        *,
        base: int = 0,
        device: str = "auto",
        dtype: str = "auto",
        options: KindOptions | None = None,
    ) -> ResidentMix:
        """Load all members; the base is loaded as the model that is mixed into.

        Args:
            members: Full models and adapters of the base, checked against each other by ``plan_mix``.
            kind: What they are.
            base: Position of the member whose configuration, tokenizer and whole numbers the mix has.
            device: Of all of them.
            dtype: Of the mixed model; ``auto`` is the base's own. Members are kept as they are stored.
            options: How rows become losses.

        Raises:
            ModelError: The base is an adapter, memory does not hold the members, a tensor is missing, has
                another shape or holds NaN or infinity, or an adapter's module is not in the base.
        """
        if not members or not 0 <= base < len(members) or members[base].is_lora:
            raise ModelError("a mix in memory needs a full model as its base; name one, not an adapter")
        options = options or KindOptions()
        check_room(members, base=base, device=device)

        def opened(member: Member, wanted: str) -> Mixable:
            return open_mixable(member.folder, kind, device=device, dtype=wanted, options=options)

        mixable = opened(members[base], dtype)
        into = held_tensors(mixable.module)
        terms = held_terms(
            members,
            into,
            base=base,
            module=mixable.module,
            loaded=lambda at: (
                mixable.module if at == base and dtype == "auto" else opened(members[at], "auto").module
            ),
        )
        own = tuple(float(at == base) for at in range(len(members)))
        into = {name: into[name] for name in terms}
        return cls(tuple(members), mixable, own, terms, into, base)

    def set(self, weights: Sequence[float]) -> None:
        """Make the model the mix of these weights, in place; asked for what it holds already, do nothing.

        Raises:
            ModelError: There are not N finite weights, or they do not sum to 1 within 1e-6.
        """
        wanted = tuple(map(float, weights))
        if wanted == self.weights:
            return
        if len(wanted) != len(self.members):
            raise ModelError(f"{len(wanted)} weights for {len(self.members)} models; give one for each")
        check_sum(wanted)
        self.weights = None
        for name, into in self._into.items():
            mix_into(into, self._terms[name], wanted, base=self._base)
        self.weights = wanted

    @contextmanager
    def at(self, weights: Sequence[float]) -> Iterator[Mixable]:
        """The model with these weights inside the block; after it, with those that it had before.

        Raises:
            ModelError: As ``set``.

        Example::

            with mix.at([0.5, 0.5]) as model:
                model.losses(shots)
        """
        before = self.weights or tuple(float(at == self._base) for at in range(len(self.members)))
        try:
            self.set(weights)
            yield self.mixable
        finally:
            self.set(before)

    def own_losses(
        self, rows: Rows, *, batch_size: int | None = None, first: int | None = None
    ) -> list[ExampleLosses]:
        """N losses, each member by itself: an adapter on the base, with all its weight.

        Args:
            rows: Labelled examples.
            batch_size: See ``Mixable.losses``.
            first: Only the first so many members; None: all.

        Raises:
            DataError: As ``Mixable.losses``.
            ModelError: A loss is no finite number; the message names the member.
        """
        found = []
        for at, member in enumerate(self.members[:first]):
            with self.at([float(other == at) for other in range(len(self.members))]) as mixable:
                found.append(_told(member, mixable, rows, batch_size))
        return found

    def objective(self, rows: Rows, *, batch_size: int | None = None) -> Objective:
        """The mixed model's loss as a function of (N,) weights and R positions of rows: (R,) nats.

        What an embedder's rows are contrasted with is all rows (or the batch of ``batch_size`` in the order
        of ``rows``), whichever are asked for; so it scores all of them each time, and whoever remembers
        answers should ask for all (``joint_rows``). The model keeps the weights that it was asked for last.

        Raises:
            ModelError: When called: as ``set``; a loss is no finite number.
        """

        def ask(weights: Doubles, places: Sequence[int]) -> Doubles:
            self.set(np.asarray(weights, np.float64).tolist())
            if joint_rows(self.mixable.kind, batch_size):
                return self.mixable.losses(rows, batch_size=batch_size).each[list(places)]
            chosen: Rows = [rows[place] for place in places]  # type: ignore[assignment]
            return self.mixable.losses(chosen, batch_size=batch_size).each

        return ask


def joint_rows(kind: KindName, batch_size: int | None) -> bool:
    """Whether the loss of one row depends on which others are scored with it: in-batch negatives.

    >>> joint_rows("encoder", None), joint_rows("encoder", 1), joint_rows("decoder", None)
    (True, False, False)
    """
    return kind == "encoder" and batch_size != 1


def score_members(
    members: Sequence[Member],
    kind: KindName,
    rows: Rows,
    *,
    device: str = "auto",
    options: KindOptions | None = None,
    batch_size: int | None = None,
) -> list[ExampleLosses]:
    """N losses, each member by itself, with one model in memory at a time.

    Adapters are scored on the first member that is a full model, in place: beside the model, only what
    adapters change is held twice.

    Args:
        members: Full models and adapters.
        kind: What they are.
        rows: Labelled examples.
        device: Where they are scored.
        options: How rows become losses.
        batch_size: See ``Mixable.losses``.

    Raises:
        DataError: As ``Mixable.losses``.
        ModelError: A member cannot be loaded, there are adapters and no full model, or a loss is no finite
            number; the message names the member.

    Example::

        table = np.array([losses.each for losses in score_members(members, "decoder", shots)])  # (N, K)
    """
    options, found = options or KindOptions(), dict[int, ExampleLosses]()
    full = [at for at, member in enumerate(members) if not member.is_lora]
    if not full:
        raise ModelError(f"{len(members)} adapters and no model to score them on; name their base")
    together = [full[0], *(at for at, member in enumerate(members) if member.is_lora)]
    if len(together) > 1:
        mix = ResidentMix.open([members[at] for at in together], kind, device=device, options=options)
        found |= zip(together, mix.own_losses(rows, batch_size=batch_size), strict=True)
        del mix
        _let_go()
    for at in full:
        if at not in found:
            mixable = open_mixable(members[at].folder, kind, device=device, options=options)
            found[at] = _told(members[at], mixable, rows, batch_size)
            del mixable
            _let_go()
    return [found[at] for at in range(len(members))]


def _told(member: Member, mixable: Mixable, rows: Rows, batch_size: int | None) -> ExampleLosses:
    try:
        return mixable.losses(rows, batch_size=batch_size)
    except ModelError as error:
        raise ModelError(f"{member.name}: {error}") from error


def _let_go() -> None:
    """Memory of the model before, now rather than at the collector's leisure."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
