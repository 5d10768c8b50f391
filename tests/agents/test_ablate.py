"""Tables of interactive tasks on the toy world: every arm, resumed and stopped at any point."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from toy_world import GOLD, Maker, ToyWorld

from kshot.agents import Episode, SimulatedActor
from kshot.agents.ablate import (
    NAMES,
    QUESTIONS,
    Arm,
    Cell,
    Course,
    EpisodeKey,
    EpisodeStore,
    Ground,
    Player,
    PlaySettings,
    Pools,
    PoolSettings,
    claims,
    compared,
    conditions_named,
    estimated,
    headline,
    kept_ground,
    mean_interval,
    mean_score,
    planned,
    scienceworld_course,
    surveyed,
    variants_of,
    variation_scores,
)
from kshot.agents.scienceworld import learning_order
from kshot.errors import BudgetError, DataError, InputError, ModelError, RunError
from kshot.methods.panda.controls import shuffled
from kshot.models.base import Reply
from kshot.models.embed import HashingEncoder


class Countable:
    """The simulated actor, which counts what it is asked and stops at a limit."""

    def __init__(self, limit: int | None = None) -> None:
        self.actor, self.asked, self.limit = SimulatedActor(), 0, limit

    @property
    def id(self) -> str:
        return self.actor.id

    def generate(self, conversations: Sequence[object], **decoding: object) -> list[Reply]:
        if self.limit is not None and self.asked + len(conversations) > self.limit:
            raise BudgetError(f"{self.asked} of {self.limit} calls")
        self.asked += len(conversations)
        return self.actor.generate(conversations, **decoding)  # type: ignore[arg-type]


def course(name: str = "toy") -> Course:
    return Course(name, Maker(), list, list, lambda variation: f"99-{variation}")


def ground(name: str = "toy", **given: object) -> Ground:
    found = surveyed(course(name), learn_from=2, episodes=2, **given)  # type: ignore[arg-type]
    return replace(found, task=name)


def player(tmp_path: Path, model: Countable, store: EpisodeStore, *names: str) -> Player:
    grounds = {name: ground(name) for name in names or ("toy",)}
    pools = Pools(grounds, model, HashingEncoder(), PoolSettings(folder=tmp_path / "pools"))
    settings = PlaySettings(examples=tmp_path / "examples", rounds=2, processes=2)
    return Player({name: course(name) for name in grounds}, grounds, model, pools, store, settings)


def prompts_of(pools: Pools, arm: Arm, key: str = "[observation]: Room 0: the kitchen.") -> list[str]:
    found = pools.shown("toy", arm)
    assert not isinstance(found, str)
    assert found.lookup is not None
    return [one.insight.explanation for one in found.lookup(key).chosen]


def test_a_survey_holds_lessons_of_train_and_gold_paths_of_test_variations() -> None:
    found = ground()
    assert found.variations == (6, 7)
    assert {one.preference.source.split(" ")[0] for one in found.lessons} == {"99-0", "99-1"}
    assert [one.scores[-1] for one in found.gold] == [100, 100]
    assert [one.ended for one in found.gold] == ["solved", "solved"]
    assert len(found.solved) == 3
    assert found.move_limit == 10


def test_a_survey_is_made_once_and_read_back_equal(tmp_path: Path) -> None:
    path, made = tmp_path / "deep" / "survey.json", []

    def survey() -> Ground:
        made.append(1)
        return ground()

    first, second = kept_ground(path, survey), kept_ground(path, survey)
    assert len(made) == 1
    assert (second.lessons, second.gold, second.variations) == (first.lessons, first.gold, first.variations)
    assert [one.turns for one in second.solved] == [one.turns for one in first.solved]
    path.write_text('{"format": "other"}', encoding="utf-8")
    with pytest.raises(DataError, match=r"survey\.json.*kshot-agent-survey"):
        kept_ground(path, survey)


def test_another_experts_paths_are_learnt_from_and_never_those_that_are_judged() -> None:
    found = ground(paths={1: ("go to kitchen", "wait")})
    assert [one.preference.top.answer for one in found.lessons] == ["go to kitchen", "wait"]
    assert {one.preference.expert.kind for one in found.lessons} == {"agent"}
    with pytest.raises(InputError, match="variation 6 is of no train variation"):
        ground(paths={6: GOLD})


def test_what_has_no_gold_path_is_left_out_with_the_reason() -> None:
    found = surveyed(course(), learn_from=4, episodes=1)
    assert ("99-3", "it has no gold path") in found.left_out
    barren = replace(course(), learning=lambda train: [3])
    with pytest.raises(InputError, match="nothing to learn from"):
        surveyed(barren, learn_from=4, episodes=1)


def test_scienceworld_is_learnt_in_the_order_of_the_release_however_few() -> None:
    found = scienceworld_course(6)
    assert list(found.learning(range(150)))[:3] == [120, 46, 77]
    assert tuple(found.learning(range(150))) == learning_order(6, range(150))
    assert len(found.evaluation(range(75))) == 75


def test_arms_that_are_the_same_have_one_name() -> None:
    assert Arm(k=0, heuristic="far").condition == Arm(source="none").condition == "no insights"
    assert Arm(answers=1).condition == Arm().condition
    assert Arm(render="preference", answers=1).condition != Arm(render="preference").condition
    names = [
        variant.arm.condition + variant.arm.policy
        for question in QUESTIONS
        for variant in variants_of(question, Arm(), task="a", tasks=["a", "b"])
    ]
    assert len(set(names)) == 23  # some stand in several questions


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_variant_is_set_against_one_of_its_table(question: str) -> None:
    found = variants_of(question, Arm(), task="a", tasks=["a", "b", "c"])
    names = [one.name for one in found]
    assert len(set(names)) == len(names)
    assert found[0].against is None
    assert {one.against for one in found} - {None} <= set(names)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match="none of render"):
        variants_of("dedup", Arm(), task="a")
    with pytest.raises(InputError, match="--condition: 'guide'"):
        conditions_named(["guide"])


def test_each_control_shows_what_its_name_says(tmp_path: Path) -> None:
    model = Countable()
    grounds = {"toy": ground()}
    pools = Pools(grounds, model, HashingEncoder(), PoolSettings(folder=tmp_path))
    base = pools.pool("toy")
    learnt = model.asked
    assert learnt == len(base) == len(grounds["toy"].lessons)
    real, other = prompts_of(pools, Arm()), prompts_of(pools, Arm(source="shuffled"))
    far = prompts_of(pools, Arm(source="irrelevant"))
    assert real == ['The expert takes "look around" because it is the step of the plan that comes next here.']
    assert other != real
    assert {one.insight for one in shuffled(base.insights)} == {one.insight for one in base}
    assert far != real
    assert model.asked == learnt  # these three cost nothing
    wrong = prompts_of(pools, Arm(source="corrupted"))
    assert wrong != real
    assert model.asked == 2 * learnt
    assert pools.shown("toy", Arm(size=99)) == f"the pool has {len(base)} insights"
    with pytest.raises(InputError, match="no task of the list"):
        pools.shown("toy", Arm(source="task", other="b"))


def test_a_weaker_expert_pays_for_what_is_swapped_alone(tmp_path: Path) -> None:
    model = Countable()
    pools = Pools({"toy": ground()}, model, HashingEncoder(), PoolSettings(folder=tmp_path))
    whole = len(pools.pool("toy"))
    needed = pools.to_learn([("toy", Arm(swapped=0.2)), ("toy", Arm(k=3))])
    before = model.asked
    pools.shown("toy", Arm(swapped=0.2))
    assert model.asked - before == sum(needed.values()) == int(0.2 * whole + 0.5)
    assert pools.to_learn([("toy", Arm(swapped=0.2))]) == {}


def test_fewer_answers_are_shown_and_equal_records_do_no_harm(tmp_path: Path) -> None:
    pools = Pools({"toy": ground()}, Countable(), HashingEncoder(), PoolSettings(folder=tmp_path))
    for answers in (1, 2):
        found = pools.shown("toy", Arm(render="preference", answers=answers, k=3))
        assert not isinstance(found, str)
        assert found.lookup is not None
        for one in found.lookup("[observation]: Room 0: the hall.").chosen:
            assert one.insight.preference is not None
            assert len(one.insight.preference.candidates) == answers


def test_the_irrelevant_pool_is_the_next_tasks_where_there_is_one(tmp_path: Path) -> None:
    grounds = {"toy": ground(), "b": replace(ground("b"), lessons=ground().lessons[:2])}
    pools = Pools(grounds, Countable(), HashingEncoder(), PoolSettings(folder=tmp_path))
    found = pools.shown("toy", Arm(source="irrelevant"))
    assert not isinstance(found, str)
    assert found.size == 2


def test_equal_arms_are_played_once_and_a_rerun_plays_nothing(tmp_path: Path) -> None:
    model = Countable()
    with EpisodeStore(tmp_path / "episodes.jsonl") as store:
        playing = player(tmp_path, model, store)
        first = playing.cell("toy", Arm())
        asked = model.asked
        assert playing.cell("toy", Arm(answers=1)) is first
        assert (len(first.episodes), first.missing, model.asked) == (4, 0, asked)
        assert [(one.round, one.variation) for one in first.episodes] == [(0, 6), (0, 7), (1, 6), (1, 7)]
    again = Countable(limit=0)
    with EpisodeStore(tmp_path / "episodes.jsonl") as store:
        second = player(tmp_path, again, store).cell("toy", Arm())
    assert second.episodes == first.episodes
    assert again.asked == 0


def test_a_spent_budget_keeps_what_there_is_and_the_next_run_goes_on(tmp_path: Path) -> None:
    with EpisodeStore(tmp_path / "episodes.jsonl") as store:
        playing = player(tmp_path, Countable(limit=30), store)
        cells = [playing.cell("toy", arm) for arm in (Arm(k=0), Arm(), Arm(source="corrupted"))]
    assert playing.stopped
    assert sum(cell.missing for cell in cells) > 0
    assert all(cell.stopped for cell in cells if cell.missing)
    model = Countable()
    with EpisodeStore(tmp_path / "episodes.jsonl") as store:
        kept = len(store)
        playing = player(tmp_path, model, store)
        whole = [playing.cell("toy", arm) for arm in (Arm(k=0), Arm(), Arm(source="corrupted"))]
        assert len(store) == 12
    assert kept == sum(len(cell.episodes) for cell in cells)
    assert [cell.missing for cell in whole] == [0, 0, 0]


def test_episodes_of_another_setup_are_not_used(tmp_path: Path) -> None:
    with EpisodeStore(tmp_path / "episodes.jsonl") as store:
        player(tmp_path, Countable(), store).cell("toy", Arm())
        playing = player(tmp_path, Countable(), store)
        playing._pools._settings = replace(playing._pools._settings, ask="strategy")
        playing.cell("toy", Arm())
        assert len(store) == 8


def test_thoughts_that_could_not_be_asked_for_are_no_example(tmp_path: Path) -> None:
    class Broken(Countable):
        def generate(self, conversations: Sequence[object], **decoding: object) -> list[Reply]:
            return [Reply("", finish_reason="error", error="gone") for _ in conversations]

    with (
        EpisodeStore(tmp_path / "episodes.jsonl") as store,
        pytest.raises(ModelError, match=r"no thoughts.*gone"),
    ):
        player(tmp_path, Broken(), store).cell("toy", Arm(k=0))
    assert not list((tmp_path / "examples").glob("*"))


def test_a_line_that_was_cut_off_is_played_again_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    keys = [EpisodeKey("toy", number, 0, "no insights", "react", "m", "s") for number in range(3)]
    with EpisodeStore(path) as store:
        for key in keys:
            store.keep(key, Episode("toy", key.variation, "react", scores=(0, 50)))
        store.keep(keys[0], Episode("toy", 0, "react", scores=(0, 99)))  # the first stays
        with pytest.raises(RunError, match="another process"):
            EpisodeStore(path)
    path.write_bytes(path.read_bytes()[:-20])
    with EpisodeStore(path) as store:
        assert len(store) == 2
        assert store.get(keys[0]) == Episode("toy", 0, "react", scores=(0, 50))
        store.keep(keys[2], Episode("toy", 2, "react", ended="environment"))  # failed: not kept
        assert store.get(keys[2]) is None
        store.keep(keys[2], Episode("toy", 2, "react"))
    with EpisodeStore(path) as store:
        assert len(store) == 3
    path.write_bytes(b'{"key": 1}\n' + path.read_bytes())
    with pytest.raises(DataError, match="line 1"):
        EpisodeStore(path)


def test_tasks_weigh_the_same_however_many_variations_they_have() -> None:
    ours = {"a": dict.fromkeys(range(10), 60.0), "b": {0: 10.0, 1: 20.0}}
    theirs = {"a": dict.fromkeys(range(10), 40.0), "b": {0: 10.0, 1: 30.0}, "c": {0: 1.0}}
    found = compared(ours, theirs)
    assert found is not None
    assert found.difference == pytest.approx((20 - 5) / 2)
    assert (found.n, found.tasks) == (12, 2)
    assert mean_score(ours) == pytest.approx((60 + 15) / 2)
    low, high = mean_interval(ours) or (0, 0)
    assert 0 <= low < 37.5 < high <= 100


def test_points_are_points_even_where_all_scores_are_0_or_1() -> None:
    found = compared({"a": dict.fromkeys(range(6), 1.0)}, {"a": dict.fromkeys(range(6), 0.0)})
    assert found is not None
    assert found.difference == pytest.approx(1.0)
    assert found.verdict != "better"  # one point of a hundred on six variations, all alike
    solved = compared({"a": dict.fromkeys(range(8), 100.0)}, {"a": dict.fromkeys(range(8), 0.0)})
    assert solved is not None
    assert (solved.difference, solved.verdict) == (100.0, "better")


def test_one_variation_cannot_be_compared() -> None:
    assert compared({"a": {0: 1.0}}, {"a": {0: 2.0, 1: 3.0}}) is None
    assert mean_interval({"a": {0: 1.0}}) is None


def test_the_verdict_follows_the_comparisons() -> None:
    high, low = {"t": {n: 80.0 + n for n in range(8)}}, {"t": {n: 10.0 + n % 3 for n in range(8)}}
    used = claims({"real": high, "shuffled": low, "both": high, "preference": high, "empty": low})
    assert headline(used).startswith("The insights are used; that they add to the expert's bare")
    assert used[0].sentence.startswith("insights against shuffled insights: higher (+")
    none = claims({"real": low, "shuffled": low})
    assert "No effect" in headline(none)
    assert "could have shown" in none[0].sentence
    five = {"t": {n: 80.0 + n for n in range(5)}}  # so few can show nothing, whatever their interval
    few = claims({"real": five, "shuffled": low})
    assert few[0].compared.interval[0] > 0
    assert not few[0].shown
    assert headline(few).endswith("(so few variations can show none).")
    worse = claims({"real": low, "shuffled": high, "empty": high, "corrupted": low})
    assert headline(worse) == (
        "The insights score below shuffled ones; the model follows wrong insights below its own score."
    )


def test_failed_episodes_are_in_no_score() -> None:
    failed = Episode("t", 1, "react", ended="model")
    assert variation_scores([failed, Episode("t", 0, "react", scores=(0, -100))]) == {0: 0.0}
    assert Cell("t", Arm(), (failed,), 3).missing == 2
    assert Cell("t", Arm(), wanted=3, skipped="why").missing == 0


def test_a_plan_plays_conditions_of_all_tasks_before_the_questions() -> None:
    plan = planned(["a", "b"], policy="saycan", conditions=NAMES, questions=["render", "k"])
    cells = plan.cells()
    assert len(set(cells)) == len(cells)
    assert [task for task, _ in cells[:4]] == ["a", "b", "a", "b"]
    assert {arm.policy for _, arm in cells} == {"saycan"}
    left = dict.fromkeys(cells, 2)
    found = estimated(plan, left, limits={"a": 100, "b": 100}, lessons=7)
    assert found.episodes == 2 * len(cells)
    assert found.act_requests == found.episodes * 200 * 5
    assert found.learn_requests == 14
    assert json.loads(json.dumps(found.to_json()))["episodes"] == found.episodes


def test_the_toy_world_is_closed_after_a_survey() -> None:
    worlds: list[ToyWorld] = []

    def maker() -> ToyWorld:
        worlds.append(ToyWorld())
        return worlds[-1]

    surveyed(replace(course(), maker=maker), learn_from=1, episodes=1)
    assert [world.closed for world in worlds] == [True]
