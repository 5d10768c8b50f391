"""Every row of the report on the same items; none of them is learned from; what is missing is said."""

from dataclasses import replace

import pytest

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import InputError
from kshot.measure.metrics import evaluate
from kshot.measure.statistics import compare_predictions, holm
from kshot.methods.panda.learn import Lesson, learn
from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.prompts import open_prompts
from kshot.methods.panda.records import Candidate, ExpertFacts, Insight, Preference
from kshot.methods.panda.retrieve import Retrieval
from kshot.methods.panda.seams import Setting
from kshot.models.embed import HashingEncoder
from kshot.models.fake import ScriptedModel
from kshot.models.fake.simulated import SimulatedReader
from kshot.pipeline.panda.conditions import CONDITIONS, NAMES, REFERENCE, Extras, reader_for
from kshot.pipeline.panda.evidence import gather_evidence, row_metric
from kshot.pipeline.panda.evidence_report import Told, panda_report
from kshot.pipeline.panda.parts import Parts, lessons_of_pool, parts_for


@pytest.fixture(scope="module")
def whole(world):
    parts = world.parts(world.simulated(), metric="macro_f1")
    return parts, gather_evidence(world.judged, parts, extras=Extras(guide="Look at the words."))


def test_every_row_is_there_in_order(whole):
    _, evidence = whole
    assert [one.name for one in evidence.outcomes] == list(NAMES)
    assert evidence.skipped == ()
    assert {len(one.answers) for one in evidence.outcomes} == {len(evidence.items)}
    assert evidence.verdict.missing == ()


def test_values_and_comparisons_are_those_of_the_answers(whole):
    parts, evidence = whole
    reference = evidence.outcome(REFERENCE)
    others = [one for one in evidence.outcomes if one.name != REFERENCE]
    seen = [
        compare_predictions(
            "macro_f1", one.answers, reference.answers, evidence.gold, labels=parts.template.labels
        )
        for one in others
    ]
    for one, comparison, p in zip(others, seen, holm([c.p for c in seen]), strict=True):
        assert one.value == evaluate("macro_f1", one.answers, evidence.gold, labels=parts.template.labels)
        assert (one.raw_p, one.comparison.p) == (comparison.p, p)
        assert one.comparison.difference == comparison.difference
    assert reference.comparison is None


def test_gold_examples_are_better_than_the_experts(whole):
    _, evidence = whole
    gold, expert = (evidence.outcome(f"nearest examples, {who} labels") for who in ("gold", "expert's"))
    assert gold.value > expert.value > evidence.outcome("random examples").value
    assert evidence.outcome("majority").value == pytest.approx(0.1)


def test_the_cascade_asks_exactly_on_disagreement(world, whole):
    parts, evidence = whole
    table = {row.name: row for row in evidence.cascade.table}
    assert table["never ask"].share_asked == 0
    assert 0 <= table["cascade"].share_asked < 0.2  # the simulated model is sure wherever it has an insight
    unsure = gather_evidence(
        world.judged[:40], replace(parts, retrieval=Retrieval(k=0)), names=("cascade", "insights")
    )
    assert {row.name: row for row in unsure.cascade.table}["cascade"].share_asked > 0.5


def test_costs_are_counted(whole):
    _, evidence = whole
    tokens = {one.name: one.prompt_tokens for one in evidence.outcomes}
    assert tokens["insights"] > tokens[REFERENCE] > 0
    assert tokens["cascade"] == 3 * tokens["insights"]
    assert tokens["majority"] == tokens["the expert itself"] == 0


def test_the_controls_differ_only_in_what_insights_say(world):
    parts, _ = parts_for(world.parts(world.simulated()), world.judged)
    row = world.judged[0]
    real = reader_for("insights", parts, Extras()).retrieve(row).chosen
    for name in ("shuffled insights", "neutral filler"):
        changed = reader_for(name, parts, Extras()).retrieve(row).chosen
        assert [one.insight.key for one in changed] == [one.insight.key for one in real]
        assert [one.insight.preference for one in changed] == [one.insight.preference for one in real]
        assert all(a.insight.explanation != b.insight.explanation for a, b in zip(changed, real, strict=True))
    reverse = reader_for("corrupted insights", parts, Extras()).retrieve(row).chosen
    assert [one.insight.key for one in reverse] == [one.insight.key for one in real]
    assert all(a.insight.answer != b.insight.answer for a, b in zip(reverse, real, strict=True))


def test_empty_is_byte_for_byte_the_plain_prompt(world):
    model = ScriptedModel(lambda conversation: "harbour")
    parts = world.parts(world.simulated())
    gather_evidence(world.judged[:3], replace(parts, model=model), names=(REFERENCE,))
    plain = [world.prompts.query(Example(row.prompt, ""), setting=Setting()) for row in world.judged[:3]]
    assert model.conversations == plain


def test_nothing_of_the_judged_rows_is_learned_from(world):
    judged = (*world.judged[:10], replace(world.learned[3], prompt=world.learned[3].prompt.upper()))
    parts = world.parts(world.simulated(), held_out=world.learned[:5])
    clean, notes = parts_for(parts, judged)
    texts = {world.learned[3].prompt}
    assert not texts & {one.key for one in clean.pool}
    assert not texts & {one.row.prompt for one in clean.lessons}
    assert not texts & {row.prompt for row in (*clean.labelled, *clean.held_out)}
    assert len(clean.pool) == len(parts.pool) - 1
    assert notes == (f"1 of {len(parts.pool)} insights were left out: a test row has their text.",)
    assert gather_evidence(judged, parts, names=()).notes == notes


def test_lessons_are_rebuilt_from_a_pool(world):
    parts = world.parts(world.simulated())
    rebuilt = lessons_of_pool(parts.pool)
    assert [(one.row.prompt, one.preference, one.position) for one in rebuilt] == [
        (one.row.prompt, one.preference, one.position) for one in parts.lessons
    ]


def test_what_cannot_be_judged_is_said(world):
    parts = world.parts(world.simulated())
    bare = replace(
        parts, pool=InsightPool([], parts.pool.header), expert=None, labelled=(), lessons=parts.lessons[:1]
    )
    evidence = gather_evidence(world.judged[:10], bare)
    reasons = dict(evidence.skipped)
    assert reasons["insights"] == "the pool is empty"
    assert reasons["random examples"] == "there are no labelled rows"
    assert reasons["the expert itself"].startswith("the labels are the expert")
    assert [one.name for one in evidence.outcomes] == [REFERENCE]
    assert evidence.verdict.used is None
    one = replace(parts, pool=InsightPool(parts.pool.insights[:1], parts.pool.header))
    reasons = dict(gather_evidence(world.judged[:10], one, names=("shuffled insights", "guide")).skipped)
    assert "found one insight" in reasons["shuffled insights"]
    assert reasons["guide"] == "there is no guide"


def test_another_tasks_pool_may_be_the_irrelevant_one(world):
    parts = world.parts(world.simulated())
    other = InsightPool(
        [replace(parts.pool[0], key="somewhere else", insight="It is far.")], parts.pool.header
    )
    reader = reader_for("irrelevant insights", parts, Extras(irrelevant=other))
    assert [one.insight.key for one in reader.retrieve(world.judged[0]).chosen] == ["somewhere else"]


def test_wrong_input_is_refused(world):
    parts = world.parts(world.simulated())
    with pytest.raises(InputError, match="1 rows to be judged"):
        gather_evidence(world.judged[:1], parts)
    with pytest.raises(InputError, match="2 rows have no answer"):
        gather_evidence([Example("a", ""), Example("b", "")], parts)
    with pytest.raises(InputError, match="'insight' is none of"):
        gather_evidence(world.judged, parts, names=("insight",))
    with pytest.raises(InputError, match="gave 1 answers for 5 rows"):
        gather_evidence(
            world.judged[:5], replace(parts, expert=lambda rows: ["harbour"]), names=("the expert itself",)
        )


def test_progress_is_told(world):
    told = []
    parts = world.parts(world.simulated(), progress=lambda *step: told.append(step))
    gather_evidence(world.judged[:5], parts, names=("corrupted insights",))
    assert (REFERENCE, 5, 5) in told
    assert ("corrupted insights: learning", len(parts.lessons), len(parts.lessons)) in told


def test_names_are_unique_and_tested_ones_are_known():
    assert len(set(NAMES)) == len(CONDITIONS)
    assert row_metric("tweeteval:irony") == "accuracy"
    assert row_metric("exact_match") == "exact_match"


def test_few_shot_settings_show_the_same_shots_everywhere(world):
    model = ScriptedModel(lambda conversation: "harbour")
    parts = world.parts(world.simulated(), setting=Setting(shots=2, render="insight"))
    gather_evidence(world.judged[:2], replace(parts, model=model), names=("insights",))
    shots = [f"Text: {row.prompt}\nAnswer: {row.answer}" for row in world.learned[:2]]
    assert len(model.conversations) == 4
    assert all(shot in turns[-1].content for turns in model.conversations for shot in shots)
    assert not any(world.learned[2].prompt + "\nAnswer" in turns[-1].content for turns in model.conversations)


def test_a_model_that_believes_all_returns_to_zero_shot_with_another_tasks_insights(world):
    model = SimulatedReader(world.template.labels, truth=world.truth, right_share=0.3)
    parts = world.parts(model)
    other = InsightPool([replace(one, insight="It is elsewhere.") for one in parts.pool], parts.pool.header)
    evidence = gather_evidence(
        world.judged, parts, names=("irrelevant insights", "insights"), extras=Extras(irrelevant=other)
    )
    answers = {one.name: one.answers for one in evidence.outcomes}
    assert answers["irrelevant insights"] == answers[REFERENCE] != answers["insights"]


def test_open_answers_and_bare_prompts(world):
    template = Template(instruction="Translate.")
    rows = [Example(f"zank mivo{at}", f"lamp river{at}") for at in range(20)]
    prompts = open_prompts(template, style="bare")
    model = ScriptedModel(lambda turns: turns[-1].content.split("\n")[0].replace("zank", "lamp"))
    ranked = [
        Preference(
            row.prompt, (Candidate(row.answer), Candidate("iron star")), ExpertFacts("gold"), row.answer
        )
        for row in rows[:12]
    ]
    lessons = tuple(Lesson(row, one, at) for at, (row, one) in enumerate(zip(rows, ranked, strict=False)))
    found = [one for one in learn(model, lessons, prompts=prompts) if isinstance(one, Insight)]
    parts = Parts(
        template=template, metric="exact_match", model=model, prompts=prompts, embedder=HashingEncoder(64),
        pool=InsightPool(found, PoolHeader("trade")), lessons=lessons, labelled=tuple(rows[:12]),
    )  # fmt: skip
    evidence = gather_evidence(rows[12:], parts)
    assert set(dict(evidence.skipped)) == {"majority", "guide", "cascade", "the expert itself"}
    assert len(evidence.outcomes) == len(NAMES) - 4
    report = panda_report(evidence, parts, Told(task="trade", miniature=True))
    assert "miniature" in report.title
    assert all(row.more is None for row in report.systems)


def test_verdicts_take_the_margin_that_is_given(world, whole):
    parts, _ = whole
    for margin in (0.02, 0.9):
        found = gather_evidence(world.judged[:20], replace(parts, margin=margin), names=("majority",))
        assert found.outcome("majority").comparison.margin == margin
