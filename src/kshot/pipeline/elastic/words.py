"""What an elastic fine-tuning tells its user, as plain text."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

CARD = """---
base_model: {base}
library_name: {library}
tags:
- kshot
- lm-cocktail
---

# Fine-tuned and mixed back by kshot {version}

Loads with `{load}.from_pretrained`. The rows are not in this folder; `elastic.json` has all figures. The
licence is for whoever publishes it to state: the base model's and the data's apply.

```
{summary}```
"""


def summary(facts: Mapping[str, Any]) -> str:
    """The facts of ``elastic.json`` as lines of text: what was made, of what, and what it scores.

    Example::

        print(summary(json.loads((out / "elastic.json").read_text())))
    """
    metric = facts["metric"].replace("_", " ")
    lines = [_made(facts), _rows(facts["rows"]), _training(facts["training"])]
    if facts["sweep"] is not None:
        lines.append(f"chosen on held-back and general rows: {facts['sweep']['reason']}")
    for scored in facts["scores"]:
        lines += ["", *_scored(scored, metric)]
    if not facts["scores"]:
        lines.append("nothing was measured: give --test FILE with rows of the task, --general FILE too")
    lines += [f"note: {note}" for note in facts["notes"]]
    return "\n".join(lines) + "\n"


def card(facts: Mapping[str, Any]) -> str:
    """The text of README.md: what the folder is and how it was made.

    Example::

        card(facts).startswith("---")
    """
    is_lora = facts["method"] == "lora" and not facts["merged"]
    library, load = ("peft", "PeftModel") if is_lora else ("transformers", "AutoModelForCausalLM")
    return CARD.format(
        base=facts["base"], library=library, load=load, version=version("kshot"), summary=summary(facts)
    )


def _made(facts: Mapping[str, Any]) -> str:
    kind = "all weights" if facts["method"] == "full" else "a LoRA"
    if facts["alpha"] is None:
        return f"{facts['base']}: {kind} fine-tuned; no base mixed back"
    left = 1 - facts["alpha"]
    how = "chosen" if facts["alpha_is_chosen"] else "given"
    return (
        f"{facts['base']}: {kind} fine-tuned, then {facts['alpha']:g} of it mixed with {left:.4g} of the "
        f"base (alpha {how})"
    )


def _rows(rows: Mapping[str, Any]) -> str:
    told = (
        f"rows: {rows['learned']} learned from, {rows['held_back']} held back, {rows['general']} general, "
        f"{rows['test']} test, {rows['general_test']} general test"
    )
    drops = [f"{count} dropped ({reason})" for reason, count in rows["dropped"].items()]
    if rows["too_long"]:
        drops.append(f"{rows['too_long']} left out as too long")
    return "; ".join([told, *drops])


def _training(training: Mapping[str, Any]) -> str:
    return (
        f"training: {training['steps']} steps, loss {training['first_loss']:.4f} to "
        f"{training['last_loss']:.4f} nats per token"
    )


def _scored(scored: Mapping[str, Any], metric: str) -> list[str]:
    role = "selection scores, no evidence: alpha was chosen by them" if scored["selection"] else "held out"
    lines = [f"{scored['side']}, {scored['rows']} ({scored['n']} rows, {metric}; {role})"]
    for name, found in scored["models"].items():
        low, high = found["interval"]
        lines.append(
            f"  {name:<11}{found['value']:.4f}  [{low:.4f}, {high:.4f}]  loss {found['loss']:.4f} nats"
        )
    lines += [_compared(each) for each in scored["comparisons"]]
    for key, what in (("kept_gain", "of the gain kept"), ("recovered_loss", "of the loss given back")):
        if (share := scored.get(key)) is not None:
            lines.append("  " + _share(share, what))
    return lines


def _compared(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return (
        f"  {found['of']} against {found['against']}: {found['difference']:+.4f} [{low:+.4f}, {high:+.4f}], "
        f"p {found['p_holm']:.3g} (Holm, {found['test']}): {found['verdict']}"
    )


def _share(found: Mapping[str, Any], what: str) -> str:
    if found["share"] is None:
        change = "raise" if "gain" in what else "lower"
        return f"no share {what}: fine-tuning did not {change} this value"
    if found["interval"] is None:
        return f"{found['share']:.1%} {what} (too few rows for an interval)"
    low, high = found["interval"]
    return f"{found['share']:.1%} {what} [{low:.1%}, {high:.1%}]"
