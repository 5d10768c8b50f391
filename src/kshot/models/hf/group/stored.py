"""An adapter of a bank as an expert that is not read before it is asked, and the groups that such form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias, final

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import KshotError
from kshot.models.base import ChoiceScores, Reply, TokenLosses
from kshot.models.hf.adapted import AdaptedModel, adapter_hash, check_files
from kshot.models.hf.group.factors import (
    Stacks,
    StoredFactors,
    linear_shapes,
    stacked,
    stored_factors,
    unsound,
)
from kshot.models.hf.group.group import ExpertGroup, can_group
from kshot.models.hf.loading import Loaded
from kshot.models.hf.model import HfModel

GROUP_SIZE = 4

_Read: TypeAlias = tuple[list[int], Stacks]


@final
class StoredExpert:
    """A ``LanguageModel`` and ``LossModel``: a base with the adapter of a PEFT folder, as ``AdaptedModel``.

    It has the same ``id`` and gives the same answers, but is checked when it is first asked alone, and
    ``together`` asks several at once without PEFT.

    Raises:
        AdapterError: The folder is no adapter; whether it fits the base shows when it is asked.

    Example::

        experts = [(entry.name, StoredExpert(model, entry.folder)) for entry in bank.entries]
        scores = score_bank(experts, task.shots, task.template, metric=task.metric)
    """

    def __init__(self, base: HfModel, folder: str | Path) -> None:
        self.folder = Path(folder)
        check_files(self.folder)
        self.base = base.loaded
        self._base_id = base.id
        self._given = folder
        self._id = f"{base.id}+{folder}@{adapter_hash(self.folder)}"
        self._adapted: AdaptedModel | None = None

    @property
    def id(self) -> str:
        """The base's id, the adapter's folder, and a hash of its weights and configuration."""
        return self._id

    @property
    def alone(self) -> AdaptedModel:
        """The same expert with PEFT attached for each call.

        Raises:
            AdapterError: The adapter does not fit the base.
        """
        if self._adapted is None:
            self._adapted = AdaptedModel(self.base, self._given, base_id=self._base_id)
        return self._adapted

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        """One reply a conversation, in order; see ``generate_replies``."""
        return self.alone.generate(
            conversations, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, stop=stop
        )

    def token_losses(
        self, conversations: Sequence[Conversation], targets: Sequence[Target]
    ) -> list[TokenLosses]:
        """Losses of each target after its conversation, in order."""
        return self.alone.token_losses(conversations, targets)

    def choice_scores(
        self, conversations: Sequence[Conversation], choices: Sequence[Sequence[str]]
    ) -> list[ChoiceScores]:
        """Log-likelihood of every choice of every row as the next reply."""
        return self.alone.choice_scores(conversations, choices)


def together(
    experts: Sequence[Any], *, size: int = GROUP_SIZE
) -> Iterator[tuple[list[int], ExpertGroup | None]]:
    """Groups of experts that can be asked at once; whoever cannot comes alone, with None.

    A plain LoRA that fits its base can; what PEFT alone understands, what does not fit and any other model
    cannot. While a group is asked, the next one is read from the disk; use each group before the next is
    taken, as it is let go then: two groups are in memory at most.

    Args:
        experts: ``StoredExpert`` and ``AdaptedModel`` are grouped; anything else is passed through.
        size: Experts in a group.

    Yields:
        The places of the experts in the list, and their group.
    """
    fitting: dict[int, tuple[Loaded, list[tuple[int, StoredFactors]]]] = {}
    alone: list[int] = []
    judges: dict[int, _Judge] = {}
    for place, expert in enumerate(experts):
        base = _base_of(expert)
        judge = judges.setdefault(id(base), _Judge(base)) if base is not None else None
        factors = judge.factors(expert.folder) if judge else None
        if base is None or factors is None:
            alone.append(place)
        else:
            fitting.setdefault(id(base), (base, []))[1].append((place, factors))
    for place in alone:  # first, so that what does not fit shows before the long work
        yield [place], None
    for base, members in fitting.values():
        chunks = [members[at : at + size] for at in range(0, len(members), size)]
        yield from _streamed(base, chunks)


def _streamed(
    base: Loaded, chunks: Sequence[Sequence[tuple[int, StoredFactors]]]
) -> Iterator[tuple[list[int], ExpertGroup | None]]:
    """The groups in turn; a thread reads the next one."""
    like = next(base.model.parameters())
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(_read, chunks[0], like)
        for at, members in enumerate(chunks):
            found = ahead.result()
            if at + 1 < len(chunks):
                ahead = pool.submit(_read, chunks[at + 1], like)
            places = dict(members)
            if found is not None and found[0]:
                sound, stacks = found
                group = ExpertGroup(base, [places[place].name for place in sound], stacks)
                del found, stacks
                yield sound, group
                group.close()
                for place in sound:
                    del places[place]
            for place in places:
                yield [place], None


def _read(members: Sequence[tuple[int, StoredFactors]], like: Any) -> _Read | None:
    """The stacks of a group, and whom they hold: an adapter with NaN is left out; None: none can be read."""
    if not members:
        return [], {}
    try:
        stacks = stacked([factors for _, factors in members], like)
    except (KshotError, OSError, ValueError):  # a file changed since it was judged
        return None
    if bad := unsound(stacks):
        return _read([member for g, member in enumerate(members) if g not in bad], like)
    return [place for place, _ in members], stacks


@final
class _Judge:
    """Which adapters a base model can take in a group."""

    def __init__(self, base: Loaded) -> None:
        self._can = can_group(base)
        self._shapes = linear_shapes(base.model) if self._can else {}
        self._modules = [name for name, _ in base.model.named_modules()]

    def factors(self, folder: Path) -> StoredFactors | None:
        return stored_factors(folder, self._shapes, self._modules) if self._can else None


def _base_of(expert: Any) -> Loaded | None:
    if isinstance(expert, StoredExpert):
        return expert.base
    return expert._base if isinstance(expert, AdaptedModel) else None
