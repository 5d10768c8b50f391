"""Shares of gain and loss, paired tests on rows that chose nothing, and the words around them."""

from __future__ import annotations

import numpy as np
import pytest

from kshot.measure.statistics import compare, holm
from kshot.pipeline.elastic.row_values import Judged
from kshot.pipeline.elastic.scores import BASE, MIXED, TUNED, Scored, share_of
from kshot.pipeline.elastic.words import summary


def shares(**right: int) -> dict[str, Judged]:
    """Of 100 rows the first so many right."""
    made = {name: np.repeat([1.0, 0.0], [count, 100 - count]) for name, count in right.items()}
    return {name.replace("_", "-"): Judged(values, 1 - values) for name, values in made.items()}


TARGET = shares(base=10, fine_tuned=90, mixed=88)
GENERAL = shares(base=95, fine_tuned=45, mixed=85)


def test_kept_and_recovered_shares():
    target = Scored("test", "target", False, TARGET).to_json("exact_match")
    assert target["kept_gain"]["share"] == pytest.approx(78 / 80)
    low, high = target["kept_gain"]["interval"]
    assert low < 78 / 80 < high <= 1
    general = Scored("general test", "general", False, GENERAL).to_json("exact_match")
    assert general["recovered_loss"]["share"] == pytest.approx(40 / 50)
    assert "kept_gain" not in general
    assert target["models"][TUNED]["value"] == 0.9


def test_paired_tests_stand_on_rows_that_chose_nothing_alone():
    told = Scored("test", "target", False, TARGET).to_json("exact_match")
    pairs = [(each["of"], each["against"]) for each in told["comparisons"]]
    assert pairs == [(MIXED, TUNED), (MIXED, BASE), (TUNED, BASE)]
    plain = [compare(TARGET[one].values, TARGET[other].values) for one, other in pairs]
    assert [each["p_holm"] for each in told["comparisons"]] == holm([each.p for each in plain])
    assert told["comparisons"][1]["verdict"] == "better"
    assert Scored("held-back rows", "target", True, TARGET).to_json("exact_match")["comparisons"] == []


def test_of_losses_less_is_better():
    swapped = {name: Judged(found.losses, found.losses) for name, found in TARGET.items()}
    told = Scored("test", "target", False, swapped).to_json("loss")
    assert told["comparisons"][2]["difference"] == pytest.approx(0.8)
    assert told["kept_gain"]["share"] == pytest.approx(78 / 80)


def test_no_share_of_nothing():
    assert share_of(np.zeros(4), np.zeros(4)) == {"share": None, "interval": None}
    assert share_of(np.ones(4), -np.ones(4))["share"] is None
    barely = share_of(np.array([1.0, 0, 0, 0]), np.array([1.0, 0, 0, 0]))
    assert barely == {"share": 1.0, "interval": None}  # a third of the draws leave the one row out


def test_one_row_is_told_without_a_test():
    one = {name: Judged(np.ones(1), np.zeros(1)) for name in (BASE, TUNED, MIXED)}
    assert Scored("test", "target", False, one).to_json("exact_match")["comparisons"] == []


def test_the_summary_says_what_is_evidence_and_what_is_not():
    scores = [
        Scored("held-back rows", "target", True, TARGET).to_json("exact_match"),
        Scored("general test", "general", False, GENERAL).to_json("exact_match"),
    ]
    rows = dict.fromkeys(("learned", "held_back", "general", "test", "general_test", "too_long"), 100)
    facts = {
        "base": "models/base", "method": "full", "merged": False, "alpha": 0.7, "alpha_is_chosen": True,
        "metric": "exact_match", "rows": rows | {"dropped": {"row repeats test: equal": 3}},
        "training": {"steps": 9, "first_loss": 2.0, "last_loss": 0.5},
        "sweep": {"reason": "alpha 0.7: because"}, "scores": scores, "notes": ["look closely"],
    }  # fmt: skip
    text = summary(facts)
    for part in (
        "0.7 of it mixed with 0.3 of the base (alpha chosen)",
        "3 dropped (row repeats test: equal)",
        "selection scores, no evidence",
        "held out)",
        "97.5% of the gain kept",
        "80.0% of the loss given back",
        "mixed against fine-tuned: +0.4000",
        "note: look closely",
    ):
        assert part in text
    assert "nothing was measured" in summary(facts | {"scores": []})
