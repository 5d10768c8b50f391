"""What the options of ``explore`` mean: a tree to begin with, a job, rows to keep out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kshot.data.example import Example
    from kshot.data.taskfile.settings import EndpointSection
    from kshot.methods.explore.seams import Language
    from kshot.methods.explore.tree import DomainTree
    from kshot.pipeline.explore.asked import ExploreJob

METHODS = ("adaptive", "fixed", "flat", "depth_zero", "self_instruct")
PAPER = (8, 6)
RELEVANCE: dict[str, Any] = {"upper": "upper", "all": True, "none": False}


def tree_of(given: dict[str, Any]) -> DomainTree | None:
    """The tree that a new exploration begins with: ready, from a file, or of a domain in the user's words.

    Raises:
        InputError: The domain is not described.
    """
    from kshot.errors import InputError
    from kshot.methods.explore.domains import READY, domain_of, ready
    from kshot.methods.explore.tree import DomainTree
    from kshot.pipeline.explore.asked import is_tree_place

    name, shots = given["domain"], shots_of(given)
    if is_tree_place(name):
        return DomainTree.load(Path(name))
    if name.lower() in READY and given["description"] is None and not shots:
        return ready(name.lower(), language=language_of(given))
    if not given["description"] and not shots and not (given["out"] / "state.json").is_file():
        raise InputError(
            f"{name!r} is none of the ready domains ({', '.join(READY)}): say with --description what "
            "belongs to it, or show it with --shots FILE"
        )
    description = given["description"] or ""
    return (
        domain_of(shots, name=name, description=description)
        if shots
        else DomainTree.planted(name, description)
    )


def job_of(given: dict[str, Any]) -> ExploreJob:
    """How a new exploration is run.

    Raises:
        InputError: An option cannot be used.
    """
    from kshot.cli.panda_given import one_of
    from kshot.methods.explore.fill import FillOptions
    from kshot.methods.explore.grow import GrowOptions
    from kshot.methods.explore.records import Item
    from kshot.methods.explore.rules import RuleOptions
    from kshot.pipeline.explore.asked import ExploreJob

    method = one_of(given["method"], "--method", METHODS)
    language = language_of(given)
    options = GrowOptions(
        depth=given["depth"],
        breadth=_breadth(given["breadth"], given["depth"], method),
        order=one_of(given["order"], "--order", ("rounds", "depth_first")),
        share=given["share"],
        overlap=given["name_overlap"],
        cosine=given["name_cosine"],
        relevance=RELEVANCE[one_of(given["relevance"], "--relevance", tuple(RELEVANCE))],
        probe=given["probe"],
        seed=given["seed"],
    )
    rules = RuleOptions(off=tuple(given.get("without") or ()))
    is_filled = "lanes" in given  # `grow` has no options of filling
    fill = _fill(given, rules, seed=given["seed"]) if is_filled else FillOptions(seed=given["seed"])
    seeds = tuple(Item(shot.prompt, "", shot.answer) for shot in shots_of(given))
    return ExploreJob(
        llm=llm_of(given),
        method=method,
        grow=options,
        fill=fill,
        language=language,
        form=one_of(given["replies"], "--replies", ("json", "blocks")),
        rows=given.get("rows"),
        calls=given["budget_calls"],
        tokens=given["budget_tokens"],
        usd=given["budget_usd"],
        embedder=given["embedder"],
        seeds=seeds,
        simulated=given["simulated"],
    )


def folder_job_of(given: dict[str, Any]) -> ExploreJob:
    """How the tree of a folder is filled: what is not given is as when it was grown.

    Raises:
        InputError: An option cannot be used, or the folder holds no exploration.
    """
    from kshot.cli.panda_given import one_of
    from kshot.methods.explore.rules import RuleOptions
    from kshot.pipeline.explore.asked import ExploreJob
    from kshot.pipeline.explore.folder import ExploreFolder

    before = ExploreFolder(given["folder"]).settings()
    asked = before.get("asked", {})
    seed = int(asked.get("seed", 0))
    given = given | {
        "llm": given["llm"] or asked.get("base_url") or asked.get("model"),
        "model": given["model"] or asked.get("model"),
    }
    return ExploreJob(
        llm=llm_of(given),
        fill=_fill(given, RuleOptions(off=tuple(given["without"] or ())), seed=seed),
        language="zh" if before.get("language") == "zh" else "en",
        form=one_of(given["replies"], "--replies", ("json", "blocks")),
        rows=given["rows"],
        calls=given["budget_calls"] or asked.get("calls"),
        tokens=given["budget_tokens"] or asked.get("tokens"),
        usd=given["budget_usd"] or asked.get("usd"),
        simulated=bool(before.get("simulated")),
    )


def protected_given(given: dict[str, Any]) -> dict[str, tuple[Example, ...]]:
    """The rows that must not come back, by group.

    Raises:
        InputError: A file or the task cannot be read.
    """
    from kshot.cli.places import load_task
    from kshot.data.formats import read_examples
    from kshot.pipeline.explore.guard import protected_of

    task = load_task(given["task"]) if given["task"] else None
    shots = read_examples(given["shots"], labelled=False).examples if given["shots"] else ()
    return protected_of(task, shots, given["guard"] or ())


def shots_of(given: dict[str, Any]) -> Sequence[Example]:
    """The rows that show what is meant: a file's, or a task's shots; never its test rows."""
    from kshot.cli.places import load_task
    from kshot.data.formats import read_examples

    found: list[Example] = []
    if given.get("shots"):
        found += read_examples(given["shots"], labelled=False).examples
    if given.get("task"):
        found += load_task(given["task"]).shots
    return found


def llm_of(given: dict[str, Any]) -> EndpointSection | str:
    """The endpoint or local model that the options name.

    Raises:
        InputError: None is named.
    """
    from kshot.errors import InputError
    from kshot.pipeline.panda.llm import section

    place = given["llm"]
    if not place:
        raise InputError(
            "--llm is missing: the address of an OpenAI-compatible endpoint, or a local model's folder"
        )
    if not str(place).startswith(("http://", "https://")):
        return str(place)
    if not given["model"]:
        raise InputError("--model is missing: what is the model called at that endpoint?")
    return section(
        str(place),
        given["model"],
        api_key_env=given["api_key_env"],
        concurrency=given["concurrency"],
        prices=(given["prompt_usd"], given["completion_usd"]),
    )


def language_of(given: dict[str, Any]) -> Language:
    """As asked; else Chinese where the domain's name or description has ideographs."""
    from kshot.cli.panda_given import one_of

    if given["language"]:
        chosen: Language = one_of(given["language"], "--language", ("en", "zh"))
        return chosen
    text = f"{given['domain']} {given['description'] or ''}"
    return "zh" if any("\u4e00" <= char <= "\u9fff" for char in text) else "en"


def _breadth(text: str, depth: int, method: str) -> Any:
    from kshot.errors import InputError

    if text == "adaptive":
        return "adaptive" if method != "fixed" else PAPER[:depth]
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--breadth is {text!r}; expected adaptive, or whole numbers as 8,6") from None
    return found


def _fill(given: dict[str, Any], rules: Any, *, seed: int) -> Any:
    from kshot.cli.panda_given import one_of
    from kshot.methods.explore.fill import FillOptions

    count = given["rows_per_task"]
    return FillOptions(
        **({} if count is None else {"count": count}),
        lanes=given["lanes"],
        overlap=given["overlap"],
        scope=one_of(given["scope"], "--scope", ("tree", "per_node")),
        rules=rules,
        second_pass=given["second_pass"],
        seed=seed,
    )
