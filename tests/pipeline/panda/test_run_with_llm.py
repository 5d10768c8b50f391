"""``kshot run`` with an LLM behind an endpoint: its baselines, PANDA with controls, what it cost."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.methods.panda.pool import InsightPool
from kshot.models.fake import FakeServer
from kshot.pipeline.panda.table import DISHES
from kshot.pipeline.plan import leaving
from kshot.pipeline.run import Finished, run_task
from kshot.runs import silent

LABELS = ("calm", "angry")
SYSTEMS = (
    "majority",
    *(f"LLM: {name}" for name in ("zero-shot", "shots in the prompt", "nearest shots in the prompt")),
    *(dish.name for dish in DISHES),
)
WORDS = {"calm": ("meadow", "breeze", "tea"), "angry": ("storm", "fist", "shout")}


def reads_the_nearest_note(request: Mapping[str, Any]) -> str:
    """Explains by naming the preferred label; answers what the first note or neighbour says, else calm."""
    text = request["messages"][-1]["content"]
    if "Preferred answer: " in text:
        preferred = text.partition("Preferred answer: ")[2].split()[0]
        return f"{preferred} is what row {text.partition('Text: ')[2].split()[2]} says."
    first = text.partition("\n\nHere is the case")[0].partition("Case: ")[2].partition("\n\n")[0]
    told = [label for label in LABELS if label in first]
    return told[0] if told else "calm"


def rows(count: int, start: int = 0) -> list[Example]:
    found = []
    for i in range(start, start + count):
        label = LABELS[i % 2]
        found.append(Example(f"{WORDS[label][i % 3]} number {i} {WORDS[label][(i + 1) % 3]}", label))
    return found


def task_at(base_url: str, **budget: Any) -> Task:
    settings = {
        "task": {"name": "moods", "type": "classification", "labels": list(LABELS)},
        "knowledge": {"llm": {"base_url": base_url, "model": "fake", "prompt_usd": 1, "completion_usd": 2}},
        "budget": budget,
        "panda": {"k": 2},
        "systems": list(SYSTEMS),
    }
    return Task.from_examples(settings, rows(8), rows(12, start=100))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, int]:
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch, FakeServer(reads_the_nearest_note) as server:
        patch.setenv("KSHOT_JOURNAL", str(folder / "calls.sqlite"))
        finished = run_task(task_at(server.base_url), folder / "run", listener=silent)
        paid = sum(server.paid.values())
        again = run_task(task_at(server.base_url), folder / "again", listener=silent)
        assert sum(server.paid.values()) == paid, "a rerun pays nothing"
        assert [s.value for s in again.report.systems] == [s.value for s in finished.report.systems]
    return finished, paid


def test_every_system_is_built_and_the_reference_is_the_llm_alone(ran: tuple[Finished, int]) -> None:
    report = ran[0].report
    assert {system.name for system in report.systems} == set(SYSTEMS)
    assert report.against == "against LLM: zero-shot"
    assert {system.kind for system in report.systems if system.name.startswith("panda")} == {"panda"}


def test_learning_is_on_the_bill_of_each_system(ran: tuple[Finished, int]) -> None:
    costs = {system.name: (system.calls, system.usd) for system in ran[0].report.systems}
    assert costs["LLM: zero-shot"][0] == 12
    assert costs["panda: insights"][0] == 12 + 8
    assert costs["panda: preferences"][0] == 12
    assert costs["panda: insights"][1] > costs["LLM: zero-shot"][1] > 0
    assert costs["majority"] == (0, 0.0)


def test_the_report_says_what_was_spent_and_what_the_controls_say(ran: tuple[Finished, int]) -> None:
    finished, paid = ran
    topics = {finding.topic for finding in finished.report.findings}
    assert {"insights", "cost"} <= topics
    usage = json.loads((finished.folder / "manifest.json").read_text())["llm_usage"]
    assert sum(step["calls"] for step in usage) == paid
    said = [finding.sentence for finding in finished.report.findings if finding.topic == "cost"]
    assert any(sentence.startswith("learn: 16 requests paid") for sentence in said)  # 8, and 8 reversed


def test_rows_leave_and_the_report_says_so(ran: tuple[Finished, int]) -> None:
    (told,) = leaving(task_at("http://127.0.0.1:9/v1").settings)
    assert "test rows" in told
    assert "http://127.0.0.1:9/v1" in told
    assert any("asked of fake at" in what for what in ran[0].report.leaves)


def test_the_specialist_is_a_pool(tmp_path: Path) -> None:
    with FakeServer(reads_the_nearest_note) as server:
        task = task_at(server.base_url).with_systems(("majority", "LLM: zero-shot", "panda: insights"))
        finished = run_task(task, tmp_path / "run", listener=silent)
    assert finished.report.recommended == "panda: insights", finished.report.because
    assert finished.specialist is not None
    assert len(InsightPool.load(finished.specialist)) == 8
    assert "kshot serve" in (finished.specialist / "README.md").read_text()


def test_a_spent_budget_leaves_the_finished_systems(tmp_path: Path) -> None:
    with FakeServer(reads_the_nearest_note) as server:
        finished = run_task(task_at(server.base_url, calls=14), tmp_path / "run", listener=silent)
        assert sum(server.paid.values()) <= 14
    names = {system.name for system in finished.report.systems}
    assert {"majority", "LLM: zero-shot"} <= names
    assert "panda: insights" not in names
    assert any("budget" in refused.reason for refused in finished.report.refused)
