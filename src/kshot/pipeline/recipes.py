"""The systems that a run can build: one row a system, and the table that later methods join.

A recipe sees the shots of one split and the workbench, never a test row. What it trains or fits goes
into ``artifact``; if that is there already, it is read instead of made, so that ``predict`` and a
resumed run get the very same system.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from kshot.data.example import Example
from kshot.methods import baselines
from kshot.models.bank import BankEntry
from kshot.models.base import System
from kshot.pipeline.workbench import Workbench

Shots: TypeAlias = tuple[Example, ...]
Build: TypeAlias = Callable[[Workbench, Shots, Path], System]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one system comes about.

    Attributes:
        name: As on the leaderboard and in the task file's ``systems``.
        kind: ``baseline``, ``trained``, ``adapter``, ``oracle`` or a method's name.
        build: Workbench, shots, artifact folder to ``System``.
        needs: Of ``model``, ``bank``, ``labels``, ``expert``: what the task file must offer.
        uses_shots: Whether the system differs from split to split.
        identity: What else its result depends on (an adapter's hash).
        weight: Rough share of time, for the estimate of time left.
    """

    name: str
    kind: str
    build: Build
    needs: frozenset[str] = frozenset()
    uses_shots: bool = True
    identity: str = ""
    weight: float = 1.0


def table(bench: Workbench) -> tuple[Recipe, ...]:
    """All recipes for this task, in the order in which they are tried; adapters and models one each."""
    model, label = frozenset({"model"}), frozenset({"labels"})
    fixed = (
        Recipe("majority", "baseline", _majority, weight=0.01),
        Recipe("nearest shot", "baseline", _nearest_answer, weight=0.05),
        Recipe("embedding + head", "baseline", _embedding_head, label, weight=0.1),
        Recipe("expert classifier", "expert", _expert, frozenset({"expert"}), uses_shots=False),
        Recipe("zero-shot", "baseline", _zero_shot, model, uses_shots=False),
        Recipe("shots in the prompt", "baseline", _shots_in_prompt, model, weight=3.0),
        Recipe("nearest shots in the prompt", "baseline", _nearest_in_prompt, model, weight=2.0),
        Recipe("LoRA on the shots", "trained", _lora_on_shots, model, weight=4.0),
    )
    models = tuple(_model_recipe(str(path)) for path in bench.settings.knowledge.models)
    adapters = tuple(_adapter_recipe(entry) for entry in bench.experts)
    best = (Recipe("best adapter on the shots", "adapter", _best_on_shots, frozenset({"model", "bank"})),)
    return fixed + models + adapters + (best if bench.settings.knowledge.adapters else ())


def missing(recipe: Recipe, bench: Workbench) -> str | None:
    """Why a recipe cannot be cooked for this task, or None."""
    task = bench.task
    if "model" in recipe.needs and not bench.has_model:
        return "the task file names no base model"
    if "bank" in recipe.needs and not bench.experts:
        return "the bank holds no adapter that fits this base"
    if "labels" in recipe.needs and task.template.kind != "classification":
        return "only for classification"
    if "expert" in recipe.needs and bench.settings.knowledge.expert is None:
        return "the task file names no expert classifier"
    return None


def _majority(bench: Workbench, shots: Shots, artifact: Path) -> System:
    return baselines.majority(shots, bench.task.template)


def _nearest_answer(bench: Workbench, shots: Shots, artifact: Path) -> System:
    return baselines.nearest_answer(shots, bench.task.template, embedder=bench.embedder)


def _embedding_head(bench: Workbench, shots: Shots, artifact: Path) -> System:
    from kshot.models.classifier.transformers_classifier import EmbeddingHead

    if artifact.is_dir():
        head = EmbeddingHead.load(artifact, bench.embedder)
    else:
        texts, labels = [shot.prompt for shot in shots], [shot.answer for shot in shots]
        names = bench.task.template.labels
        head = EmbeddingHead.fit(
            bench.embedder, texts, labels, label_names=names, seed=bench.settings.examples.seed
        )
        head.save(artifact)
    return baselines.embedding_head(head, bench.task.template, size_bytes=_size(artifact))


def _expert(bench: Workbench, shots: Shots, artifact: Path) -> System:
    note = f"the task file's expert, {bench.expert_classifier.id}"
    template = bench.task.template
    return System("expert classifier", "expert", bench.expert_classifier, template.conversation, note=note)


def _zero_shot(bench: Workbench, shots: Shots, artifact: Path) -> System:
    return baselines.zero_shot(bench.model, bench.task.template)


def _shots_in_prompt(bench: Workbench, shots: Shots, artifact: Path) -> System:
    return baselines.shots_in_prompt(bench.model, shots, bench.task.template, fits=bench.fits)


def _nearest_in_prompt(bench: Workbench, shots: Shots, artifact: Path) -> System:
    return baselines.nearest_in_prompt(bench.model, shots, bench.task.template, embedder=bench.embedder)


def _lora_on_shots(bench: Workbench, shots: Shots, artifact: Path) -> System:
    from kshot.models.train import TrainSettings, train_lora

    template = bench.task.template
    if not artifact.is_dir():
        conversations = [template.conversation(shot) for shot in shots]
        targets = [template.target(shot) for shot in shots]
        width = bench.model.model.config.get_text_config().hidden_size
        # 2e-4 suits widths of 2048 and more; below, the rate of Adam grows as the width shrinks
        rate = 2e-4 * max(1.0, 2048 / width)
        settings = TrainSettings(seed=bench.settings.examples.seed, epochs=20, learning_rate=rate)
        train_lora(bench.model, conversations, targets, out=artifact, settings=settings)
    model = bench.model.adapted(artifact)
    note = f"fine-tuned on {len(shots)} shots"
    return System(
        "LoRA on the shots", "trained", model, template.conversation, size_bytes=_size(artifact), note=note
    )


def _best_on_shots(bench: Workbench, shots: Shots, artifact: Path) -> System:
    scores = bench.scores
    columns = [scores.shot_ids.index(shot.id) for shot in shots]
    best = baselines.best_on_shots(scores.experts, scores.right[:, columns], scores.answer_loss[:, columns])
    entry = next(entry for entry in bench.experts if entry.name == scores.experts[best])
    share = float(scores.right[best, columns].mean())
    note = f"{entry.name}: selection score {share:.3f} on {len(columns)} shots"
    return _adapter_system(bench, entry, "best adapter on the shots", note)


def _adapter_recipe(entry: BankEntry) -> Recipe:
    name = f"adapter: {entry.name}"

    def build(bench: Workbench, shots: Shots, artifact: Path) -> System:
        return _adapter_system(bench, entry, name, "one adapter of the bank")

    needs = frozenset({"model", "bank"})
    return Recipe(name, "adapter", build, needs, uses_shots=False, identity=entry.sha256 or "")


def _adapter_system(bench: Workbench, entry: BankEntry, name: str, note: str) -> System:
    model = bench.model.adapted(entry.folder)
    prompt = bench.task.template.conversation
    return System(name, "adapter", model, prompt, size_bytes=entry.size_bytes, note=note)


def _model_recipe(path: str) -> Recipe:
    name = f"model: {Path(path).name}"

    def build(bench: Workbench, shots: Shots, artifact: Path) -> System:
        model = bench.load_model(str(bench.settings.resolve(path)))
        return System(
            name, "model", model, bench.task.template.conversation, note="a model of the task file, zero-shot"
        )

    return Recipe(name, "model", build, uses_shots=False, identity=path)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0


def chosen(
    recipes: Sequence[Recipe], names: Sequence[str] | None
) -> tuple[tuple[Recipe, ...], tuple[str, ...]]:
    """The recipes that the task file asks for (all if it names none), and the names that fit no recipe.

    ``adapters`` stands for every single adapter. Names compare without case, blanks and punctuation.
    """
    if not names:
        return tuple(recipes), ()
    wanted = {_plain(name): name for name in names}
    kept = tuple(recipe for recipe in recipes if _plain(recipe.name) in wanted or _group(recipe) in wanted)
    known = {_plain(recipe.name) for recipe in recipes} | {_group(recipe) for recipe in recipes}
    return kept, tuple(name for plain, name in wanted.items() if plain not in known)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _group(recipe: Recipe) -> str:
    return "adapters" if recipe.name.startswith("adapter:") else ""
