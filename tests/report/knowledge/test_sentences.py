"""Sentences say what the figures say, also where there are none."""

import math
from dataclasses import replace

from kshot.report.knowledge import (
    AgreementFacts,
    AgreementRow,
    ExpertFacts,
    ExpertRow,
    RouterFacts,
    TrainingFacts,
)
from kshot.report.knowledge.sentences import (
    agreement_sentence,
    data_sentence,
    expert_loads,
    experts_sentence,
    router_sentence,
    training_sentence,
)


def test_experts():
    rows = (ExpertRow(name="a", chosen=True), ExpertRow(name="b", chosen=True), ExpertRow(name="c"))
    facts = ExpertFacts(experts=rows, rule="paper", k=20, margin=2.0, groups_considered=3)
    assert experts_sentence(facts) == (
        "2 of 3 experts chosen: a and b. Rule paper; every group was compared (3), the runner-up is 2 behind."
    )
    assert experts_sentence(replace(facts, margin=0.0)).endswith("the runner-up totals the same.")
    assert experts_sentence(replace(facts, margin=None, exact=False)).endswith(
        "groups were grown greedily: approximate (3)."
    )
    alone = ExpertFacts(experts=rows[2:], rule="accuracy", k=1)
    assert experts_sentence(alone).startswith("0 of 1 expert chosen: none.")


def test_data(knowledge):
    assert data_sentence(knowledge.data) == (
        "861 of 6,200 rows kept, 40 rows removed by the guard. Asked for 1,000 candidates by max "
        "similarity to the shots (hashing n-grams (no download)); a row whose cosine to a "
        "kept one is above 0.9 falls."
    )
    assert "guard" not in data_sentence(replace(knowledge.data, counts={"kept": 1}))


def test_routers_name_the_most_and_the_least_used():
    facts = RouterFacts(
        modules=("q", "v"), experts=("a", "b"), load=((0.75, 0.25), (0.5, 0.5)), over="20 shots"
    )
    assert expert_loads(facts) == [0.625, 0.375]
    assert router_sentence(facts) == (
        "With 2 experts an even share is 50.0 %. On average over 20 shots a gets most, 62.5 %, "
        "and b least, 37.5 %."
    )
    lacking = replace(facts, load=((1.0, math.nan), (1.0, math.nan)))
    assert expert_loads(lacking) == [1.0, None]
    assert router_sentence(lacking).endswith("a alone was seen over 20 shots.")
    assert router_sentence(RouterFacts(modules=(), experts=("a",), load=())) == "No gates were seen."


def test_agreement():
    mixed = AgreementRow(group="mixed", n=10, right=7, share=0.7, interval=(0.4, 0.9), experts_share=0.4)
    wrong = AgreementRow(group="all wrong", n=1, right=1, share=1.0, interval=(0.2, 1.0), experts_share=0.0)
    assert agreement_sentence(AgreementFacts(rows=(mixed, wrong))) == (
        "The experts disagree on 10 of 11 test rows; there the mixture is right in 70.0 %, an expert drawn "
        "by chance in 40.0 %. Of 1 row that every expert fails it answers 1."
    )
    assert agreement_sentence(AgreementFacts(rows=())) == "The experts agree on all of 0 test rows."


def test_training():
    facts = TrainingFacts(
        system="m", trained="routers", parameters=1200, steps=(1, 2), losses=(2.0, 1.0),
        held_steps=(0, 1, 2), held_losses=(math.nan, 1.5, 1.75), kept_step=1,
    )  # fmt: skip
    assert training_sentence(facts) == (
        "trained routers (1,200 numbers); 2 steps, loss 2 at first, 1 at last; held-back loss lowest at "
        "step 1 (1.5); the weights of step 1 were kept."
    )
    assert training_sentence(TrainingFacts(system="m", trained="nothing")) == "trained nothing."
