"""The summary's own figures: official scores of released predictions, the pooled stance, Holm over all."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kshot.data.example import Example
from kshot.data.tweeteval import STANCES, TweetRows, read_tweeteval, tweeteval_task, tweeteval_tasks
from kshot.measure.metrics import evaluate
from kshot.measure.statistics import compare_predictions, holm, score_interval
from kshot.methods.panda.faithfulness import faithfulness
from kshot.pipeline.panda.ablate import Ablation, VariantOutcome
from kshot.pipeline.panda.ablations import Variant
from kshot.pipeline.panda.conditions import CONDITIONS, REFERENCE
from kshot.pipeline.panda.evaluation import Judged
from kshot.pipeline.panda.evidence import Outcome, PandaEvidence
from kshot.pipeline.panda.summarise import STANCE, finish, summarise
from kshot.report.panda import PandaReport, SystemRow

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "tweeteval"
EXPERT = "the expert itself"


def judged(task, answers, *, ablations=()):
    """An evaluation as if these answers had been given; the first is the reference."""
    gold = tuple(task.template.gold(row) for row in task.test)
    known = {one.name: one for one in CONDITIONS}
    outcomes = []
    for name, said in answers.items():
        value, interval = score_interval(task.metric, said, gold, labels=task.labels)
        seen = None
        if name != REFERENCE:
            seen = compare_predictions(task.metric, said, answers[REFERENCE], gold, labels=task.labels)
        outcomes.append(
            Outcome(condition=known[name], answers=tuple(said), value=value, interval=interval,
                    invalid=sum(one is None for one in said), comparison=seen, raw_p=seen and seen.p)
        )  # fmt: skip
    verdict = faithfulness(task.metric, gold, {}, labels=task.labels)
    evidence = PandaEvidence(
        metric=task.metric, items=task.test, gold=gold, outcomes=tuple(outcomes), verdict=verdict
    )
    rows = tuple(
        SystemRow(name=one.name, group=one.condition.group, value=one.value, interval=one.interval,
                  n=len(gold))
        for one in outcomes
    )  # fmt: skip
    report = PandaReport(
        task=task.name, metric=task.metric, n=len(gold), headline=verdict.headline, reference=REFERENCE,
        systems=rows, facts=(("pool", task.name), ("LLM", "made-up")),
    )  # fmt: skip
    return Judged(report, evidence, tuple(ablations))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data is not here")
def test_the_released_predictions_give_the_official_scores():
    finished = []
    for folder, name in tweeteval_tasks(f"tweeteval:{SHARED}"):
        rows = read_tweeteval(folder, name)
        task = tweeteval_task(rows)
        lines = (folder / name / "expert_predictions.jsonl").read_text().split("\n")
        said = [json.loads(line)["label"] for line in lines if line]
        answers = {REFERENCE: [task.labels[0]] * len(task.test), EXPERT: said}
        finished.append(finish(task, judged(task, answers), official=rows.official))
    summary = summarise(finished, {})
    official = {row.system: row for row in summary.official}[EXPERT]
    assert {name: round(value, 4) for name, value in official.values.items()} == {
        "emotion": 0.7983, "irony": 0.6248, "offensive": 0.8155, "stance": 0.7244,
    }  # fmt: skip
    assert official.mean is None
    assert summary.official_missing == ("emoji", "hate", "sentiment")
    single = [summary.cell(name, EXPERT).official.value for name in STANCES]
    assert [round(value, 4) for value in single] == [0.6521, 0.7515, 0.4462, 0.5999, 0.6896]
    pooled = summary.cell(STANCE, EXPERT)
    assert (pooled.n, round(pooled.macro_f1.value, 4)) == (1249, 0.6961)
    low, high = pooled.official.interval
    assert low < pooled.official.value < high


def tweets(name, labels, *, count=12):
    rows = tuple(Example(f"{name} test {at}", labels[at % len(labels)]) for at in range(count))
    train = tuple(Example(f"{name} train {at}", labels[at % len(labels)]) for at in range(12))
    return TweetRows(name, labels, train, rows)


def seven():
    """All eleven tasks, the insights wrong on every third row of each."""
    labels = dict.fromkeys(STANCES, ("none", "against", "favor"))
    labels |= {"emotion": ("anger", "joy", "optimism", "sadness"), "hate": ("non-hate", "hate")}
    labels |= {"irony": ("non_irony", "irony"), "offensive": ("not-offensive", "offensive")}
    labels |= {"sentiment": ("negative", "neutral", "positive")}
    labels |= {"emoji": tuple(f"face {at}" for at in range(20))}
    found = []
    for name, names in labels.items():
        rows = tweets(name, names, count=40)
        task = tweeteval_task(rows, k=4)
        gold = [row.answer for row in task.test]
        some = [names[0] if at % 3 == 0 else answer for at, answer in enumerate(gold)]
        answers = {REFERENCE: [names[0]] * 40, "insights": some}
        found.append(finish(task, judged(task, answers), official=rows.official, page=f"{name}/panda.html"))
    return found


def test_te_is_the_mean_of_the_seven_with_stance_pooled():
    finished = seven()
    summary = summarise(finished, {})
    rows = {row.system: row for row in summary.official}
    gold = [a for one in finished if one.task.name in STANCES for a in one.judged.evidence.gold]
    said = [
        a for one in finished if one.task.name in STANCES
        for a in one.judged.evidence.outcome("insights").answers
    ]  # fmt: skip
    expected = [evaluate("tweeteval:stance", said, gold)]
    for one in finished:
        if one.task.name not in STANCES:
            outcome = one.judged.evidence.outcome("insights")
            expected.append(
                evaluate(one.official, outcome.answers, one.judged.evidence.gold, labels=one.task.labels)
            )
    assert rows["insights"].mean == pytest.approx(sum(expected) / 7)
    assert summary.official_missing == ()
    fewer = summarise([one for one in finished if one.task.name != STANCES[0]], {STANCES[0]: "failed"})
    assert {row.mean for row in fewer.official} == {None}
    assert fewer.official_missing == ("stance",)


def test_p_values_are_corrected_over_the_whole_table():
    summary = summarise(seven(), {})
    compared = [one for one in summary.cells if one.p is not None]
    assert len(compared) == 12  # eleven tasks and the pooled one
    assert [one.p_holm for one in compared] == holm([one.p for one in compared])
    assert {one.verdict for one in summary.cells if one.system == REFERENCE} == {"reference"}
    assert all(one.p_holm is None for one in summary.cells if one.system == REFERENCE)


def test_a_pooled_task_counts_in_no_mean():
    summary = summarise(seven(), {})
    assert len(summary.of_system("insights")) == 11
    assert [one.name for one in summary.tasks if one.pooled] == [STANCE]
    assert summary.facts == (("LLM", "made-up"),)


def test_variants_of_several_tasks_stand_in_one_table():
    def outcome(name, value, difference=None, **variant):
        shift = None if difference is None else (difference - 0.1, difference + 0.1)
        return VariantOutcome(
            variant=Variant(name=name, **variant), answers=("a", "b"), value=value, pool_size=5, invalid=0,
            interval=(value - 0.1, value + 0.1), difference=difference, difference_interval=shift,
            p=None if difference is None else 0.01,
        )  # fmt: skip

    first = Ablation("pool_size", "Size", (outcome("10 insights", 0.5, size=10),
                                           outcome("30 insights", 0.6, 0.1, size=30),
                                           outcome("47 insights", 0.7, 0.2, size=47)))  # fmt: skip
    second = Ablation("pool_size", "Size", (outcome("10 insights", 0.4, size=10),
                                            outcome("21 insights", 0.5, 0.1, size=21)))  # fmt: skip
    moved = Ablation("transfer", "Transfer", (outcome("own", 0.5), outcome("pool of a", 0.4, -0.1, pool="a")))
    made = []
    for name, tables, before in (("hate", (second,), ""), ("irony", (first, moved), "a")):
        rows = tweets(name, ("no", "yes"))
        task = tweeteval_task(rows, k=4)
        one = judged(task, {REFERENCE: ["no"] * 12}, ablations=tables)
        made.append(finish(task, one, before=before))
    sizes, transfer = summarise(made, {}).ablations
    assert sizes.variants == ("10 insights", "30 insights", "the whole pool")
    whole = [(one.task, one.name) for one in sizes.cells if one.variant == "the whole pool"]
    assert whole == [("hate", "21 insights"), ("irony", "47 insights")]
    assert [one.p_holm for one in sizes.cells] == [None, 0.03, None, 0.03, 0.03]
    assert transfer.variants == ("own", "the pool of the task before")
    assert summarise([replace(made[1], before="")], {}).ablations[1].variants == ("own", "pool of a")


def test_nothing_finished_is_a_summary_too():
    summary = summarise([], {"irony": "not begun"})
    assert (summary.tasks, summary.missing, summary.official) == ((), {"irony": "not begun"}, ())
