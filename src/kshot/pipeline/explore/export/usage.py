"""How an export is loaded: the lines that a data card shows."""

from __future__ import annotations

from kshot.pipeline.explore.export.snippets import dataset_name

_PAIRS = """

# prompt and completion, as TRL's SFTTrainer takes them
def pair(row):
    return {"prompt": (row["instruction"] + "\\n" + row["input"]).strip(), "completion": row["output"]}

rows = rows.map(pair, remove_columns=rows.column_names)"""


def usage(file: str, form: str, domain: str) -> str:
    """Code for ``datasets`` and TRL, the kshot task file, and where the trainers' entries are.

    >>> "chat" in usage("messages.jsonl", "messages", "sums")
    True
    """
    builder = "parquet" if form == "parquet" else "json"
    load = f'rows = load_dataset("{builder}", data_files="{file}", split="train")'
    then = "  # chat turns, as TRL's SFTTrainer takes them" if form == "messages" else _PAIRS
    code = f"from datasets import load_dataset\n\n{load}{then}\n"
    return (
        f"```python\n{code}```\n\n"
        f"In a kshot task file: `knowledge: {{datasets: [{file}]}}`. LLaMA-Factory: `dataset_info.json` has "
        f"the entry `{dataset_name(domain)}`. axolotl: `axolotl.yaml` has the entry for `datasets:`."
    )
