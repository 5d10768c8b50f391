"""A mix as its user asks for it: which models, how their weights come about, what is written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from kshot.errors import InputError
from kshot.models.checkpoint.parts import LayerWeights
from kshot.models.kinds.base import Aggregate, KindName, Rows

Rule: TypeAlias = Literal["softmax", "uniform", "best", "greedy", "simplex", "cma"]
RULES: tuple[Rule, ...] = ("softmax", "uniform", "best", "greedy", "simplex", "cma")
FROM_SHOTS = frozenset(RULES) - {"uniform"}


@dataclass(frozen=True, slots=True)
class Weighing:
    """How weights come from examples.

    Attributes:
        rule: ``softmax`` of the negative losses; ``greedy`` soup; ``simplex`` or ``cma`` search of the mixed
            model's own loss; ``best`` and ``uniform`` need no search.
        temperature: Of ``softmax``; ``auto`` chooses by cross-fit on the examples.
        aggregate: What of the examples' losses a model's number is.
        batch_size: Of ``aggregate`` paper, and of an embedder's contrast; None: all examples at once.
        max_input_length: Tokens of an example, at most.
        neg_number: Negatives of an example, at most.
        evaluations: Of a search, at most.
        seed: Of draws, folds and searches.
        forced: Keep searched weights even where cross-fit does not speak for them.
        compatible: Prompt boundary and pooling as LM-Cocktail's own code has them.
    """

    rule: Rule = "softmax"
    temperature: float | Literal["auto"] = 5.0
    aggregate: Aggregate = "example"
    batch_size: int | None = None
    max_input_length: int = 2048
    neg_number: int = 7
    evaluations: int = 200
    seed: int = 0
    forced: bool = False
    compatible: bool = False

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise InputError(f"--weights {self.rule!r}: expected numbers, or one of {', '.join(RULES)}")
        if self.temperature != "auto" and not 0 < self.temperature < math.inf:
            raise InputError(f"--temperature is {self.temperature}, expected a number above 0, or auto")
        for name in ("batch_size", "evaluations"):
            if (count := getattr(self, name)) is not None and count < 1:
                raise InputError(f"{name} is {count}, expected at least 1")
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, expected a whole number from 0")

    @property
    def in_one_pass(self) -> bool:
        """Whether weights follow from the members' own losses, so that no mix need be asked."""
        return self.rule in ("best", "uniform") or (self.rule == "softmax" and self.temperature != "auto")


@dataclass(frozen=True, slots=True)
class MixJob:
    """What is mixed into what.

    The members are the base, then the models, then the fine-tuned model: the order of all weights.

    Attributes:
        models: Folders or hub names: peers, full models or LoRA adapters.
        base: Whose layout and side files the output takes; None: the first of the models that is no adapter.
        fine_tuned: The model for the target, mixed in with ``alpha``; never weighed by examples.
        alpha: Its weight, 0 to 1; ``auto`` sweeps target against general examples.
        weights: By hand, one for each model (the base, if it is named apart, then has 0), or with one more
            for the base before them; None: by ``weighing``.
        weighing: How weights come about where they are not given.
        examples: The shots.
        general: Examples of what must not be lost, for ``alpha`` auto.
        kind: What the models are; ``auto`` looks at the configuration.
        operation: ``linear`` or another row of the table of operations.
        density: Of ``ties`` and ``dare``.
        scale: Of operations on deltas.
        layer_weights: Patterns of tensor names with weights of their own.
        adapter: Write one LoRA instead of a full model; all members but the base must be adapters.
        rank: Of that LoRA; None: exact, ranks add up.
        dtype: Of the output; None: the base's.
        revision: Of all hub names.
        device: Where examples are scored.
        threads: Of the writing; None: one a core.
        hashed: Whether the card tells the SHA-256 of every input's weights, which reads them once more.
        command: For the card.
    """

    models: tuple[str, ...]
    base: str | None = None
    fine_tuned: str | None = None
    alpha: float | Literal["auto"] | None = None
    weights: tuple[float, ...] | None = None
    weighing: Weighing = field(default_factory=Weighing)
    examples: Rows | None = None
    general: Rows | None = None
    kind: KindName | Literal["auto"] = "auto"
    operation: str = "linear"
    density: float | None = None
    scale: float | None = None
    layer_weights: LayerWeights = ()
    adapter: bool = False
    rank: int | None = None
    dtype: str | None = None
    revision: str | None = None
    device: str = "auto"
    threads: int | None = None
    hashed: bool = True
    command: str = ""

    def __post_init__(self) -> None:
        _check_models(self)
        _check_alpha(self)
        _check_adapter(self)
        if self.weights is None and self.examples is None and self.needs_examples:
            raise InputError(
                f"weights by {self.weighing.rule} come from examples; give --examples FILE, or weights by "
                "hand: --weights 0.5,0.5"
            )
        if self.operation != "linear" and (self.adapter or self.fine_tuned or self.weights is None):
            raise InputError(
                f"--operation {self.operation} takes weights by hand for full output; it goes with neither "
                "--adapter, --fine-tuned nor weights from examples"
            )

    @property
    def peers(self) -> int:
        """N: how many members weights are found for, the base among them; never the fine-tuned one."""
        return len(self.named) - (self.fine_tuned is not None)

    @property
    def weighs(self) -> bool:
        """Whether members are scored on examples; one model alone has nothing to weigh.

        Equal weights need no examples, but where there are some, losses are told.
        """
        asked = self.weighing.rule in FROM_SHOTS or self.examples is not None
        return self.weights is None and asked and self.peers > 1

    @property
    def needs_examples(self) -> bool:
        """Whether weights or alpha are a function of examples."""
        return self.weighs or self.alpha == "auto"

    @property
    def unused(self) -> tuple[str, ...]:
        """A sentence for each file of examples that was given and serves nothing."""
        found = []
        if self.examples is not None and not self.needs_examples:
            found.append("the examples were not used: weights by hand, or of one model, need none")
        if self.general is not None and self.alpha != "auto":
            found.append("the general examples were not used: only --alpha auto weighs by them")
        return tuple(found)

    @property
    def named(self) -> tuple[str, ...]:
        """All members by name, in the order of the weights."""
        first = (self.base,) if self.base is not None and self.base not in self.models else ()
        last = (self.fine_tuned,) if self.fine_tuned is not None else ()
        return (*first, *self.models, *last)

    def by_hand(self) -> tuple[float, ...]:
        """(N,) the given weights, or equal ones.

        Raises:
            InputError: There are not as many as models.
        """
        if self.weights is None:
            return (1 / self.peers,) * self.peers
        given = self.weights
        if len(given) == len(self.models) == self.peers - 1:
            given = (0.0, *given)
        if len(given) != self.peers:
            raise InputError(
                f"--weights has {len(self.weights)} numbers for {len(self.models)} models"
                + (" and a base" if self.peers > len(self.models) else "")
                + "; give one for each, in order"
            )
        return given


def parsed_weights(text: str) -> tuple[tuple[float, ...] | None, Rule]:
    """``0.5,0.3,0.2`` as numbers beside the default rule, or no numbers and the rule of that name.

    Raises:
        InputError: It is neither.

    >>> parsed_weights("0.5, 0.5"), parsed_weights("greedy")
    (((0.5, 0.5), 'softmax'), (None, 'greedy'))
    """
    for rule in RULES:
        if text.strip() == rule:
            return None, rule
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"--weights {text!r}: expected numbers like 0.5,0.3,0.2, or one of {', '.join(RULES)}"
        ) from None
    if not all(map(math.isfinite, numbers)):
        raise InputError(f"--weights {text!r}: a weight is no finite number")
    return numbers, "softmax"


def _check_models(job: MixJob) -> None:
    if not job.named:
        raise InputError("there is no model to mix; give two or more folders or hub names")
    if job.fine_tuned is not None and len(job.named) < 2:
        raise InputError("--fine-tuned is mixed back with a base; give --base FOLDER, or models")


def _check_adapter(job: MixJob) -> None:
    if job.rank is not None and not job.adapter:
        raise InputError("--rank cuts a LoRA; give --adapter with it")
    if job.adapter and (job.layer_weights or job.dtype is not None):
        raise InputError("--layer and --dtype are for full models; leave them out, or leave out --adapter")


def _check_alpha(job: MixJob) -> None:
    if (job.alpha is None) != (job.fine_tuned is None):
        raise InputError("--alpha is the weight of --fine-tuned: give both, or neither")
    if isinstance(job.alpha, float | int) and not 0 <= job.alpha <= 1:
        raise InputError(f"--alpha is {job.alpha}, expected a number from 0 to 1, or auto")
    if job.alpha == "auto" and (job.examples is None or job.general is None):
        raise InputError(
            "--alpha auto weighs target against general examples; give --examples FILE and --general FILE"
        )
