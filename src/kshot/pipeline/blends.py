"""The systems made of experts and open data: the mixture, and what it is measured against; one row each.

Source: arXiv 2408.15915v2, Tables 1 to 3. A baseline that is like a method of others says so in
its name; what is different here is in its note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Form: TypeAlias = Literal["mixture", "merge", "lorahub", "tuned", "fresh adapter", "adapter"]
Experts: TypeAlias = Literal["chosen", "random", "first", "copies", "fresh", "none"]
Data: TypeAlias = Literal["chosen", "random", "repeats kept", "none"]


@dataclass(frozen=True, slots=True)
class Blend:
    """How one system is made of experts and data.

    Attributes:
        name: As on the leaderboard.
        form: What becomes of the experts: a routed mixture, one merged adapter, one adapter tuned further,
            a new adapter, or an adapter as it is.
        note: One line for the report.
        experts: Which: chosen by the task file's rule, drawn by the seed, the best ranked, that one
            N times, or untrained ones of its shape.
        data: Which open rows are learned beside the shots.
        trained: Whether anything is trained.
        learns: What of the mixture; None as the task file says.
        start: Of the routers; None as the task file says.
        dense: Whether every expert is used for every token.
        rehearses: Whether the experts' own answers are learned along, where the task file asks for it.
        rule: Chooses the experts in place of the task file's.
        ablation: Whether it is built only where it is asked for.
        weight: Rough share of time.
    """

    name: str
    form: Form
    note: str
    experts: Experts = "chosen"
    data: Data = "chosen"
    trained: bool = True
    learns: Literal["joint", "router", "static"] | None = None
    start: Literal["random", "arrow", "hidden_mean", "phatgoose"] | None = None
    dense: bool = False
    rehearses: bool = False
    rule: str | None = None
    ablation: bool = True
    weight: float = 8.0

    @property
    def kind(self) -> str:
        """``mixture`` for the method, ``merge``, ``trained`` or ``adapter`` for what it is compared with."""
        kinds = {"mixture": "mixture", "merge": "merge", "lorahub": "merge", "adapter": "baseline"}
        return kinds.get(self.form, "trained")


MIXTURE = "mixture"

BLENDS: tuple[Blend, ...] = (
    Blend(
        MIXTURE,
        "mixture",
        "experts chosen by the shots, joined by routers, trained on shots and chosen data",
        rehearses=True,
        ablation=False,
        weight=12.0,
    ),
    Blend(
        "uniform merge",
        "merge",
        "the mean of the chosen experts, untrained",
        trained=False,
        data="none",
        ablation=False,
        weight=0.5,
    ),
    Blend(
        "LoRA on shots and data",
        "fresh adapter",
        "one new LoRA, trained on shots and chosen data",
        experts="none",
        ablation=False,
    ),
    Blend(
        "best expert, tuned on shots and data",
        "tuned",
        "the best ranked expert, trained further",
        experts="first",
        ablation=False,
    ),
    Blend(
        "few-shot weights (LoraHub-like)",
        "lorahub",
        "weights of the chosen experts searched on the shots, A and B summed apart",
        trained=False,
        data="none",
        weight=2.0,
    ),
    Blend(
        "Arrow, untrained",
        "mixture",
        "routers from the experts' singular directions, |x.v|, untrained",
        trained=False,
        data="none",
        start="arrow",
        weight=0.5,
    ),
    Blend(
        "gate vectors (PHATGOOSE-like)",
        "mixture",
        "a gate vector trained for each expert, put into routers, nothing else trained",
        trained=False,
        start="phatgoose",
        weight=3.0,
    ),
    Blend(
        "soft mixture (SMEAR-like)",
        "mixture",
        "every expert for every token, merged softly by the router token by token",
        dense=True,
    ),
    Blend(
        "fresh mixture (MixLoRA-like)",
        "mixture",
        "untrained experts of the chosen ones' shape behind routers",
        experts="fresh",
    ),
    Blend(
        "static mixture",
        "mixture",
        "one learned weight for each expert and layer; merges into a plain LoRA",
        learns="static",
    ),
    Blend("mixture, routers alone", "mixture", "experts stay as they are", learns="router"),
    Blend("random expert", "adapter", "an adapter drawn from the bank", "random", "none", False, weight=0.5),
    Blend("random expert, tuned on the shots", "tuned", "an adapter drawn from the bank", "random", "none"),
    Blend("random expert, tuned on shots and data", "tuned", "an adapter drawn from the bank", "random"),
    Blend("best expert, tuned on the shots", "tuned", "the best ranked expert", "first", "none"),
    Blend("mixture of random experts", "mixture", "experts drawn from the bank", "random"),
    Blend("mixture of one expert copied", "mixture", "the best ranked expert several times", "copies"),
    Blend(
        "mixture without rehearsal",
        "mixture",
        "what the further mixtures are to be compared with: none of them rehearses",
    ),
    Blend("mixture, experts by the paper's rule", "mixture", "R_P + R_A + R_D over a pool", rule="paper"),
    Blend("mixture, experts by accuracy", "mixture", "R_A alone", rule="accuracy"),
    Blend("mixture, experts by perplexity", "mixture", "R_P alone", rule="perplexity"),
    Blend("mixture, experts by both ranks", "mixture", "R_P + R_A, no diversity", rule="ranks"),
    Blend("mixture, shots alone", "mixture", "no open data", data="none"),
    Blend("mixture, random data", "mixture", "open rows drawn by the seed", data="random"),
    Blend("mixture, repeats kept", "mixture", "near-duplicates stay", data="repeats kept"),
)
