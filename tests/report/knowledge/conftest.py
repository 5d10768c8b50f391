"""Facts as the miniature's mixed task gives them: 27 experts, 2,000 points, 64 modules, one text."""

from __future__ import annotations

import math
import random
from itertools import combinations

import numpy as np
import pytest

from kshot.report.knowledge import (
    AgreementFacts,
    DataFacts,
    DataPoint,
    ExpertFacts,
    ExpertRow,
    GroupRow,
    OpenKnowledge,
    ParityRow,
    PartRow,
    RouterFacts,
    TokenFacts,
    TrainingFacts,
)
from kshot.report.knowledge.agreement import agreement

RIGHT = {"brewer-lora": 0.45, "mason-lora": 0.4, "smith-lora": 0.35}
COPIES = {"smith-pro": 0.35, "smith-trade": 0.3, "smith-words": 0.3}
BLIND = ("alehouse-words", "quarry-words", "forge-words", "kiln-words")
OTHERS = (
    "baker-lora", "carter-lora", "cooper-lora", "cooper-trade", "dyer-lora", "fisher-lora", "glazier-lora",
    "glazier-trade", "miller-lora", "potter-lora", "sailor-lora", "saddler-lora", "tanner-lora",
    "thatcher-lora", "turner-lora", "weaver-lora", "wright-lora",
)  # fmt: skip
TEXT = (
    "In| the| forge| by| the| hill| a| smith| orders| vel|m|,| two| loads| of| ke|rn| and| a| cask| of| "
    "ale|.\n|What| does| the| mason| cut| when| the| brew|er| pays|?|\n|bri|n|,| for| the| mason| cuts| bri|n"
)


def expert_facts() -> ExpertFacts:
    chance = random.Random(7)
    shares = RIGHT | COPIES | {name: 0.25 + 0.05 * (place % 2) for place, name in enumerate(BLIND)}
    shares |= {name: chance.choice([0.0, 0.0, 0.05, 0.1]) for name in OTHERS}
    rows = []
    for name, share in shares.items():
        loss = 0.9 if name in RIGHT else 0.95 if name in COPIES else 2.6 if name in BLIND else 1.3
        perplexity = math.exp(loss + chance.random() * 0.5)
        rows.append((name, share, perplexity))
    by_share = {name: 1 + sum(other > share for _, other, _ in rows) for name, share, _ in rows}
    by_loss = {name: 1 + sum(other < value for _, _, other in rows) for name, _, value in rows}
    order = sorted(rows, key=lambda row: by_share[row[0]] + by_loss[row[0]])
    pool = [name for name, *_ in order[:8]]
    compared = groups(pool, by_share, by_loss)
    chosen = compared[0].members
    return ExpertFacts(
        rule="paper",
        similarity="delta",
        k=20,
        margin=float(compared[1].total - compared[0].total),
        groups_considered=56,
        groups=compared,
        experts=tuple(
            ExpertRow(
                name=name,
                accuracy=share,
                accuracy_se=math.sqrt(share * (1 - share) / 20),
                perplexity=perplexity,
                perplexity_se=perplexity * 0.06,
                rank_accuracy=by_share[name],
                rank_perplexity=by_loss[name],
                rank_sum=by_share[name] + by_loss[name],
                in_pool=name in pool,
                chosen=name in chosen,
                chance_pool=0.98 if name in chosen else 0.71 if name in pool else chance.random() * 0.2,
                chance_chosen=0.91 if name in chosen else 0.24 if name in pool else 0.0,
                left=None if name in chosen else reason(name, pool),
            )
            for name, share, perplexity in rows
        ),
    )


def reason(name: str, pool: list[str]) -> str:
    if name in ("cooper-trade", "glazier-trade"):
        return "the audit found that it changes nothing: all B are zero"
    if name in pool:
        return "in the pool; the best group with it totals 14 against 11"
    return "not in the pool: its rank sum is 29, the pool ends at 17"


def groups(pool: list[str], by_share: dict[str, int], by_loss: dict[str, int]) -> tuple[GroupRow, ...]:
    chance, found = random.Random(1), []
    for members in combinations(pool, 3):
        alike = 0.9 if len(set(members) & {"smith-lora", *COPIES}) > 1 else chance.random() * 0.2
        found.append((sum(by_share[name] + by_loss[name] for name in members), alike, members))
    by_alike = sorted(alike for _, alike, _ in found)
    best = sorted(found, key=lambda group: group[0] + by_alike.index(group[1]))
    return tuple(
        GroupRow(
            members=members,
            rank_sum=total,
            similarity=alike,
            diversity_rank=1 + by_alike.index(alike),
            total=total + 1 + by_alike.index(alike),
            chosen=place == 0,
        )
        for place, (total, alike, members) in enumerate(best)
    )


def data_facts(point_count: int = 2000) -> DataFacts:
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(12, 2)) * 4
    points = []
    for place in range(point_count):
        trade = place % 12
        x, y = centres[trade] + draw.normal(size=2) * 0.6
        fate = "not chosen"
        if trade < 3:
            fate = ("shot" if place < 60 else "guard" if place % 61 == 0 else "near-duplicate"
                    if place % 7 == 0 else "kept")  # fmt: skip
        text = f"In the market of trade {trade} somebody asks for {place} loads of kern."
        points.append(DataPoint(float(x), float(y), fate, text, float(draw.random())))
    counts = {"shot": 20, "kept": 861, "near-duplicate": 139, "guard": 40, "not chosen": 5_160}
    return DataFacts(
        counts=counts,
        encoder="hashing n-grams (no download)",
        selector="max",
        asked=1000,
        threshold=0.9,
        points=tuple(points),
    )


def router_facts(
    layers: int = 32, kinds: tuple[str, ...] = ("q_proj", "v_proj"), experts: int = 4
) -> RouterFacts:
    draw = np.random.default_rng(1)
    names = (*RIGHT, "alehouse-words", *(f"expert-{place}" for place in range(40)))[:experts]
    modules = [f"model.layers.{layer}.self_attn.{kind}" for layer in range(layers) for kind in kinds]
    load = draw.dirichlet(np.linspace(6, 2, experts), size=len(modules))
    pieces = tuple(TEXT.split("|"))
    gates = draw.dirichlet(np.full(experts, 0.4), size=len(pieces))
    return RouterFacts(
        system="mixture, selected data",
        over="the 20 shots",
        modules=tuple(modules),
        experts=names,
        load=tuple(map(tuple, load.tolist())),
        chosen=tuple(map(tuple, np.clip(load * 2, 0, 1).tolist())),
        top_k=2,
        tokens=TokenFacts(pieces=pieces, gates=tuple(map(tuple, gates.tolist())), target_from=35),
    )


def agreement_facts() -> AgreementFacts:
    draw = np.random.default_rng(2)
    hard = draw.random(400)
    right = np.stack([hard < 0.15] * 4) | (draw.random((4, 400)) < 0.22) & (hard < 0.75)
    mixture = right.all(axis=0) | (draw.random(400) < np.where(right.any(axis=0), 0.75, 0.2))
    return AgreementFacts(
        rows=agreement(right, mixture),
        experts=(*RIGHT, "alehouse-words"),
        mixture="mixture, selected data",
        best_single="best adapter on the shots",
        parts=(
            PartRow(name="words that only the experts know", n=182, mixture=0.59, best_single=0.41,
                    mixture_interval=(0.52, 0.66), best_single_interval=(0.34, 0.48)),
            PartRow(name="words that only the data knows", n=96, mixture=0.48, best_single=0.02,
                    mixture_interval=(0.38, 0.58), best_single_interval=(0.0, 0.07)),
            PartRow(name="words that both know", n=122, mixture=0.77, best_single=0.36),
        ),
    )  # fmt: skip


def training_facts() -> tuple[TrainingFacts, ...]:
    draw = np.random.default_rng(3)
    steps = np.arange(1, 601)
    losses = 0.35 + 1.9 * np.exp(-steps / 90) + draw.normal(size=600) * 0.06
    held = tuple(range(50, 601, 50))
    curve = [0.62 + 1.5 * math.exp(-step / 80) + 0.0004 * step for step in held]
    return (
        TrainingFacts(
            system="mixture, selected data",
            trained="routers and experts",
            parameters=1_048_576,
            steps=tuple(map(int, steps)),
            losses=tuple(map(float, losses)),
            held_steps=held,
            held_losses=tuple(curve),
            kept_step=held[curve.index(min(curve))],
        ),
        TrainingFacts(
            system="best expert, fine-tuned on the same data",
            trained="all of A and B",
            steps=tuple(map(int, steps[:300])),
            losses=tuple(map(float, losses[:300] * 1.1 + 0.2)),
        ),
    )


def sample_knowledge() -> OpenKnowledge:
    return OpenKnowledge(
        experts=expert_facts(),
        data=data_facts(),
        router=router_facts(),
        agreement=agreement_facts(),
        training=training_facts(),
        parity=(
            ParityRow(name="static, as a plain LoRA of rank 64", exact=True, n=32, max_difference=3.1e-7,
                      mean_difference=2.2e-8, same_replies=1.0),
            ParityRow(name="mean gates, cut to rank 16", exact=False, n=32, max_difference=0.41,
                      mean_difference=0.032, same_replies=0.906, kept_energy=0.942),
        ),
    )  # fmt: skip


@pytest.fixture(scope="session")
def knowledge() -> OpenKnowledge:
    return sample_knowledge()
