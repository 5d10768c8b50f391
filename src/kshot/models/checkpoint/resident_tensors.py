"""The tensors of members in memory, by the names of the model that is mixed into, and their sum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING, Any, TypeAlias

from kshot.errors import ModelError
from kshot.models.checkpoint.arithmetic import ROW_VALUES
from kshot.models.checkpoint.parts import Member
from kshot.models.checkpoint.rounding import dtype_name, round_into, sum_dtype

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_BLOCK_VALUES = 1 << 22  # added up at a time: 16 MB in float32


@dataclass(frozen=True, slots=True)
class HeldFactors:
    """What an adapter adds to one tensor, as rows of it: scaling · left right."""

    left: Tensor
    right: Tensor
    scaling: float


Term: TypeAlias = "Tensor | HeldFactors | None"
Terms: TypeAlias = tuple[Term, ...]


def held_tensors(module: Any) -> dict[str, Tensor]:
    """The floating-point weights of a model by name; one that has several names, under the first.

    Example::

        held_tensors(mixable.module)["model.embed_tokens.weight"]
    """
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, value in module.state_dict(keep_vars=True).items():
        if hasattr(value, "is_floating_point") and value.is_floating_point() and id(value) not in seen:
            seen.add(id(value))
            found[name] = value.detach()
    return found


def held_terms(
    members: Sequence[Member],
    into: Mapping[str, Tensor],
    *,
    base: int,
    module: Any,
    loaded: Callable[[int], Any],
) -> dict[str, Terms]:
    """Tensor name to what each of N members brings: its own tensor, factors, or nothing of its own.

    Tensors that no member but the base has or changes are left out.

    Args:
        members: N.
        into: Of the model that is mixed into.
        base: Position of the base.
        module: The model that is mixed into.
        loaded: Gives a full member's loaded model by its position; it is let go at once.

    Raises:
        ModelError: A tensor is missing, has another shape or holds NaN or infinity, or an adapter's module
            is not in the model.
    """
    changes = {at: _factors(member, module, into) for at, member in enumerate(members) if member.is_lora}
    alone = len(changes) == len(members) - 1
    names = [name for name in into if not alone or any(name in found for found in changes.values())]
    rows: dict[str, list[Term]] = {name: [None] * len(members) for name in names}
    for at, member in enumerate(members):
        found: Mapping[str, Term] = changes[at] if at in changes else _copies(member, loaded(at), names, into)
        for name in names:
            rows[name][at] = found.get(name)
    return {name: tuple(terms) for name, terms in rows.items()}


def mix_into(into: Tensor, terms: Terms, weights: Sequence[float], *, base: int) -> None:
    """Overwrite a tensor with the weighted sum of its terms, in their order, rounded once.

    Product and sum are rounded one after the other: in double where the result has 16 bits or a term is
    double, else in float32. A term of weight 0 is not read. An adapter's weight counts for the base too:
    sum w_i (W + D_i), the sum being 1.

    Example::

        mix_into(parameter, (base, tuned), [0.5, 0.5], base=0)
    """
    import torch

    adapters = [w for w, term in zip(weights, terms, strict=True) if not isinstance(term, torch.Tensor)]
    own = [w if isinstance(term, torch.Tensor) else 0.0 for w, term in zip(weights, terms, strict=True)]
    own[base] = fsum([own[base], *adapters])
    dtype = sum_dtype(_stored_dtypes(terms), dtype_name(into.dtype))
    columns = into.shape[-1] if into.ndim > 1 else 1
    changed = any(isinstance(term, HeldFactors) for term in terms)
    # products of other row counts may round otherwise: the rows of the engine that writes files
    rows = max(1, (ROW_VALUES if changed else _BLOCK_VALUES) // max(1, columns))
    flat = into.view(-1)
    with torch.no_grad():
        for at in range(0, flat.numel(), rows * columns):
            out = flat[at : at + rows * columns]
            whole: Tensor | None = None
            for term, weight, coefficient in zip(terms, weights, own, strict=True):
                if isinstance(term, torch.Tensor) and coefficient:
                    part = term.view(-1)[at : at + len(out)].to(dtype, copy=True)
                    whole = _added(whole, part, coefficient)
                if isinstance(term, HeldFactors) and weight:
                    first = at // columns
                    left = term.left[first : first + len(out) // columns].to(dtype)
                    part = torch.matmul(left, term.right.to(dtype)).view(-1)
                    whole = _added(whole, part, weight * term.scaling)
            round_into(torch.zeros_like(out, dtype=dtype) if whole is None else whole, out)


def _added(whole: Tensor | None, part: Tensor, coefficient: float) -> Tensor:
    part.mul_(coefficient)
    return part if whole is None else whole.add_(part)


def _stored_dtypes(terms: Terms) -> list[str]:
    tensors = [t for term in terms for t in (_parts(term) if term is not None else ())]
    return [dtype_name(tensor.dtype) for tensor in tensors]


def _parts(term: Tensor | HeldFactors) -> tuple[Tensor, ...]:
    return (term.left, term.right) if isinstance(term, HeldFactors) else (term,)


def _copies(
    member: Member, module: Any, names: Iterable[str], into: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """A full member's tensors under the names of the model that is mixed into, as they are stored."""
    own = module.state_dict()
    found = {}
    for name in names:
        if name not in own or own[name].shape != into[name].shape:
            has = f"has shape {tuple(own[name].shape)}" if name in own else "is missing"
            raise ModelError(
                f"{member.name}: tensor {name} {has}, expected {tuple(into[name].shape)} as in the base; "
                "only models of one architecture can be mixed"
            )
        kept = own[name].detach()
        # what is mixed into is overwritten; others are let go with their model, and their tensors stay
        kept = kept.clone() if kept.data_ptr() == into[name].data_ptr() else kept.contiguous()
        _check_finite(member, name, kept)
        found[name] = kept
    return found


def _factors(member: Member, module: Any, into: Mapping[str, Tensor]) -> dict[str, HeldFactors]:
    """An adapter's factors by the name of the weight that they change."""
    import torch

    found = {}
    for name, target in _targets(member, into).items():
        pair = member.pairs[name]
        a, b = (torch.from_numpy(tensor.read().copy()).to(into[target].device) for tensor in (pair.a, pair.b))
        turned = _is_turned(module, target)
        shape = (a.shape[1], b.shape[0]) if turned else (b.shape[0], a.shape[1])
        if shape != tuple(into[target].shape):
            raise ModelError(
                f"{member.name}: module {name} changes a weight of shape {shape}, the base has "
                f"{tuple(into[target].shape)}; the adapter belongs to another base"
            )
        left, right = (a.T.contiguous(), b.T.contiguous()) if turned else (b, a)
        for factor in (left, right):
            _check_finite(member, name, factor)
        assert member.lora is not None
        found[target] = HeldFactors(left, right, member.lora.scaling_of(name))
    return found


def _targets(member: Member, into: Mapping[str, Tensor]) -> dict[str, str]:
    """The weight in the model of each of an adapter's modules.

    Names may lack what stands before them in the model, or have one part too much; all alike. So an adapter
    of a bare encoder fits the encoder inside a sentence-transformers model, and one of a classifier too.
    """
    names = list(member.pairs)
    for cut in ("", f"{names[0].partition('.')[0]}." if names else ""):
        end = f".{names[0].removeprefix(cut)}.weight" if names else "."
        fitting = {name[: -len(end) + 1] for name in into if name.endswith(end)}
        for before in ("", *sorted(fitting, key=lambda found: (len(found), found))):
            found = {name: f"{before}{name.removeprefix(cut)}.weight" for name in names}
            if into.keys() >= set(found.values()):
                return found
    lost = next(name for name in names if f"{name}.weight" not in into)
    raise ModelError(
        f"{member.name}: changes module {lost}, which the base has not as a weight of its own; the adapter "
        "belongs to another base, or changes an output layer that is tied to the embedding"
    )


def _is_turned(module: Any, target: str) -> bool:
    """Whether a weight is stored as (in, out), as transformers' Conv1D does."""
    return type(module.get_submodule(target.removesuffix(".weight"))).__name__ == "Conv1D"


def _check_finite(member: Member, name: str, value: torch.Tensor) -> None:
    if not bool(value.isfinite().all()):
        raise ModelError(f"{member.name}: tensor {name} holds NaN or infinity; a mix would spread it")
