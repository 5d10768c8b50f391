"""The seam of models that can be mixed: a kind of model, asked for its loss on labelled examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.data.ranking import Ranking

KindName: TypeAlias = Literal["decoder", "encoder", "reranker", "encoder-decoder"]
KINDS: tuple[KindName, ...] = ("decoder", "encoder", "reranker", "encoder-decoder")
# the class of transformers that a folder of each kind is loaded with
AUTO_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "decoder": "AutoModelForCausalLM",
        "encoder": "AutoModel",
        "reranker": "AutoModelForSequenceClassification",
        "encoder-decoder": "AutoModelForSeq2SeqLM",
    }
)
Aggregate: TypeAlias = Literal["example", "token", "paper"]
Doubles: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = Sequence[Example] | Sequence[Ranking]


@dataclass(frozen=True, slots=True, eq=False)
class ExampleLosses:
    """The losses of K examples, each as the sum of its terms and their count.

    Attributes:
        total: (K,) nats: over target tokens; of an embedder one a query; of a reranker one a positive.
        count: (K,) how many terms a sum has.
        right: (K,) whether the model is right where the loss itself tells: the positive stands first. None
            where it takes a generation to know.
        notes: What the reader of the numbers must know: targets cut, fewer negatives than asked for.
    """

    total: Doubles
    count: NDArray[np.int64]
    right: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()

    @property
    def each(self) -> Doubles:
        """(K,) the mean loss of each example."""
        mean: Doubles = self.total / self.count
        return mean

    def mean(self, aggregate: Aggregate = "example", *, batch_size: int = 2) -> float:
        """One number for a model.

        ``example``: mean over examples of each one's mean. ``token``: mean over all terms. ``paper``: mean
        over batches, in order, of each batch's mean over its terms; a short last batch counts as a full one.

        Source: LM-Cocktail (arXiv 2311.13534), released code, for ``paper``.

        >>> losses = ExampleLosses(np.array([4, 2, 4, 4, 4.0]), np.array([2, 1, 4, 1, 2]))
        >>> [round(losses.mean(kind), 6) for kind in ("example", "paper", "token")]
        [2.2, 1.866667, 1.8]
        """
        if aggregate == "example":
            return float(self.each.mean())
        if aggregate == "token":
            return float(self.total.sum() / self.count.sum())
        starts = range(0, len(self.total), batch_size)
        return float(
            np.mean(
                [self.total[s : s + batch_size].sum() / self.count[s : s + batch_size].sum() for s in starts]
            )
        )


class Mixable(Protocol):
    """A loaded model of one kind.

    ``module`` is the torch module whose parameters a mix in memory overwrites; its ``state_dict`` names are
    those of transformers (for sentence-transformers, of its module list: ``0.`` and so on).
    """

    @property
    def kind(self) -> KindName:
        """Which of the four."""

    @property
    def module(self) -> Any:
        """A ``torch.nn.Module`` in evaluation mode."""

    def losses(self, rows: Rows, *, batch_size: int | None = None) -> ExampleLosses:
        """Losses of K labelled examples; neither padding nor how rows share a forward matters (1e-5).

        Args:
            rows: ``Example`` for decoders and encoder-decoders, ``Ranking`` for the others.
            batch_size: Of an embedder: queries that are contrasted with each other's passages; None: all K.
                Others ignore it.

        Raises:
            DataError: There is no row, rows are of the wrong type, or nothing of an answer is left to score.
            ModelError: A loss is no finite number; the message names the example.
        """
