"""What the options of ``explore`` mean: a tree to begin with, a job, rows to keep out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kshot.data.example import Example
    from kshot.data.taskfile.settings import EndpointSection
    from kshot.methods.explore.rules import RuleOptions
    from kshot.methods.explore.seams import Language
    from kshot.methods.explore.tree import DomainTree
    from kshot.pipeline.explore.asked import ExploreJob

METHODS = ("adaptive", "fixed", "flat", "depth_zero", "self_instruct")
PAPER = (8, 6)
KEPT_SETTINGS = ("replies", "prompt_usd", "completion_usd", "api_key_env")  # as before, where not given
RELEVANCE: dict[str, Any] = {"upper": "upper", "all": True, "none": False}


def tree_of(given: dict[str, Any]) -> DomainTree:
    """The tree that a new exploration begins with: ready, from a file, or of a domain in the user's words.

    Raises:
        InputError: The domain is not described.
    """
    from kshot.errors import InputError
    from kshot.methods.explore.domains import READY, domain_of, ready
    from kshot.methods.explore.tree import DomainTree
    from kshot.pipeline.explore.asked import is_tree_place

    name, (shots, instruction) = given["domain"], shots_of(given)
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
    if name.lower() in READY and not description:
        root = ready(name.lower(), language=language_of(given)).root
        name, description = root.name, root.reason
    if not shots:
        return DomainTree.planted(name, description)
    return domain_of(shots, name=name, description=description, instruction=instruction)


def job_of(given: dict[str, Any]) -> ExploreJob:
    """How a new exploration is run.

    Raises:
        InputError: An option cannot be used.
    """
    from kshot.cli.panda_given import one_of
    from kshot.methods.explore.attach import item_of_example
    from kshot.methods.explore.grow import GrowOptions
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
        cap=given["cap"],
        least_yield=given["least_yield"],
        relevance=RELEVANCE[one_of(given["relevance"], "--relevance", tuple(RELEVANCE))],
        probe=given["probe"],
        seed=given["seed"],
    )
    fill = _fill(given, language, seed=given["seed"])
    shots, instruction = shots_of(given)
    seeds = tuple(item_of_example(shot, instruction=instruction) for shot in shots)
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
        guards=guards_given(given),
    )


def folder_job_of(given: dict[str, Any]) -> ExploreJob:
    """How the tree of a folder is filled: what is not given is as when it was grown.

    Raises:
        InputError: An option cannot be used, or the folder holds no exploration.
    """
    from kshot.cli.panda_given import one_of
    from kshot.errors import InputError
    from kshot.pipeline.explore.asked import ExploreJob
    from kshot.pipeline.explore.folder import ExploreFolder

    before = ExploreFolder(given["folder"]).settings()
    asked = before.get("asked", {})
    method, seed = str(asked.get("method", "adaptive")), int(asked.get("seed", 0))
    if method not in METHODS:
        raise InputError(f"{given['folder']}: rows of method {method!r} are whole; nothing is asked for more")
    language: Language = "zh" if before.get("language") == "zh" else "en"
    given = given | {
        "llm": given["llm"] or asked.get("base_url") or asked.get("model"),
        "model": given["model"] or asked.get("model"),
    }
    given |= {name: asked[name] for name in KEPT_SETTINGS if given[name] is None and name in asked}
    return ExploreJob(
        llm=llm_of(given),
        method=method,
        embedder=str(asked.get("embedder", "hashing")),
        fill=_fill(given, language, seed=seed),
        language=language,
        form=one_of(given["replies"] or "json", "--replies", ("json", "blocks")),
        rows=given["rows"],
        calls=given["budget_calls"] or asked.get("calls"),
        tokens=given["budget_tokens"] or asked.get("tokens"),
        usd=given["budget_usd"] or asked.get("usd"),
        simulated=bool(before.get("simulated")),
        guards=guards_given(given),
    )


def protected_given(given: dict[str, Any]) -> dict[str, tuple[Example, ...]]:
    """The rows that must not come back, by group: of the options, and of those that the folder remembers.

    Raises:
        InputError: A file or the task cannot be read.
    """
    from kshot.errors import InputError, KshotError

    found: dict[str, tuple[Example, ...]] = {}
    now, known = guards_given(given), _remembered(given)
    for option, place in dict.fromkeys((*known, *now)):
        try:
            groups = _protected(option, place)
        except KshotError as error:
            if (option, place) in now:
                raise
            raise InputError(f"{error}; it guards this exploration since it was given: put it back") from None
        for name, rows in groups.items():
            found[name] = (*found.get(name, ()), *rows)
    return found


def guards_given(given: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Options that name rows to be kept out, with what they name; files by their whole path."""
    named = [(option, given.get(option)) for option in ("task", "shots")]
    named += [("guard", file) for file in given.get("guard") or ()]
    return tuple(
        (option, str(Path(place).resolve()) if Path(place).exists() else str(place))
        for option, place in named
        if place
    )


def _remembered(given: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    from kshot.pipeline.explore.asked import guards_of
    from kshot.pipeline.explore.folder import ExploreFolder

    folder = ExploreFolder(given["folder"] if "folder" in given else given["out"])
    return guards_of(folder.settings()) if folder.exists else ()


def _protected(option: str, place: str) -> dict[str, tuple[Example, ...]]:
    from kshot.cli.places import load_task
    from kshot.data.formats import read_examples
    from kshot.pipeline.explore.guard import protected_of

    if option == "task":
        return protected_of(load_task(place))
    if option == "shots":
        return protected_of(None, read_examples(place, labelled=False).examples)
    return protected_of(None, (), (Path(place),))


def shots_of(given: dict[str, Any]) -> tuple[Sequence[Example], str]:
    """A file's rows or a task's shots, which show what is meant (no test row), and the task's instruction."""
    from kshot.cli.places import load_task
    from kshot.data.formats import read_examples

    found: list[Example] = []
    instruction = ""
    if given.get("shots"):
        found += read_examples(given["shots"], labelled=False).examples
    if given.get("task"):
        task = load_task(given["task"])
        instruction = task.template.instruction
        found += task.shots
    return found, instruction


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


def _fill(given: dict[str, Any], language: Language, *, seed: int) -> Any:
    from kshot.cli.panda_given import one_of
    from kshot.methods.explore.fill import FillOptions

    if "lanes" not in given:  # `grow` has no options of filling
        return FillOptions(seed=seed)
    count = given["rows_per_task"]
    return FillOptions(
        **({} if count is None else {"count": count}),
        lanes=given["lanes"],
        overlap=given["overlap"],
        scope=one_of(given["scope"], "--scope", ("tree", "per_node")),
        rules=rules_of(given, language),
        least_kept=given["least_kept"],
        leaves_only=given["leaves_only"],
        second_pass=given["second_pass"],
        seed=seed,
    )


def rules_of(given: dict[str, Any], language: Language) -> RuleOptions:
    """The rules that are on, and how long an instruction may be: in words, of Chinese in characters.

    Raises:
        InputError: There is no such rule, or no such length.
    """
    from kshot.errors import InputError
    from kshot.methods.explore.rules import RuleOptions

    sizes: dict[str, int] = {}
    if given["length"]:
        unit = "characters" if language == "zh" else "words"
        try:
            least, most = map(int, given["length"].split(","))
        except ValueError:
            raise InputError(
                f"--length is {given['length']!r}; expected two whole numbers, as 3,150"
            ) from None
        sizes = {f"least_{unit}": least, f"most_{unit}": most}
    return RuleOptions(off=tuple(given["without"] or ()), **sizes)
