"""What stands beside an adapter of a bank: a card for people, and the same facts for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kshot.runs import write_json, write_text

FACTS = "kshot.json"
_NEEDED = frozenset({"name", "key", "weights_sha256", "dataset", "rows", "loss", "seconds"})
CARD = """---
base_model: {base}
library_name: peft
{licence}datasets: [{dataset}]
tags:
- lora
- kshot
---

# {name}

A LoRA adapter for `{base_name}`, trained by kshot {version} on one dataset as part of the bank `{recipe}`.
The training rows are not in this folder. Loads with `PeftModel.from_pretrained(base, folder)`.

{notes}

| dataset | |
|---|---|
{dataset_table}

| rows | |
|---|---|
{row_table}

| training | |
|---|---|
{training_table}

{command}
"""


def write_card(folder: Path, facts: Mapping[str, Any]) -> None:
    """``README.md`` and ``kshot.json`` of an adapter's folder."""
    write_json(folder / FACTS, facts)
    write_text(folder / "README.md", card(facts))


def read_facts(folder: Path) -> dict[str, Any] | None:
    """The facts of an adapter that a build finished, or None where there are none that can be read."""
    try:
        found = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.keys() >= _NEEDED else None


def card(facts: Mapping[str, Any]) -> str:
    """The text of a model card; its front matter is what hubs and kshot's own bank read."""
    dataset, rows, base = facts["dataset"], facts["rows"], facts["base"]
    licence = dataset["licence"]
    told = {key: dataset[key] for key in ("id", "config", "split", "revision", "licence") if dataset[key]}
    files = [(f"file {name}", f"sha256 {digest}") for name, digest in dataset["files"]]
    left_out = [(f"left out: {reason}", count) for reason, count in rows["left_out"].items()]
    counts = [(key.replace("_", " "), value) for key, value in rows.items() if isinstance(value, int)]
    training = facts["loss"] | facts["settings"] | {"steps": facts["steps"], "base sha256": base["sha256"]}
    return CARD.format(
        base=_quoted(base["name"]),
        base_name=base["name"],
        licence=f"license: {_quoted(licence)}\n" if licence else "",
        dataset=_quoted(dataset["id"]),
        name=facts["name"],
        version=facts["kshot"],
        recipe=facts["recipe"],
        notes="\n".join(f"- {note}" for note in notes(facts)),
        dataset_table=_table([*told.items(), *files, ("rows learned from, sha256", rows["sha256"])]),
        row_table=_table([*counts, *left_out]),
        training_table=_table((key.replace("_", " "), value) for key, value in training.items()),
        command=f"    {facts['command']}",
    )


def notes(facts: Mapping[str, Any]) -> list[str]:
    """What somebody who uses the adapter should know."""
    dataset, reasoning = facts["dataset"], facts["reasoning"]
    found = [
        f"Licence of the data: {dataset['licence']}." if dataset["licence"] else
        "The licence of the data is not known here; ask whoever published it before you pass this adapter on."
    ]  # fmt: skip
    if not dataset["verified"]:
        found.append("The hub id and the columns were not tried on the hub when the recipe was written.")
    if dataset["note"]:
        found.append(str(dataset["note"]))
    if reasoning["order"] != "none":
        writer = f"; {reasoning['written']} of them were written by {reasoning['writer']}, told the answer"
        found.append(
            f"{reasoning['rows']} rows have reasoning ({reasoning['order'].replace('_', ' ')})"
            f"{writer if reasoning['written'] else ''}; the others teach the answer alone."
        )
    found.append(
        "Held-out loss is in nats per target token, on rows of the same dataset: no evidence of skill."
    )
    return found


def _table(rows: Any) -> str:
    return "\n".join(f"| {key} | {_cell(value)} |" for key, value in rows)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # JSON texts are YAML texts
