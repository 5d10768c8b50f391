"""What a mix of models is made of: its members, what each adds to each tensor, and the plan of the output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from kshot.errors import ModelError, collected
from kshot.models.lora.config import LoraConfig
from kshot.models.lora.files import Pair
from kshot.models.safetensor_files import StoredTensor

if TYPE_CHECKING:
    from torch import Tensor

Blocks: TypeAlias = tuple["Tensor", ...]


@dataclass(frozen=True, slots=True)
class Member:
    """One model that takes part in a mix, as its headers and small files tell it; no weight is read.

    Attributes:
        name: As the user gave it, for messages and the card.
        folder: Where it lies on this machine.
        tensors: Of a full model, every stored tensor by its name; in a folder of several modules
            (sentence-transformers) the tensors of a sub-folder carry its name: ``2_Dense/linear.weight``.
            Empty for a LoRA adapter.
        config: Of ``config.json``; of an adapter, its ``adapter_config.json``.
        lora: The configuration of a LoRA adapter; None for a full model.
        pairs: Module name to the two factors, for a LoRA adapter.
        revision: Of the hub, where one was given.
    """

    name: str
    folder: Path
    tensors: Mapping[str, StoredTensor]
    config: Mapping[str, Any]
    lora: LoraConfig | None = None
    pairs: Mapping[str, Pair] = field(default_factory=dict)
    revision: str | None = None

    @property
    def is_lora(self) -> bool:
        """Whether it is an adapter, that is a change of the base and not a model."""
        return self.lora is not None


@dataclass(frozen=True, slots=True)
class Factors:
    """What a LoRA member adds to one stored matrix: ``scaling · B A``; turned where that is (in, out)."""

    pair: Pair
    scaling: float
    turned: bool = False


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """One tensor of the output.

    Attributes:
        name: In the output file; of a sub-folder's file without the folder.
        path: The output file, relative to the output folder.
        dtype: As the header spells it (``BF16``).
        shape: The base's.
        start: First byte in the output file.
        stored: (N,) where each member has it; None for an adapter, which has the base's.
        factors: (N,) what each adapter adds; None for a full model or an untouched module.
        copied: Why it is taken from the base as it is (``integers``, ``the same in all`` ...); None: mixed.
    """

    name: str
    path: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stored: tuple[StoredTensor | None, ...]
    factors: tuple[Factors | None, ...]
    copied: str | None = None


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A weights file of the output: its path in the folder, its header with the leading length, its size."""

    path: str
    header: bytes
    size: int


@dataclass(frozen=True, slots=True)
class MixPlan:
    """A mix before it is made: what would be written, and what speaks against it.

    Attributes:
        members: N members, in the order of the weights.
        base: Position of the member whose layout, dtype and side files the output takes.
        kind: ``decoder``, ``encoder``, ``reranker`` or ``encoder-decoder``.
        tensors: In the order of files and offsets.
        files: The weights files.
        side_files: Path in the output folder to the file that is copied there.
        texts: Path in the output folder to the content of a small file that is not a copy (config, index).
        refusals: Sentences; with any, nothing may be written.
        warnings: Sentences.
        read_bytes: Of weights, for one pass.
        write_bytes: Of weights.
        digest: 64 hexadecimal digits over everything that the output depends on but the weights of the
            members: files by size, time of change and header, layout, dtypes.
        stamps: Size and time of change, in nanoseconds, of every weights file and of every file to copy.
    """

    members: tuple[Member, ...]
    base: int
    kind: str
    tensors: tuple[TensorPlan, ...]
    files: tuple[OutputFile, ...]
    side_files: Mapping[str, Path]
    texts: Mapping[str, str]
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    read_bytes: int
    write_bytes: int
    digest: str
    stamps: Mapping[Path, tuple[int, int]] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse what cannot be mixed.

        Raises:
            ModelError: There are refusals; the message gives the first three and the count.
        """
        if self.refusals:
            raise ModelError(collected(self.refusals))


LayerWeights: TypeAlias = Sequence[tuple[str, Sequence[float]]]
Survey: TypeAlias = Mapping[str, Any]


class Operation(Protocol):
    """How members become one: a row of the table of operations.

    ``linear`` and others that need no survey return an empty mapping from ``survey``.
    """

    @property
    def name(self) -> str:
        """As on the command line."""

    @property
    def passes(self) -> Literal[1, 2]:
        """How often the members are read."""

    def check(self, weights: Sequence[float], *, base: int) -> None:
        """Refuse weights that make no sense for it.

        Raises:
            ModelError: Says which and what is expected.
        """

    def survey(self, tensor: TensorPlan, blocks: Iterator[Blocks]) -> Survey:
        """What the second pass must know of one tensor: thresholds, products. ``blocks`` are read once."""

    def combine(
        self, blocks: Blocks, weights: Sequence[float], *, tensor: TensorPlan, at: int, survey: Survey
    ) -> Tensor:
        """(n,) the mix of N blocks (n,) in float32 (float64 where a member is) that begin at value ``at``."""
