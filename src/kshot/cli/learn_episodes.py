"""``panda learn scienceworld:TASK``: a pool from the gold paths of train variations."""

from __future__ import annotations

import json
from typing import Any

from kshot.cli.worlds import PREFIX, opened_model, world_task


def learn_episodes(given: dict[str, Any]) -> None:
    """``panda learn scienceworld:TASK``: a pool from the gold paths of train variations, and its counts.

    Args:
        given: The options of ``panda learn`` by name; those for classification tasks must be left out.

    Raises:
        InputError: An option does not fit an interactive task.
    """
    from contextlib import nullcontext

    from kshot.agents.scienceworld import learn_scienceworld
    from kshot.cli.progress import listener
    from kshot.errors import InputError

    for name in ("shots", "expert_rows", "rows", "prompts", "gold"):
        if given.get(name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option}: an interactive task is learnt from gold paths; leave it out")
    if given.get("expert") not in (None, "gold"):
        raise InputError(f"--expert {given['expert']}: an interactive task has the expert gold (gold paths)")
    task, learning = world_task(given["task"], "TASK"), _learning(given)
    if given.get("dry_run"):
        print(f"{PREFIX}{task}: gold paths of up to {learning.most} train variations; up to one call a step")
        return
    silent = learning.render == "preference"
    with listener() as listen, nullcontext() if silent else opened_model(given) as model:
        learned = learn_scienceworld(
            task, given["out"], model, learning=learning, header=_header(given), told=listen
        )
    facts = {"pool": str(given["out"]), "insights": len(learned.pool), "new": learned.new}
    facts |= {"trajectories": learned.trajectories, "left_out": learned.reasons}
    if given.get("as_json"):
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    told = f"{learned.new} new, of {learned.trajectories} gold paths"
    model_id = learned.pool.header.model or "none"
    print(f"{len(learned.pool)} insights in {given['out']} ({told}), model {model_id}")
    for reason, count in learned.reasons.items():
        print(f"left out: {count}, {reason}")


def _learning(given: dict[str, Any]) -> Any:
    from kshot.agents import EpisodeLearning
    from kshot.errors import InputError

    allowed = {
        "heuristic": ("top1", "top2", "top3", "far", "last"),
        "ask": ("reason", "reason_without_answer", "strategy"),
        "render": ("insight", "preference", "both"),
    }
    chosen = {name: given.get(name) or getattr(EpisodeLearning(), name) for name in allowed}
    for name, value in chosen.items():
        if value not in allowed[name]:
            raise InputError(f"--{name}: {value!r} is none of {', '.join(allowed[name])}")
    return EpisodeLearning(most=given.get("n") or 50, seed=given.get("seed") or 0, **chosen)


def _header(given: dict[str, Any]) -> Any:
    """What is known of a pool before it is learnt; the task is set by who learns."""
    from kshot.methods.panda.pool import PoolHeader

    llm = str(given.get("llm") or "")
    place: dict[str, str | None] = {"model": llm}  # a local model: its folder or hub id
    if llm.startswith(("http://", "https://")):
        place = {"base_url": llm, "model": given.get("llm_model"), "api_key_env": given.get("api_key_env")}
    endpoint = {name: value for name, value in place.items() if value}
    return PoolHeader(PREFIX, "agent", endpoint=endpoint if given.get("render") != "preference" else {})
