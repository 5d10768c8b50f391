"""A report as a run of the miniature might end: 8 systems, 24 experts, 400 rows."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kshot.report import (
    BankRow,
    Finding,
    Refused,
    RowResult,
    RunReport,
    SystemResult,
    TaskFacts,
    headline_of,
)

# name, kind, share right, seconds, verdict, note
SYSTEMS = (
    ("LoRA on the shots", "trained", 0.58, 96.0, "better", "rank 16 on all linear modules, 200 steps"),
    ("best adapter on the shots", "adapter", 0.36, 21.0, "better", "trade-07-tailor: 9 of 20 shots right"),
    (
        "nearest shots in the prompt",
        "baseline",
        0.275,
        9.4,
        "too few rows to tell",
        "8 shots by hashing n-grams",
    ),
    (
        "shots in the prompt",
        "baseline",
        0.26,
        8.1,
        "too few rows to tell",
        "20 shots, in the order of the file",
    ),
    ("zero-shot", "baseline", 0.2325, 5.2, "reference", ""),
    ("embedding + logistic head", "baseline", 0.22, 0.8, "tied", "hashing n-grams, 1024 wide"),
    ("majority", "baseline", 0.085, 0.002, "worse", "always “velm”"),
    ("best adapter on the test", "oracle", 0.4125, 380.0, "oracle, for orientation only", "trade-03-miller"),
)
WORDS = (
    "the",
    "tanner",
    "keeps",
    "a",
    "velm",
    "near",
    "his",
    "door",
    "and",
    "asks",
    "a",
    "miller",
    "for",
    "two",
    "ropes",
    "of",
    "brin",
    "before",
    "noon",
)
NASTY = (
    "</script><script>window.broken = 1</script>",
    '<img src=x onerror="window.broken = 1"> & "quotes" \'single\' `ticks` | pipe',
    "emoji 🧵🪡👩🏽‍🚀 and RTL: שלום עולם, مرحبا بالعالم",
    "long text: " + "brin velm tosk " * 6800,
    "lone surrogate \ud83d and control \x1b[31m\x00 end, line\u2028separator",
    "${1+1} {{ 7 * 7 }} {% raw %} %{x} $\\alpha$",
)


def interval(value: float, n: int) -> tuple[float, float]:
    half = 1.96 * (max(value * (1 - value), 0.01) / n) ** 0.5
    return max(0.0, value - half), min(1.0, value + half)


def sample_systems(n: int) -> tuple[SystemResult, ...]:
    reference = next(share for name, _, share, *_ in SYSTEMS if name == "zero-shot")
    found = []
    for place, (name, kind, share, seconds, verdict, note) in enumerate(SYSTEMS):
        difference = None if name == "zero-shot" else share - reference
        half = 0.018 if verdict == "tied" else 0.045
        bounds = None if difference is None else (difference - half, difference + half)
        p = {"better": 0.00002, "worse": 0.0001, "tied": 0.61}.get(verdict, 0.11)
        compared = difference is not None and kind != "oracle"
        found.append(
            SystemResult(
                name=name,
                kind=kind,
                metric="exact_match",
                value=share,
                interval=interval(share, n),
                n=n,
                verdict=verdict,
                note=note,
                invalid=place * 3,
                difference=difference,
                difference_interval=bounds,
                p=p if compared else None,
                p_holm=min(1.0, p * 6) if compared else None,
                smallest_difference=0.071 if difference is not None else None,
                seconds=seconds,
                latency=seconds / n,
                calls=0,
                tokens=int(seconds * 900),
                usd=0.0,
                size_bytes=1_240_000 if kind in ("trained", "adapter") else 0,
                selection_score=0.45 if name.startswith("best adapter on the shots") else None,
                oracle=kind == "oracle",
            )
        )
    return tuple(found)


def sample_bank() -> tuple[BankRow, ...]:
    trades = (
        "tanner",
        "miller",
        "cooper",
        "potter",
        "weaver",
        "smith",
        "tailor",
        "mason",
        "baker",
        "fisher",
        "dyer",
        "glazier",
    )
    chance, rows = random.Random(3), []
    for place, trade in enumerate(trades):
        right = 0.45 if place in (1, 6, 9) else chance.choice([0.0, 0.0, 0.05])
        loss = 0.9 + (0 if right > 0.3 else 1.6) + chance.random() * 0.5
        rows.append(
            BankRow(
                name=f"trade-{place:02d}-{trade}",
                rank=16,
                alpha=32.0,
                targets=("q_proj", "k_proj", "v_proj", "o_proj"),
                size_bytes=1_240_000,
                licence="apache-2.0",
                base="kshot/miniature",
                right=right,
                answer_loss=loss,
                reasoning_loss=loss * 0.8,
                perplexity=2.718281828 ** (loss * 0.8),
                test_value=right * 0.85,
                test_interval=interval(right * 0.85, 400),
                verdict="better" if right > 0.3 else "worse",
            )
        )
    for place in range(8):
        rows.append(
            replace(
                rows[0],
                name=f"guesser-{place}",
                right=chance.choice([0.0, 0.05, 0.1]),
                answer_loss=3.2 + place / 10,
                reasoning_loss=2.9,
                perplexity=18.0 + place,
                test_value=0.04,
                test_interval=(0.02, 0.06),
                verdict="worse",
            )
        )
    copy = ("near copy of trade-01-miller (cosine 0.9997)",)
    rows.append(replace(rows[1], name="miller-again", findings=copy))
    rows.append(replace(rows[1], name="miller-rank-4", rank=4, alpha=8.0, findings=(copy[0],)))
    for name, finding in (
        ("other-base", "base.layers.0.q_proj is 64 wide, this base has 128"),
        ("zeros", "all B are zero: no effect"),
    ):
        rows.append(
            BankRow(
                name=name,
                rank=8,
                alpha=16.0,
                findings=(finding,),
                usable=False,
                size_bytes=600_000,
            )
        )
    return tuple(rows)


def sample_rows(count: int) -> tuple[RowResult, ...]:
    chance, rows = random.Random(5), []
    for place in range(count):
        prompt = " ".join(chance.choices(WORDS, k=24)).capitalize() + ". What does he keep?"
        gold, predictions, scores = chance.choice(("velm", "brin", "tosk")), {}, {}
        for name, _, share, *_ in SYSTEMS:
            good = chance.random() < share
            predictions[name] = gold if good else chance.choice(("rope", "noon", None))
            scores[name] = float(good)
        if place % 67 == 3 and place // 67 < len(NASTY):
            prompt = NASTY[place // 67]
        rows.append(RowResult(f"{place:016x}", prompt, gold, f"test.jsonl:{place + 1}", predictions, scores))
    return tuple(rows)


def sample_report(*, rows: int = 400, miniature: bool = True, **changes: Any) -> RunReport:
    task = TaskFacts(
        name="mixture-of-three",
        kind="generation",
        metric="exact_match",
        k=20,
        seed=0,
        n_test=400,
        instruction="Say in one word what the craftsman keeps. Think of the trade first.",
        label_counts={"velm": 8, "brin": 7, "tosk": 5},
        base_model="kshot/miniature (1.0 M parameters, bf16)",
        embedder="hashing n-grams (no download)",
    )
    facts: dict[str, Any] = {
        "headline": headline_of(task, miniature=miniature),
        "miniature": miniature,
        "task": task,
        "systems": sample_systems(400),
        "bank": sample_bank(),
        "rows": sample_rows(rows),
        "findings": (
            Finding("contamination", "warning", "3 rows of the open data repeat test rows", "open.jsonl:14"),
            Finding(
                "labels", "info", "2 shots ask nearly the same and differ in their answer", "shots.jsonl:4"
            ),
            Finding("audit", "error", "adapter zeros has no effect: all B are zero", "bank/zeros"),
        ),
        "refused": (
            Refused("other-base", "base.layers.0.q_proj is 64 wide, this base has 128"),
            Refused("zeros", "all B are zero: the adapter changes nothing"),
            Refused("expert classifier", "no classifier is given under knowledge.expert"),
        ),
        "recommended": "LoRA on the shots",
        "because": "the whole interval of its difference lies above zero, and none scores higher.",
        "provenance": {
            "command": "kshot run miniature:mixed --out runs/miniature",
            "kshot": "0.1.0",
            "seed": 0,
            "versions": {"python": "3.11.9", "torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.2"},
            "device": "cpu, 2 threads",
            "wall_time_s": 211.4,
            "hashes": {"shots": "9f2c51d0a7e81b44", "test": "77ab01c2d3e4f506"},
        },
    }
    return RunReport(**(facts | changes))


@pytest.fixture(scope="session")
def sample() -> RunReport:
    return sample_report()


@pytest.fixture(scope="session")
def make_report() -> Callable[..., RunReport]:
    return sample_report
