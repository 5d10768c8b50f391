"""Stacked adapters on the linear modules of a base model, for as long as a block runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, final

from kshot.errors import ModelError
from kshot.models.hf.adapted import untouched
from kshot.models.hf.group.factors import Stacks

if TYPE_CHECKING:
    from torch import Tensor


@final
class Attached:
    """Whose rows the next forward reads.

    A batch holds the rows of some experts, those of one expert behind one another and as many for each: so
    the adapters' part is one product with all A and one with all B, and nothing is gathered row by row.

    Attributes:
        live: Module to the A (E, R, in) and B (E, R, out) of the experts that are selected now.
        rows: How many rows the batch has.
    """

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._count = len(next(iter(stacks.values()))[0])
        self._chosen = tuple(range(self._count))
        self.live = stacks
        self.rows = 0

    def select(self, experts: Sequence[int], *, rows: int) -> None:
        """The next forward has ``rows`` rows, the same number for each of these experts, in this order."""
        self.rows = rows
        chosen = tuple(experts)
        if chosen == self._chosen:
            return
        self._chosen, self.live = chosen, self._stacks
        if chosen != tuple(range(self._count)):
            index = list(chosen)
            self.live = {name: (a[index], b[index]) for name, (a, b) in self._stacks.items()}


@contextmanager
def attached(model: Any, stacks: Stacks) -> Iterator[Attached]:
    """Put stacked adapters on a model inside the block; the model is as it was after it, errors or not."""
    with untouched(model):
        state = Attached(stacks)
        for name in stacks:
            model.get_submodule(name).register_forward_hook(_adds(state, name))
        yield state


def _adds(state: Attached, name: str) -> Callable[[Any, tuple[Tensor, ...], Tensor], Tensor]:
    """The forward hook of one module: s B A x of each row's own expert is added to its output."""

    def add(_: Any, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
        a, b = state.live[name]
        x = given[0]
        if x.dim() < 2 or x.shape[0] % state.rows or (x.dim() > 2 and x.shape[0] != state.rows):
            raise ModelError(f"module {name} does not read whole rows; ask the experts one by one")
        experts = a.shape[0]
        low = x.reshape(experts, -1, x.shape[-1]).to(a.dtype) @ a.transpose(1, 2)  # (E, N, R)
        flat = out.view(experts, -1, out.shape[-1])  # (E, N, out)
        if flat.dtype == a.dtype:
            flat.baddbmm_(low, b)
        else:  # as PEFT: summed in float32, then rounded to the base's type
            flat.add_(low @ b)
        return out

    return add
