"""Which adapters of the bank are joined: scored on the shots, cleared by the audit, chosen by a rule."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from kshot.data.example import Example
from kshot.data.taskfile.settings import ExpertsSection
from kshot.errors import InputError
from kshot.methods.experts import (
    RULES,
    Chances,
    ExpertSelection,
    ShotTable,
    coverage_chances,
    pool_chances,
    select,
    select_covering,
)
from kshot.models.bank import BankEntry
from kshot.models.bank.copies import NEAR
from kshot.models.bank.likeness import KINDS, similarity_matrix
from kshot.models.lora.delta import Doubles
from kshot.models.safetensor_files import packed, read_header, write_bytes
from kshot.pipeline.workbench import Workbench

# warnings that stand against choosing an adapter: it adds nothing to the base, or to another adapter
ADDS_NOTHING = ("zero_b", "no_effect", "exact_duplicate")
_GROUPS_SHOWN = 1000
CHOICE_RULES: tuple[str, ...] = ("coverage", *RULES)


@final
@dataclass(frozen=True, slots=True, eq=False)
class ExpertChoice:
    """The adapters that a rule chose from the shots, and why each of the others was left.

    Attributes:
        entries: The chosen adapters, the best ranked first.
        selection: The method's result over those that came into question; positions are those of ``table``.
        table: Their scores on the shots, and how alike they are.
        chances: How often each is in the pool, and chosen, when the shots are drawn again; None for rules
            without groups.
        barred: Name to reason, of the adapters that never came into question.
        settings: What was asked for.
        unrestricted: Names that would be chosen if none were excluded by name; None where none was.
        notes: What the user should know: each a sentence.
    """

    entries: tuple[BankEntry, ...]
    selection: ExpertSelection
    table: ShotTable
    chances: Chances | None
    barred: Mapping[str, str]
    settings: ExpertsSection
    unrestricted: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The chosen adapters' names, the best ranked first."""
        return tuple(entry.name for entry in self.entries)

    def rows(self) -> list[dict[str, Any]]:
        """One JSON object an adapter of the bank: the chosen, the pool, the others by rank, then the barred.

        ``accuracy_error`` and ``perplexity_error`` are standard errors over the shots; None for one shot.
        """
        right = _standard_errors(self.table.right.astype(np.float64))
        with np.errstate(over="ignore"):
            perplexity = _standard_errors(np.exp(self.table.target_loss))
        rows = [
            row | {"accuracy_error": right[at], "perplexity_error": perplexity[at]} | self._chance(at)
            for at, row in enumerate(self.selection.rows())
        ]
        rows.sort(key=lambda row: (not row["chosen"], not row["in_pool"], row["rank_sum"], row["perplexity"]))
        return rows + [
            {"name": name, "in_pool": False, "chosen": False, "left": reason}
            for name, reason in sorted(self.barred.items())
        ]

    def _chance(self, at: int) -> dict[str, float | None]:
        if self.chances is None:
            return {"pool_chance": None, "chosen_chance": None}
        pooled = self.selection.rule != "coverage"  # which has no pool
        return {
            "pool_chance": float(self.chances.in_pool[at]) if pooled else None,
            "chosen_chance": float(self.chances.chosen[at]),
        }

    def to_json(self) -> dict[str, Any]:
        """Everything as one JSON object; of the groups the best 1,000."""
        return {
            "rule": self.selection.rule,
            "similarity": self.settings.similarity,
            "size": self.settings.size,
            "pool": self.settings.pool,
            "shots": int(self.table.right.shape[1]),
            "chosen": list(self.names),
            "chosen_if_none_excluded": None if self.unrestricted is None else list(self.unrestricted),
            "margin": self.selection.margin,
            "approximate": self.selection.approximate,
            "notes": list(self.notes),
            "adapters": [{key: _coded(value) for key, value in row.items()} for row in self.rows()],
            "groups": self.selection.group_rows(_GROUPS_SHOWN),
            "group_count": len(self.selection.groups),
        }


def choose_experts(bench: Workbench, shots: Sequence[Example], *, settings: ExpertsSection) -> ExpertChoice:
    """Choose adapters of the bank by their scores on these shots; the run folder must be open.

    The audit's refusals, adapters that change nothing, exact duplicates and excluded names never come into
    question. Near copies do: diversity, or coverage, deals with them.

    Raises:
        InputError: An excluded name is not in the bank, no adapter is left, or a shot was not scored.
        ModelError: The base or an adapter cannot be used.
    """
    barred = _barred(bench)
    excluded = _excluded(bench, settings)
    scores = bench.scores
    columns = _columns(scores.shot_ids, shots)
    loss, right = scores.target_loss[:, columns], scores.right[:, columns]
    for at in np.flatnonzero(np.isnan(loss).any(axis=1)).tolist():
        lost = int(np.isnan(loss[at]).sum())
        barred.setdefault(scores.experts[at], f"its loss is no number on {lost} of {len(columns)} shots")
    able = [at for at, name in enumerate(scores.experts) if name not in barred]
    free = [at for at in able if scores.experts[at] not in excluded]
    if not free:
        raise InputError(
            "no adapter of the bank is left to choose from: "
            + "; ".join(f"{name}: {reason}" for name, reason in list((barred | excluded).items())[:3])
        )
    names = tuple(scores.experts[at] for at in able)
    alike = _likeness(bench, names, settings)
    table = ShotTable(right[able], loss[able], alike, names)
    seed = bench.settings.examples.seed
    whole = _selected(table, settings, seed) if excluded else None
    kept = table.in_order(np.array([able.index(at) for at in free], dtype=np.int64))
    selection = _selected(kept, settings, seed)
    by_name = {entry.name: entry for entry in bench.experts}
    return ExpertChoice(
        entries=tuple(by_name[kept.names[at]] for at in selection.chosen),
        selection=selection,
        table=kept,
        chances=_chances(kept, selection, settings, seed),
        barred=barred | excluded,
        settings=settings,
        unrestricted=None if whole is None else tuple(table.names[at] for at in whole.chosen),
        notes=selection.notes + (_near_copies(table, excluded) if settings.similarity == "delta" else ()),
    )


def _selected(table: ShotTable, settings: ExpertsSection, seed: int) -> ExpertSelection:
    rule: Any = settings.rule
    if rule == "coverage":
        return select_covering(table, size=settings.size)
    return select(table.candidates, size=settings.size, pool=settings.pool, rule=rule, seed=seed)


def _chances(
    table: ShotTable, selection: ExpertSelection, settings: ExpertsSection, seed: int
) -> Chances | None:
    """None where a rule has no groups, or too many to choose a thousand times."""
    rule: Any = selection.rule
    if rule == "coverage":
        return coverage_chances(table, selection.groups, seed=seed)
    if rule not in ("paper", "released-code") or selection.approximate:
        return None
    return pool_chances(table, size=settings.size, pool=settings.pool, rule=rule, seed=seed)


def asked(settings: ExpertsSection, changes: Mapping[str, Any]) -> ExpertsSection:
    """The task file's section with what the command line changes.

    Raises:
        InputError: There is no such rule or similarity.
    """
    known = {"rule": CHOICE_RULES, "similarity": KINDS}
    for name, value in changes.items():
        if value not in known.get(name, (value,)):
            raise InputError(f"--{name}: {value!r} does not exist; expected one of {', '.join(known[name])}")
    return settings.model_copy(update=dict(changes))


def _barred(bench: Workbench) -> dict[str, str]:
    """Names that the audit takes out, each with its sentences."""
    if bench.bank is None or bench.audit is None:
        lacking = (
            "bank; add `knowledge: {adapters: [FOLDER]}`"
            if bench.bank is None
            else ("base model; add `model: {base: FOLDER}`")
        )
        raise InputError(
            f"experts are chosen from a bank, for a base model; the task file names no {lacking}"
        )
    found: dict[str, str] = {}
    for finding in bench.audit.findings:
        if finding.level == "refuse" or finding.code in ADDS_NOTHING:
            found[finding.name] = "; ".join(filter(None, [found.get(finding.name), finding.sentence]))
    return found


def _excluded(bench: Workbench, settings: ExpertsSection) -> dict[str, str]:
    known = [entry.name for entry in bench.bank.entries] if bench.bank is not None else []
    for name in settings.exclude:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise InputError(f"experts: exclude: the bank has no adapter {name!r}{hint}")
    return dict.fromkeys(settings.exclude, "excluded by name")


def _near_copies(table: ShotTable, excluded: Mapping[str, str]) -> tuple[str, ...]:
    """An excluded adapter may have a copy that is not: by cosine of what they add to the weights."""
    out = [at for at, name in enumerate(table.names) if name in excluded]
    return tuple(
        f"{name} is not excluded, but nearly repeats {table.names[other]}, which is"
        for at, name in enumerate(table.names)
        for other in out
        if at not in out and table.similarity[at, other] > NEAR
    )


def _columns(known: Sequence[str], shots: Sequence[Example]) -> list[int]:
    places = {shot_id: at for at, shot_id in enumerate(known)}
    if not shots:
        raise InputError("there is no shot to choose experts by; expected one at least")
    for shot in shots:
        if shot.id not in places:
            raise InputError(
                f"{shot.source or shot.id}: the bank was not scored on this shot; score it first"
            )
    return [places[shot.id] for shot in shots]


def _likeness(bench: Workbench, names: Sequence[str], settings: ExpertsSection) -> Doubles:
    """(E, E), computed once for a bank and kept in the run folder."""
    entries = [entry for name in names for entry in bench.experts if entry.name == name]

    def make(folder: Any) -> None:
        table = similarity_matrix([entry.folder for entry in entries], kind=settings.similarity)
        write_bytes(folder / "similarity.safetensors", packed({"similarity": table}))

    inputs = {"kind": settings.similarity, "experts": [(entry.name, entry.content) for entry in entries]}
    folder = bench.run.step("expert likeness", inputs, make)
    found: Doubles = np.array(
        read_header(folder / "similarity.safetensors")["similarity"].read(), dtype=np.float64
    )
    return found


def _standard_errors(values: Doubles) -> list[float | None]:
    """(E,) of the means over (E, K)."""
    shots = values.shape[1]
    if shots < 2:
        return [None] * len(values)
    with np.errstate(invalid="ignore", over="ignore"):
        errors = values.std(axis=1, ddof=1) / np.sqrt(shots)
    return [float(error) if np.isfinite(error) else None for error in errors]


def _coded(value: Any) -> Any:
    """JSON has no infinity."""
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value
