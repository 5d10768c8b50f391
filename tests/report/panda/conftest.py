"""One PANDA report with every part in it."""

import pytest

from kshot.report.panda import (
    AblationRows,
    CascadeRow,
    ClaimRow,
    GuideFacts,
    PandaReport,
    QueryRow,
    RuleRow,
    ShownInsight,
    SystemRow,
    UsageRow,
    VariantRow,
)

SYSTEMS = [
    ("majority", "baseline", 0.33, None, ""),
    ("zero-shot", "baseline", 0.36, None, ""),
    ("nearest few-shot, expert labels", "baseline", 0.71, 0.35, "better"),
    ("insights", "insights", 0.78, 0.42, "better"),
    ("both", "insights", 0.80, 0.44, "better"),
    ("shuffled insights", "control", 0.35, -0.01, "too few rows to tell"),
    ("corrupted insights", "control", 0.15, -0.21, "worse"),
    ("the expert itself", "expert", 0.84, 0.48, "better"),
]


def system(name, group, value, difference, verdict):
    interval = (value - 0.05, value + 0.05)
    shift = None if difference is None else (difference - 0.06, difference + 0.06)
    return SystemRow(
        name=name, group=group, value=value, interval=interval, n=200, more={"accuracy": value - 0.01},
        difference=difference, difference_interval=shift, p=None if difference is None else 0.001,
        p_holm=None if difference is None else 0.004, verdict=verdict or "reference",
        prompt_tokens=40_000, completion_tokens=900, calls=200, usd=0.02, invalid=2,
    )  # fmt: skip


def claim(question, a, b, difference):
    return ClaimRow(question=question, a=a, b=b, difference=difference, p=0.01, n=200,
                    interval=(difference - 0.06, difference + 0.06), smallest_difference=0.07,
                    shown=difference > 0.06, sentence=f"{a} against {b}.")  # fmt: skip


def variant(name, value, difference=None):
    shift = None if difference is None else (difference - 0.05, difference + 0.05)
    return VariantRow(name=name, value=value, interval=(value - 0.05, value + 0.05), n=200, pool_size=300,
                      difference=difference, difference_interval=shift, tokens_per_item=812.0)  # fmt: skip


@pytest.fixture
def report():
    insight = ShownInsight(key="what a lovely day", text="Joy is right, as the day is lovely.", score=0.71,
                           label="joy", probability=0.93)  # fmt: skip
    left = ShownInsight(key="so tired", text="Sadness.", score=0.10, reason="below the floor of 0.2")
    return PandaReport(
        task="emotion", metric="macro_f1", n=200, reference="zero-shot", simulated=True, tone="better",
        headline="The insights are used, and they add to the nearest examples with the expert's labels.",
        because=("Real insights against shuffled insights: higher (+0.430).",),
        facts=(("LLM", "simulated"), ("expert", "embedding + head"), ("insights shown", "6")),
        systems=tuple(system(*row) for row in SYSTEMS),
        claims=(claim("used", "insights", "shuffled insights", 0.43),
                claim("adds_to_examples", "both", "preferences", 0.05),
                claim("follows_blindly", "zero-shot", "corrupted insights", 0.21),
                claim("beside", "insights", "the expert itself", -0.1)),
        ablations=(
            AblationRows(question="pool_size", title="Pool size", variants=(
                variant("10 insights", 0.5), variant("100 insights", 0.7, 0.2), variant("300", 0.78, 0.28)),
                skipped={"1,000 insights": "the pool has 300"}),
            AblationRows(question="render", title="Insights or raw preferences", variants=(
                variant("insight", 0.78), variant("preference", 0.71, -0.07))),
        ),
        pool=(("insights", "300"), ("flagged against_gold", "21")), pool_labels={"joy": 160, "sadness": 140},
        queries=(QueryRow(query="a lovely walk", gold="joy", answer="joy", without=None, chosen=(insight,),
                          left_out=(left,)),),
        usage=(UsageRow(step="learn", calls=300, prompt_tokens=60_000, completion_tokens=9_000, usd=0.1),
               UsageRow(step="answer", calls=900, cached=700, failed=1, prompt_tokens=90_000, usd=0.2)),
        cascade=(CascadeRow(name="never ask", value=0.78, asked_share=0.0, kept=0.78),
                 CascadeRow(name="cascade", value=0.82, asked_share=0.3, kept=0.85, asked=0.75, calls=600)),
        cascade_sentence="The expert alone is better.",
        guide=GuideFacts(text="Look at the day.\nLook again.", tokens=8,
                         rules=(RuleRow(text="Look at the day.", support=12, ids=("ab12",)),)),
        notes=("Learned on 300 of 3,257 rows.",), leaves=("The texts went to http://127.0.0.1:1/v1.",),
        provenance={"kshot": "0.1.0"},
    )  # fmt: skip
