"""Stopping by held-back rows: the weights with the lowest loss on them are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

from kshot.models.hf.loading import Loaded
from kshot.models.hf.losses import score
from kshot.models.text.encoded import Encoded
from kshot.models.train.processes import agreed
from kshot.models.train.settings import TrainSettings

if TYPE_CHECKING:
    from torch import Tensor


@final
class HeldBack:
    """Looks at the loss on held-back rows, remembers the best weights, and says when to stop.

    Attributes:
        looks: (step, nats per target token) of each look, the start being step 0.
        best_step: Of the lowest loss; ties: the earlier.
    """

    def __init__(
        self, adapted: Any, loaded: Loaded, rows: Sequence[Encoded], settings: TrainSettings
    ) -> None:
        self.looks: list[tuple[int, float]] = []
        self.best_step = 0
        self._adapted, self._loaded, self._rows, self._settings = adapted, loaded, rows, settings
        self._best, self._weights = math.inf, dict[str, "Tensor"]()

    def is_due(self, step: int, steps: int) -> bool:
        """Whether a look is due after this step of so many."""
        return bool(self._rows) and (step % self._settings.check_every == 0 or step == steps)

    def look(self, step: int) -> bool:
        """Measure and remember; True: patience is at its end.

        Raises:
            ModelError: A loss is no finite number.
        """
        was_training = self._adapted.training
        self._adapted.eval()
        try:
            nats = score(self._loaded, self._rows)
        finally:
            self._adapted.train(was_training)
        tokens = sum(len(row) for row in nats)
        loss = agreed(math.fsum(float(row.sum(dtype="float64")) for row in nats) / tokens)
        self.looks.append((step, loss))
        if loss < self._best:
            self._best, self.best_step = loss, step
            self._weights = {name: p.detach().clone() for name, p in self._trained()}
        since = sum(1 for at, _ in self.looks if at > self.best_step)
        return since >= self._settings.patience

    def restore(self) -> None:
        """Put the best weights back."""
        import torch

        with torch.no_grad():
            for name, parameter in self._trained():
                if name in self._weights:
                    parameter.copy_(self._weights[name])

    def _trained(self) -> list[tuple[str, Tensor]]:
        return [(name, p) for name, p in self._adapted.named_parameters() if p.requires_grad]
