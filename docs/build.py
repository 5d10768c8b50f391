"""Writes docs/commands.md from the commands themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

VERBS = (
    "",
    "init",
    "doctor",
    "validate",
    "run",
    "predict",
    "experts",
    "data",
    "mix",
    "train",
    "moe",
    "moe build",
    "moe train",
    "moe inspect",
    "moe export",
    "panda",
    "panda learn",
    "panda ask",
    "panda measure",
    "panda ablate",
    "panda distil",
    "panda inspect",
    "panda search",
    "panda prune",
    "panda merge",
    "panda deduplicate",
    "panda diff",
    "panda export",
    "panda import",
    "panda act",
    "explore",
    "explore run",
    "explore grow",
    "explore fill",
    "explore attach",
    "explore show",
    "explore export",
    "explore evaluate",
    "explore curated",
    "explore import",
    "explore judge",
    "explore vote",
    "explore review",
    "explore maths",
    "serve",
    "calls",
    "calls list",
    "calls show",
    "calls usage",
    "calls export",
    "calls clear",
    "compare",
    "bank",
    "bank build",
    "bank recipe",
    "bank scan",
    "bank audit",
    "config-schema",
)
TARGET = Path(__file__).with_name("commands.md")


def help_of(verb: str) -> str:
    """The help text of a verb, without colours, 100 columns wide."""
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "kshot", *verb.split(), "--help"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    return "\n".join(line.rstrip() for line in out.strip().splitlines())


def main() -> None:
    """One section a verb."""
    sections = [f"## kshot {verb}".rstrip() + f"\n\n```\n{help_of(verb)}\n```" for verb in VERBS]
    TARGET.write_text(
        "# Commands\n\nWritten by `make docs`.\n\n" + "\n\n".join(sections) + "\n", encoding="utf-8"
    )
    print(TARGET)


if __name__ == "__main__":
    main()
