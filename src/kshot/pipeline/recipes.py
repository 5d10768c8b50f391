"""The systems that a run can build: one row a system, and the table that later methods join.

A recipe sees the shots of one split and the workbench; neither holds a test row. What it trains or fits
goes into ``artifact``; if that is there already, it is read instead of made, so that ``predict`` and a
resumed run get the very same system.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from kshot.data.example import Example
from kshot.methods import baselines
from kshot.models.bank import BankEntry
from kshot.models.base import System
from kshot.pipeline.blend_build import blend_inputs, blend_system, lacking
from kshot.pipeline.blends import BLENDS, Blend
from kshot.pipeline.panda.llm import llm_identity
from kshot.pipeline.panda.systems import lacking_panda, panda_inputs, panda_system
from kshot.pipeline.panda.table import DISHES, Dish
from kshot.pipeline.soups.system import lacking_soup, soup_inputs, soup_system
from kshot.pipeline.soups.table import SOUPS, Soup
from kshot.pipeline.workbench import Workbench
from kshot.runs import file_hash, folder_bytes

Shots: TypeAlias = tuple[Example, ...]
Build: TypeAlias = Callable[[Workbench, Shots, Path], System]
BEST = "best adapter on the shots"
LLM_ZERO_SHOT = "LLM: zero-shot"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one system comes about.

    Attributes:
        name: As on the leaderboard and in the task file's ``systems``.
        kind: ``baseline``, ``trained``, ``adapter``, ``oracle`` or a method's name.
        build: Workbench, shots, artifact folder to ``System``.
        needs: Of ``model``, ``bank``, ``scores``, ``embedder``, ``labels``, ``expert``: what the task file
            must offer, and what the result depends on (see ``answers.step_inputs``).
        uses_shots: Whether the system differs from split to split.
        single_adapter: Whether it is one adapter of the bank as it is.
        row_prompts: Whether the turns before a row depend on the row.
        identity: What else its result depends on (an adapter's hash), asked when a step's key is made.
        weight: Rough share of time, for the estimate of time left.
        ablation: Whether it is built only where it is asked for by name, or with all ablations.
        lacking: Why it cannot be built, beside what ``needs`` says; or None.
    """

    name: str
    kind: str
    build: Build
    needs: frozenset[str] = frozenset()
    uses_shots: bool = True
    single_adapter: bool = False
    row_prompts: bool = False
    identity: Callable[[Workbench], str] = lambda bench: ""
    weight: float = 1.0
    ablation: bool = False
    lacking: Callable[[Workbench], str | None] = lambda bench: None


def table(bench: Workbench) -> tuple[Recipe, ...]:
    """All recipes for this task, in the order in which they are tried; adapters and models one each."""
    model, embedder = frozenset({"model"}), frozenset({"embedder"})
    nearest = Recipe(
        "nearest shots in the prompt", "baseline", _nearest_in_prompt, model | embedder, weight=2.0
    )
    fixed = (
        Recipe("majority", "baseline", _majority, weight=0.01),
        Recipe("nearest shot", "baseline", _nearest_answer, embedder, weight=0.05),
        Recipe("embedding + head", "baseline", _embedding_head, embedder | {"labels"}, weight=0.1),
        Recipe("expert classifier", "expert", _expert, frozenset({"expert", "labels"}), uses_shots=False),
        Recipe("zero-shot", "baseline", _zero_shot, model, uses_shots=False),
        Recipe("shots in the prompt", "baseline", _shots_in_prompt, model, weight=3.0),
        replace(nearest, row_prompts=True),
        Recipe("LoRA on the shots", "trained", _lora_on_shots, model, weight=4.0),
    )
    models = tuple(_model_recipe(named) for named in bench.settings.knowledge.models)
    adapters = tuple(_adapter_recipe(entry) for entry in bench.experts)
    best = (Recipe(BEST, "adapter", _best_on_shots, frozenset({"model", "bank", "scores"})),)
    has_bank, knowledge = bool(bench.settings.knowledge.adapters), bench.settings.knowledge
    blends = [blend for blend in BLENDS if knowledge.any and (has_bank or blend.experts == "none")]
    soups = tuple(_soup_recipe(soup, has_bank) for soup in SOUPS if has_bank or knowledge.models)
    others = soups + tuple(map(_blend_recipe, blends)) + _asking_the_llm(bench)
    return fixed + models + adapters + (best if has_bank else ()) + others


def missing(recipe: Recipe, bench: Workbench) -> str | None:
    """Why a recipe cannot be cooked for this task, or None."""
    if "model" in recipe.needs and not bench.has_model:
        return "the task file names no base model"
    if "bank" in recipe.needs and not bench.experts:
        return "the bank holds no adapter that fits this base"
    if "labels" in recipe.needs and bench.template.kind != "classification":
        return "only for classification"
    if "expert" in recipe.needs and bench.settings.knowledge.expert is None:
        return "the task file names no expert classifier"
    return recipe.lacking(bench)


def chosen(recipes: Sequence[Recipe], names: Sequence[str]) -> tuple[tuple[Recipe, ...], tuple[str, ...]]:
    """The recipes that the task file asks for (all but ablations if it names none), and unknown names.

    ``adapters`` stands for every single adapter, ``ablations`` for every ablation, ``standard`` for what
    is built where nothing is named. A name is taken to the letter where a recipe has it,
    else without regard to case, blanks and punctuation.
    """
    standard = [recipe.name for recipe in recipes if not recipe.ablation]
    groups = {
        "adapters": [recipe.name for recipe in recipes if recipe.single_adapter],
        "ablations": [recipe.name for recipe in recipes if recipe.ablation],
        "standard": standard,
    }
    wanted: set[str] = set()
    unknown: list[str] = []
    for name in names or ["standard"]:
        found = [recipe.name for recipe in recipes if recipe.name == name]
        found = found or [recipe.name for recipe in recipes if _plain(recipe.name) == _plain(name)]
        known = bool(found) or _plain(name) in groups
        wanted |= set(found or groups.get(_plain(name), []))
        unknown += [] if known else [name]
    return tuple(recipe for recipe in recipes if recipe.name in wanted), tuple(unknown)


def _majority(bench: Workbench, shots: Shots, artifact: Path) -> System:
    return baselines.majority(shots, bench.template)


def _nearest_answer(bench: Workbench, shots: Shots, artifact: Path) -> System:
    return baselines.nearest_answer(shots, bench.template, embedder=bench.embedder)


def _embedding_head(bench: Workbench, shots: Shots, artifact: Path) -> System:
    from kshot.models.classifier.head import EmbeddingHead

    if artifact.is_dir():
        head = EmbeddingHead.load(artifact, bench.embedder)
    else:
        texts, labels = [shot.prompt for shot in shots], [shot.answer for shot in shots]
        names, seed = bench.template.labels, bench.settings.examples.seed
        head = EmbeddingHead.fit(bench.embedder, texts, labels, label_names=names, seed=seed)
        head.save(artifact)
    return baselines.embedding_head(head, bench.template, size_bytes=folder_bytes(artifact))


def _expert(bench: Workbench, shots: Shots, artifact: Path) -> System:
    note = f"the task file's expert, {bench.expert_classifier.id}"
    prompt = bench.template.conversation
    return System("expert classifier", "expert", bench.expert_classifier, prompt, note=note)


def _zero_shot(bench: Workbench, shots: Shots, artifact: Path) -> System:
    return baselines.zero_shot(bench.model, bench.template)


def _shots_in_prompt(bench: Workbench, shots: Shots, artifact: Path) -> System:
    return baselines.shots_in_prompt(bench.model, shots, bench.template, fits=bench.fits)


def _nearest_in_prompt(bench: Workbench, shots: Shots, artifact: Path) -> System:
    return baselines.nearest_in_prompt(bench.model, shots, bench.template, embedder=bench.embedder)


def _lora_on_shots(bench: Workbench, shots: Shots, artifact: Path) -> System:
    from kshot.models.train import TrainSettings, train_lora

    template = bench.template
    if not artifact.is_dir():
        conversations = [template.conversation(shot) for shot in shots]
        targets = [template.target(shot) for shot in shots]
        seed, rate = bench.settings.examples.seed, bench.model.learning_rate
        settings = TrainSettings(seed=seed, epochs=20, learning_rate=rate)
        train_lora(bench.model, conversations, targets, out=artifact, settings=settings)
    model = bench.model.adapted(artifact)
    note, size = f"fine-tuned on {len(shots)} shots", folder_bytes(artifact)
    return System("LoRA on the shots", "trained", model, template.conversation, size_bytes=size, note=note)


def _best_on_shots(bench: Workbench, shots: Shots, artifact: Path) -> System:
    scores = bench.scores
    columns = [scores.shot_ids.index(shot.id) for shot in shots]
    best = baselines.best_on_shots(scores.experts, scores.right[:, columns], scores.answer_loss[:, columns])
    entry = next(entry for entry in bench.experts if entry.name == scores.experts[best])
    share = float(scores.right[best, columns].mean())
    note = f"{entry.name}, chosen by {len(columns)} shots"
    return replace(_adapter_system(bench, entry, BEST, note), selection_score=share)


def _adapter_recipe(entry: BankEntry) -> Recipe:
    name = f"adapter: {entry.name}"

    def build(bench: Workbench, shots: Shots, artifact: Path) -> System:
        return _adapter_system(bench, entry, name, "one adapter of the bank")

    needs = frozenset({"model", "bank"})
    recipe = Recipe(name, "adapter", build, needs, uses_shots=False, single_adapter=True)
    return replace(recipe, identity=lambda bench: entry.content)


def _adapter_system(bench: Workbench, entry: BankEntry, name: str, note: str) -> System:
    model, prompt = bench.model.adapted(entry.folder), bench.template.conversation
    return System(name, "adapter", model, prompt, size_bytes=entry.size_bytes, note=note)


def _blend_recipe(blend: Blend) -> Recipe:
    needs = {"model"} | ({"bank", "scores"} if blend.experts != "none" else set())

    def build(bench: Workbench, shots: Shots, artifact: Path) -> System:
        return blend_system(bench, shots, artifact, blend=blend)

    return Recipe(
        blend.name,
        blend.kind,
        build,
        frozenset(needs),
        identity=lambda bench: blend_inputs(bench, blend),
        weight=blend.weight,
        ablation=blend.ablation,
        lacking=lambda bench: lacking(bench, blend),
    )


def _soup_recipe(soup: Soup, has_bank: bool) -> Recipe:
    def build(bench: Workbench, shots: Shots, artifact: Path) -> System:
        return soup_system(bench, shots, artifact, soup=soup)

    recipe = Recipe(soup.name, "cocktail", build, frozenset({"model", "scores"} if has_bank else {"model"}))
    return replace(
        recipe,
        identity=lambda bench: soup_inputs(bench, soup),
        weight=soup.weight,
        ablation=soup.ablation,
        lacking=lacking_soup,
    )


def _asking_the_llm(bench: Workbench) -> tuple[Recipe, ...]:
    """PANDA, and the plain ways to ask an LLM that is not the base model."""
    named = bench.settings.knowledge.llm is not None
    needs = frozenset({"embedder"} if named else {"embedder", "model"})
    plain = (
        Recipe(LLM_ZERO_SHOT, "baseline", _llm_zero_shot, uses_shots=False),
        Recipe("LLM: shots in the prompt", "baseline", _llm_shots, weight=2.0),
        Recipe("LLM: nearest shots in the prompt", "baseline", _llm_nearest, needs, row_prompts=True),
    )
    rows = tuple(replace(recipe, identity=llm_identity) for recipe in plain) if named else ()
    return rows + tuple(_dish_recipe(dish, needs) for dish in DISHES)


def _dish_recipe(dish: Dish, needs: frozenset[str]) -> Recipe:
    def build(bench: Workbench, shots: Shots, artifact: Path) -> System:
        return panda_system(bench, shots, artifact, dish=dish)

    recipe = Recipe(dish.name, "panda", build, needs, row_prompts=True, lacking=lacking_panda)
    return replace(recipe, identity=lambda bench: panda_inputs(bench, dish))


def _llm_zero_shot(bench: Workbench, shots: Shots, artifact: Path) -> System:
    return replace(baselines.zero_shot(bench.llm, bench.template), name=LLM_ZERO_SHOT, note=bench.llm.id)


def _llm_shots(bench: Workbench, shots: Shots, artifact: Path) -> System:
    found = baselines.shots_in_prompt(bench.llm, shots, bench.template, fits=lambda turns: True)
    return replace(found, name=f"LLM: {found.name}")


def _llm_nearest(bench: Workbench, shots: Shots, artifact: Path) -> System:
    found = baselines.nearest_in_prompt(bench.llm, shots, bench.template, embedder=bench.embedder)
    return replace(found, name=f"LLM: {found.name}")


def _model_recipe(named: str) -> Recipe:
    """A further model of the task file; it is called as the task file calls it."""
    name = f"model: {named}"

    def build(bench: Workbench, shots: Shots, artifact: Path) -> System:
        model = bench.load_model(str(bench.settings.resolve(named)))
        return System(name, "model", model, bench.template.conversation, note="as it is, zero-shot")

    def identity(bench: Workbench) -> str:
        place = bench.settings.resolve(named)
        return file_hash(place) if isinstance(place, Path) else place

    return Recipe(name, "model", build, uses_shots=False, identity=identity)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
