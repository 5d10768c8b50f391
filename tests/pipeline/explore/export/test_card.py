"""The data card: front matter that the hub reads, and the facts."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kshot.methods.explore.records import Item, Row
from kshot.methods.explore.spending import Spent
from kshot.methods.explore.tree import DomainTree
from kshot.pipeline.explore.export import FORMS, Card, export_rows


def written(tmp_path: Path, card: Card, *, form: str = "jsonl", name: str = "sums") -> str:
    tree = DomainTree.planted(name, "About <numbers>.")
    child = tree.add(tree.root.id, "<script>x</script> | a_b")
    tree.add(child.id, "empty")
    rows = [Row(str(n), child.id, Item(f"{n}?", "", "x")) for n in range(3)]
    rows.append(Row("own", tree.root.id, Item("mine?", "", "x"), origin="attached"))
    export_rows(tmp_path, tree, rows, form=form, card=card)
    return (tmp_path / "README.md").read_text(encoding="utf-8")


def front(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


FULL = Card(
    model="big/model",
    licence="Llama 3 terms: see page",
    attached_licence="MIT",
    refusals={"overlap": 1200, "too_short": 3},
    spent=Spent(1234, 500, 70),
    usd=1.5,
    contamination={"test: same prompt": 2},
    seed=7,
    language="zh",
    simulated=True,
)


def test_the_hub_reads_the_front_matter(tmp_path: Path) -> None:
    found = front(written(tmp_path, FULL, name='改写: "x" # y'))
    assert found == {
        "pretty_name": '改写: "x" # y',
        "language": ["zh"],
        "license": "other",
        "license_name": "Llama 3 terms: see page",
        "size_categories": ["n<1K"],
        "task_categories": ["text-generation"],
        "tags": ["synthetic", "instruction-tuning", "explore-instruct", "kshot", "simulated"],
        "configs": [{"config_name": "default", "data_files": "rows.jsonl"}],
    }
    assert front(written(tmp_path, Card(model="m", licence="Apache-2.0")))["license"] == "apache-2.0"
    bare = front(written(tmp_path, Card(model="m")))
    assert "license" not in bare
    assert "simulated" not in bare["tags"]


def test_all_facts_are_told(tmp_path: Path) -> None:
    text = written(tmp_path, FULL)
    for fact in (
        "4 rows under 3 tasks",
        "Simulated: a script answered in place of a language model. Not for training.",
        "3 rows are synthetic:** instruction, input and output were written by the script big/model",
        "1 row is attached:** the user had them before (licence: MIT)",
        "- sums (1)\n  - \\<script\\>x\\</script\\> \\| a\\_b (3)\n    - empty (0)",
        "| overlap | 1,200 |",
        "1,234 calls, 500 tokens of prompts, 70 tokens of replies; money: 1.50 USD",
        "| test: same prompt | 2 |",
        "These rows are not in this export",
        "ROUGE-L F at most 0.7",
        "(seed 7)",
    ):
        assert fact in text
    assert "<script>" not in text
    assert "{" not in text.replace("{datasets:", "").replace('{"prompt"', "")


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    text = written(tmp_path, Card(model="m"))
    assert "licence of the synthetic rows is not known" in text
    assert "money: not known" in text
    assert "Not looked for: no shots or test rows were given" in text
    assert "## Refused\n\nNone." in text
    assert "Simulated" not in text
    assert "None: no row came near" in written(tmp_path, Card(model="m", contamination={}))
    assert "instruction of its task" in written(tmp_path, Card(model="m", scope="per_node"))


@pytest.mark.parametrize("form", FORMS)
def test_the_code_of_the_card_is_python_and_names_the_file(tmp_path: Path, form: str) -> None:
    text = written(tmp_path, FULL, form=form)
    match = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert match is not None
    ast.parse(match[1])
    file = front(text)["configs"][0]["data_files"]
    assert f'load_dataset("{"parquet" if form == "parquet" else "json"}", data_files="{file}"' in match[1]
    assert (tmp_path / file).is_file()


def test_a_large_tree_is_cut_short(tmp_path: Path) -> None:
    tree = DomainTree.planted("sums")
    for place in range(600):
        tree.add(tree.root.id, f"task {place}")
    export_rows(tmp_path, tree, [Row("r", tree.root.id, Item("1?", "", "x"))], card=Card(model="m"))
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "... and 101 more tasks" in text
    assert text.count("  - task") == 499
