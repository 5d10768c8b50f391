"""``explore --language zh`` from the first request to the pool, against a server that writes Chinese."""

import hashlib
import json
import random
import re

import pytest
from typer.testing import CliRunner

from kshot.cli import app
from kshot.models.fake import FakeServer

LETTERS = "".join(map(chr, range(0x4E00, 0x5400)))
NAMES = ("缩写", "扩写", "润色", "仿写", "改错")


def line(seed, count):
    draw = random.Random(hashlib.sha256(str(seed).encode()).digest())
    return "".join(draw.choices(LETTERS, k=count))


def json_names(names):
    told = [{"name": name, "reason": "属于它。"} for name in names]
    return json.dumps({"subtasks": told, "complete": True})


def block_names(names):
    told = [f"=== subtask ===\n=== name ===\n{name}\n=== reason ===\n属于它。" for name in names]
    return "\n".join([*told, "=== complete ===", "=== end ==="])


def json_rows(rows):
    return json.dumps({"rows": [{"instruction": a, "input": "", "output": b} for a, b in rows]})


def block_rows(rows):
    told = [
        f"=== row ===\n=== instruction ===\n{a}\n=== input ===\n（无）\n=== output ===\n{b}" for a, b in rows
    ]
    return "\n".join([*told, "=== end ==="])


def speaker(form):
    """Five tasks below the domain, and rows of random ideographs; one row in ten is English."""
    names, rows = (json_names, json_rows) if form == "json" else (block_names, block_rows)

    def reply(body):
        text = body["messages"][-1]["content"]
        if "## 提议的子任务" in text:
            count = len(re.findall(r"^\d+\. .*属于它", text, re.MULTILINE))
            yes = [f"{place + 1}. 是" for place in range(count)]
            return "\n".join(yes) if form == "blocks" else json.dumps({"relevant": [True] * count})
        if "## 指令" in text:
            return "重新写的回答。"
        wanted = re.search(r"^数量：(\d+) (条|个新的子任务)$", text, re.MULTILINE)
        if wanted[2] != "条":
            return names([name for name in NAMES if f"- {name}" not in text])
        told = [(f"请写{line((body['seed'], at), 12)}。", "写好了。") for at in range(int(wanted[1]))]
        return rows([("Write a short poem.", "It is done."), *told[1:]])

    return reply


@pytest.mark.parametrize("form", ["json", "blocks"])
def test_a_chinese_domain_from_the_first_request_to_the_pool(tmp_path, form):
    place = tmp_path / "x"
    with FakeServer(speaker(form)) as server:
        found = CliRunner().invoke(
            app,
            ["explore", "run", "rewriting", "--language", "zh", "--replies", form, "--llm", server.base_url,
             "--model", "fake", "--budget-calls", "40", "--depth", "1", "--rows-per-task", "9",
             "--lanes", "4", "--second-pass", "--relevance", "all", "--simulated",
             "--out", str(place), "--json"],
            catch_exceptions=False,
        )  # fmt: skip
        sent = [one.body["messages"][-1]["content"] for one in server.requests]
    assert found.exit_code == 0, found.output
    assert all(text.startswith("## 目的") for text in sent)
    assert not any("response_format" in one.body for one in server.requests) or form == "json"
    assert place.joinpath("tree.md").read_text().startswith("# 改写")
    assert [task["name"] for task in json.loads((place / "tree.json").read_text())["children"]] == [*NAMES]
    rows = [json.loads(text) for text in (place / "pool" / "rows.jsonl").read_text().splitlines()]
    assert len(rows) >= 20
    assert all(row["instruction"].startswith("请写") for row in rows)
    assert "重新写的回答。" in {row["output"] for row in rows}
    refused = [json.loads(text) for text in (place / "refused.jsonl").read_text().splitlines()]
    assert "wrong_language" in {one["rule"] for one in refused}
    facts = json.loads((place / "report.json").read_text())
    calls = len(server.requests)
    assert facts["grow_calls"] + facts["fill_calls"] == calls  # second answers count among those of filling
    assert {step["step"] for step in facts["usage"]} == {"grow", "relevance", "fill", "answer"}
    assert "- zh" in (place / "pool" / "README.md").read_text()
