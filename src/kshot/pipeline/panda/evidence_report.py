"""The evidence put into the words of a report: leaderboard, verdict, ablations, queries, costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kshot.measure.metrics import evaluate
from kshot.methods.panda.faithfulness import Verdict
from kshot.methods.panda.records import Insight
from kshot.methods.panda.seams import Chosen, LeftOut
from kshot.models.endpoint import StepUsage
from kshot.pipeline.panda.ablate import Ablation, VariantOutcome
from kshot.pipeline.panda.conditions import REFERENCE
from kshot.pipeline.panda.evidence import Outcome, PandaEvidence
from kshot.pipeline.panda.parts import Parts
from kshot.report.panda import (
    AblationRows,
    CascadeRow,
    ClaimRow,
    GuideFacts,
    PandaReport,
    QueryRow,
    ShownInsight,
    SystemRow,
    UsageRow,
    VariantRow,
)

_CLAIMED = {
    "real": "insights", "empty": REFERENCE, "both": "insights and labels", "neutral": "neutral filler",
    "preference": "nearest examples, expert's labels", "expert": "the expert itself",
}  # fmt: skip
_MOST_LEFT_OUT = 3
_ONE_LLM = "One LLM on one task: a general claim needs three LLMs or more."


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a report says beside the figures.

    Attributes:
        simulated: The LLM is a simulation; stands on every part of the report.
        miniature: The task is of the invented world; so does this.
        facts: About task, LLM, expert and encoder, as (name, value).
        queries: How many items are shown with their insights.
        leaves: What left this machine, a sentence each; by default what the model's address tells.
    """

    task: str
    simulated: bool = False
    miniature: bool = False
    facts: tuple[tuple[str, str], ...] = ()
    queries: int = 5
    leaves: tuple[str, ...] = ()
    provenance: dict[str, str] | None = None


def panda_report(
    evidence: PandaEvidence,
    parts: Parts,
    told: Told,
    *,
    ablations: Sequence[Ablation] = (),
    usage: Sequence[StepUsage] = (),
    guide: GuideFacts | None = None,
) -> PandaReport:
    """The report of an evaluation; ``write_panda_report`` writes it.

    Example::

        report = panda_report(evidence, parts, Told(task="emotion"), usage=endpoint.usage())
        write_panda_report(report, "runs/panda")
    """
    verdict = evidence.verdict
    reference = evidence.outcome(REFERENCE)
    skipped = tuple(f"{name} was not judged: {why}." for name, why in evidence.skipped)
    return PandaReport(
        task=told.task,
        metric=evidence.metric,
        n=len(evidence.items),
        headline=verdict.headline,
        reference=REFERENCE,
        systems=tuple(_system_row(one, evidence, parts) for one in evidence.outcomes),
        simulated=told.simulated,
        miniature=told.miniature,
        tone=tone_of(verdict),
        because=_because(evidence),
        facts=(*told.facts, ("insights in a prompt", str(parts.retrieval.k)), ("LLM", parts.model.id),
               ("encoder", parts.embedder.id)),
        claims=_claim_rows(verdict),
        ablations=tuple(_ablation_rows(one, len(evidence.items)) for one in ablations),
        pool=_pool_facts(parts),
        pool_labels=dict(Counter(one.answer for one in parts.pool if one.answer is not None).most_common(20)),
        queries=_queries(evidence, reference, told.queries),
        usage=tuple(_usage_row(one) for one in usage),
        cascade=_cascade_rows(evidence),
        cascade_sentence=_cascade_sentence(evidence),
        guide=guide,
        notes=(*evidence.notes, *skipped, _ONE_LLM),
        leaves=told.leaves or _leaves(parts),
        provenance=told.provenance,
    )  # fmt: skip


def _system_row(one: Outcome, evidence: PandaEvidence, parts: Parts) -> SystemRow:
    """One condition as a row of the leaderboard; where there are labels, with accuracy and macro-F1."""
    seen = one.comparison
    others = [name for name in ("accuracy", "macro_f1") if name != evidence.metric and parts.labels]
    more = {name: evaluate(name, one.answers, evidence.gold, labels=parts.labels) for name in others} or None
    return SystemRow(
        name=one.name, group=one.condition.group, value=one.value, interval=one.interval,
        n=len(one.answers), invalid=one.invalid, more=more,
        difference=seen.difference if seen else None, difference_interval=seen.interval if seen else None,
        p=one.raw_p, p_holm=seen.p if seen else None, verdict=seen.verdict if seen else "reference",
        smallest_difference=seen.smallest_difference if seen else None, prompt_tokens=one.prompt_tokens,
        completion_tokens=one.completion_tokens, calls=one.calls, usd=one.usd,
        note=one.condition.note + (f"; {one.failed:,} requests failed" if one.failed else ""),
    )  # fmt: skip


def _because(evidence: PandaEvidence) -> tuple[str, ...]:
    """The sentences of the verdict's questions, and how the insights stand against the expert itself."""
    claims = evidence.verdict.claims
    said = [one.sentence for one in claims if one.question != "beside"]
    said += [one.sentence for one in claims if one.question == "beside" and one.b == "expert"]
    return tuple(f"{text[0].upper()}{text[1:]}" for text in said)


def tone_of(verdict: Verdict) -> str:
    """How sure the page looks: ``better`` only where insights are used and add to examples.

    >>> from kshot.methods.panda.faithfulness import faithfulness
    >>> tone_of(faithfulness("accuracy", ["a", "b"], {}))
    'none'
    """
    if verdict.used is None:
        return "none"
    return "tied" if not verdict.used else "better" if verdict.adds_to_examples else "unsure"


def _claim_rows(verdict: Verdict) -> tuple[ClaimRow, ...]:
    """The comparisons of the verdict under the names of the leaderboard."""
    return tuple(
        ClaimRow(
            question=one.question, a=_claimed(one.a), b=_claimed(one.b), shown=one.shown,
            difference=one.comparison.difference, interval=one.comparison.interval, p=one.comparison.p,
            n=one.comparison.n, smallest_difference=one.comparison.smallest_difference,
            sentence=one.sentence,
        )
        for one in verdict.claims
    )  # fmt: skip


def _ablation_rows(ablation: Ablation, n: int) -> AblationRows:
    """One question's table."""
    return AblationRows(
        question=ablation.question,
        title=ablation.title,
        variants=tuple(_variant_row(one, n) for one in ablation.outcomes),
        skipped=dict(ablation.skipped) or None,
    )


def _pool_facts(parts: Parts) -> tuple[tuple[str, str], ...]:
    """What a pool holds, counted."""
    pool = parts.pool
    flags = Counter(flag for one in pool for flag in one.flags)
    known = [one.preference for one in pool if one.preference is not None and one.preference.gold is not None]
    agree = sum(one.top.answer == one.gold for one in known)
    words = sorted(len(one.explanation.split()) for one in pool)
    found = [
        ("insights", f"{len(pool):,}"),
        ("distinct keys", f"{len({one.key for one in pool}):,}"),
        ("words of an explanation, median", f"{words[len(words) // 2]:,}" if words else "–"),
        ("expert agrees with the label", f"{agree:,} of {len(known):,}" if known else "no labels are known"),
    ]
    return (*found, *((f"flagged {name}", f"{count:,}") for name, count in flags.most_common()))


def _usage_row(one: StepUsage) -> UsageRow:
    """One step of an endpoint's counts."""
    return UsageRow(
        step=one.step, calls=one.calls, cached=one.cached, failed=one.failed, usd=one.usd,
        prompt_tokens=one.prompt_tokens, completion_tokens=one.completion_tokens, seconds=one.seconds,
    )  # fmt: skip


def _cascade_rows(evidence: PandaEvidence) -> tuple[CascadeRow, ...]:
    """The cascade beside never asking, always asking and the split by somebody who knows."""
    table = evidence.cascade.table if evidence.cascade is not None else ()
    outcome = evidence.outcome("cascade")
    note = outcome.condition.note if outcome else ""
    return tuple(
        CascadeRow(name=one.name, value=one.score, asked_share=one.share_asked, kept=one.kept_score,
                   asked=one.asked_score, calls=one.calls, usd=one.usd,
                   note=note if one.name == "cascade" else "")
        for one in table
    )  # fmt: skip


def _cascade_sentence(evidence: PandaEvidence) -> str:
    if evidence.cascade is None:
        return ""
    return f"{evidence.cascade.sentence} Scores here are shares of single items that are right."


def _leaves(parts: Parts) -> tuple[str, ...]:
    address = getattr(parts.model, "base_url", None)
    if address is None:
        return ()
    return (
        f"Every prompt, with the texts of items and learning rows, went to {address} ({parts.model.id}).",
    )


def _claimed(name: str) -> str:
    return _CLAIMED.get(name, f"{name} insights")


def _variant_row(one: VariantOutcome, n: int) -> VariantRow:
    return VariantRow(
        name=one.variant.name, value=one.value, interval=one.interval, n=n, difference=one.difference,
        difference_interval=one.difference_interval, p_holm=one.p_holm, invalid=one.invalid,
        pool_size=one.pool_size, tokens_per_item=(one.prompt_tokens + one.completion_tokens) / n,
        note=f"{one.failed:,} rows gave no insight" if one.failed else "",
    )  # fmt: skip


def _queries(evidence: PandaEvidence, reference: Outcome | None, most: int) -> tuple[QueryRow, ...]:
    """Items in turn of four kinds, so that failures are seen too: helped, hurt, wrong, right anyway."""
    real = evidence.outcome("insights")
    if real is None or reference is None or not evidence.retrieved:
        return ()
    kinds: dict[tuple[bool, bool], list[int]] = {
        (True, False): [], (False, True): [], (False, False): [], (True, True): [],
    }  # fmt: skip
    for at, gold in enumerate(evidence.gold):
        kinds[real.answers[at] == gold, reference.answers[at] == gold].append(at)
    longest = max(map(len, kinds.values()))
    places = [found[turn] for turn in range(longest) for found in kinds.values() if turn < len(found)]
    return tuple(
        QueryRow(
            query=evidence.items[at].prompt, gold=evidence.gold[at], answer=real.answers[at],
            without=reference.answers[at], chosen=_shown(evidence.retrieved[at].chosen),
            left_out=_shown(evidence.retrieved[at].left_out[:_MOST_LEFT_OUT]),
        )
        for at in places[:most]
    )  # fmt: skip


def _shown(found: Iterable[Chosen | LeftOut]) -> tuple[ShownInsight, ...]:
    return tuple(
        ShownInsight(
            key=one.insight.key, text=one.insight.explanation, score=one.score, label=_label(one.insight),
            probability=one.insight.preference.top.probability if one.insight.preference else None,
            reason=one.reason if isinstance(one, LeftOut) else "",
        )
        for one in found
    )  # fmt: skip


def _label(insight: Insight) -> str:
    return insight.preference.top.shown if insight.preference else ""
