"""One report of an exploration with every part in it."""

import pytest

from kshot.measure.coverage import coverage_of, plain_parser, side_by_side, yield_curve
from kshot.report.explore import (
    ContaminationFacts,
    ExploreFacts,
    FoundRow,
    MapPoint,
    RuleFacts,
    ShownRefusal,
    ShownRow,
    TaskFacts,
)
from kshot.report.panda.facts import UsageRow

OURS = ["Write a poem about rain.", "Name a town in Spain.", "List three long rivers.", "Draw a map."]
THEIRS = ["Write a poem about snow.", "Write a poem about hail.", "Write a poem about fog."]


@pytest.fixture
def facts():
    tasks = (
        TaskFacts(id="r", name="rewriting", origin="root", names_asked=12, names_delivered=10, names_kept=2,
                  name_calls=2, refused_names={"overlap": 8}, closed="dried up"),
        TaskFacts(id="a", name="paraphrase", parent="r", depth=1, reason="Other words.", rows=60,
                  attached=10, rows_asked=100, rows_delivered=80, row_calls=10, origin="look_ahead",
                  refused_rows={"overlap": 25, "repeat": 5}, full="count reached"),
        TaskFacts(id="aa", name="in verse", parent="a", depth=2, rows=1, rows_asked=10, rows_delivered=4,
                  row_calls=1, refused_rows={"too short": 3}),
        TaskFacts(id="b", name="改写", parent="r", depth=1, origin="person"),
    )  # fmt: skip
    return ExploreFacts(
        domain="rewriting", description="Texts change, meaning stays.", model="m", tasks=tasks, row_count=61,
        simulated=True,
        rows=(ShownRow(task="a", instruction="Say it anew.", input="It rains.", output="Rain falls."),
              ShownRow(task="aa", instruction="In verse.", output="O rain!", attached=True)),
        grow_calls=2, fill_calls=11, budget_calls=20, share=0.2, tokens=12_345, usd=0.25, seconds=90.0,
        stopped="the budget of calls is used up",
        refusals=(RuleFacts(kind="name", rule="overlap", count=8, examples=(
                      ShownRefusal(text="paraphrasing", task="rewriting", near="paraphrase", score=0.8),)),
                  RuleFacts(kind="row", rule="repeat", count=5, examples=(ShownRefusal(text="Say it."),))),
        datasets=side_by_side({"this exploration": OURS, "Self-Instruct": THEIRS}, parser=plain_parser(),
                              seeds=["Write a poem."]),
        evenness=coverage_of(task.rows for task in tasks),
        yields=yield_curve([[True, False], [True, True], [False]]),
        map=(MapPoint(x=0.5, y=-1.25, group="paraphrase", text="Say it anew."),
             MapPoint(x=0.1, y=2.0, group="改写", text="改写")),
        map_of="two main axes of hashed words",
        contamination=ContaminationFacts(
            checked=61, against="94 test rows", counts={"equal": 1, "ROUGE-L": 2},
            found=(FoundRow(text="Say it anew.", other="say it anew", how="equal"),)),
        usage=(UsageRow(step="grow", calls=2, prompt_tokens=900, usd=0.05),
               UsageRow(step="fill", calls=11, cached=1, failed=1, completion_tokens=5000, usd=0.2)),
        facts=(("LLM", "m"), ("breadth", "adaptive")), notes=("One note.",),
        commands=(("Export the rows", "kshot explore export runs/x --form alpaca"),),
        leaves=("Prompts went to http://127.0.0.1:1/v1.",), provenance={"kshot": "0.1.0"},
    )  # fmt: skip
