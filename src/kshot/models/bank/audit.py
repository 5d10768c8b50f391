"""What is wrong with the adapters of a bank, judged by their tensors and not by what their cards say.

Each adapter is read once, one at a time: headers and configuration; fit with the base, tensor by tensor;
numbers; strength. Those that pass are compared with one another; so no copy of a broken adapter can put the
blame on an honest one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, final

from kshot.errors import AdapterError, collected
from kshot.models.bank.base_weights import BaseWeights
from kshot.models.bank.copies import Sketch, Sketcher, copies
from kshot.models.bank.entry import BankEntry
from kshot.models.bank.tokenizer import tokenizer_problem
from kshot.models.hf.loading import resolved
from kshot.models.lora.adapter import LoraAdapter
from kshot.models.lora.config import Problem
from kshot.models.lora.files import AdapterFiles, Pair, adapter_files

# half a unit in the last place of bfloat16, next to a power of two
_BF16_STEP = 2.0**-9
_WARNINGS = frozenset({"zero_b", "no_effect", "exact_duplicate", "near_duplicate", "tokenizer"})


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one adapter.

    Attributes:
        name: The adapter, as the bank calls it.
        level: ``refuse``: it must not be used with this base; ``warn``: it can be, and should perhaps not.
        code: For programs: ``nan``, ``near_duplicate`` and so on.
        sentence: For people.
    """

    name: str
    level: Literal["refuse", "warn"]
    code: str
    sentence: str


@final
@dataclass(frozen=True, slots=True)
class Audit:
    """The findings on a bank, by adapter name, and who passed.

    Attributes:
        names: Every adapter of the bank, sorted.
        findings: What is wrong.
        notes: (name, sentence) that blame nobody: another base is declared, no training data is stated.
        base: The base that fits were judged by, or None.
    """

    names: tuple[str, ...]
    findings: tuple[Finding, ...]
    notes: tuple[tuple[str, str], ...] = ()
    base: str | None = None

    @property
    def refused(self) -> tuple[str, ...]:
        """Names that must not be used, sorted."""
        bad = {finding.name for finding in self.findings if finding.level == "refuse"}
        return tuple(name for name in self.names if name in bad)

    @property
    def usable(self) -> tuple[str, ...]:
        """Names that can be used, those with warnings included, sorted."""
        bad = set(self.refused)
        return tuple(name for name in self.names if name not in bad)

    @property
    def clean(self) -> tuple[str, ...]:
        """Names that nothing is said against, sorted."""
        named = {finding.name for finding in self.findings}
        return tuple(name for name in self.names if name not in named)

    def rows(self) -> list[dict[str, Any]]:
        """One JSON object a finding: name, level, code, sentence."""
        return [asdict(finding) for finding in self.findings]

    def to_json(self) -> dict[str, Any]:
        """Everything as one JSON object."""
        return {
            "base": self.base,
            "adapters": list(self.names),
            "usable": list(self.usable),
            "refused": list(self.refused),
            "findings": self.rows(),
            "notes": [{"name": name, "sentence": sentence} for name, sentence in self.notes],
        }


@dataclass(frozen=True, slots=True)
class _Passed:
    """An adapter that is worth comparing with others."""

    entry: BankEntry
    sketch: Sketch


def audited(entries: Sequence[BankEntry], *, base: str | Path | None) -> Audit:
    """Audit the adapters of a bank; ``Bank.audit`` is the usual way here.

    Raises:
        ModelError: The base cannot be read.
    """
    weights = BaseWeights.read(resolved(base)) if base is not None else None
    found: list[Finding] = []
    passed: list[_Passed] = []
    sketcher = Sketcher()
    for entry in entries:
        problems, sketch = _examined(entry, weights, sketcher)
        found += [_finding(entry, problem) for problem in _grouped(problems)]
        if sketch is not None:
            passed.append(_Passed(entry, sketch))
    found += _copies(passed)
    notes = [(entry.name, note) for entry in entries for note in _notes(entry, weights)]
    order = {entry.name: at for at, entry in enumerate(entries)}
    found.sort(key=lambda finding: order[finding.name])
    return Audit(tuple(order), tuple(found), tuple(notes), None if base is None else str(base))


def _examined(
    entry: BankEntry, base: BaseWeights | None, sketcher: Sketcher
) -> tuple[list[Problem], Sketch | None]:
    """Problems of one adapter, and its sketch where it can be compared with others."""
    files = adapter_files(entry.folder)
    if files.problems:
        return list(files.problems), None
    problems = _fit(files, base) if base else []
    try:
        adapter = LoraAdapter.load(entry.folder, name=entry.name)
    except AdapterError as error:
        return [*problems, Problem("damaged", str(error))], None
    if broken := adapter.non_finite():
        problems.append(Problem("nan", f"holds NaN or infinity in {_listed(broken)}"))
    if problems and any(problem.code not in _WARNINGS for problem in problems):
        return problems, None
    try:
        problems += _strength(adapter, base)
        weak = any(problem.code in ("zero_b", "no_effect") for problem in problems)
        return problems, None if weak else sketcher.sketch(adapter)
    except AdapterError as error:
        return [*problems, Problem("too_large", str(error))], None


def _fit(files: AdapterFiles, base: BaseWeights) -> list[Problem]:
    """Every module against the base's tensors, then the base's modules against the targets."""
    prefix = base.prefix_for(files.pairs)
    problems = [p for module, pair in files.pairs.items() if (p := _misfit(module, pair, base, prefix))]
    config = files.config
    if config is not None and config.targets != "all-linear" and not problems:
        wanted = [prefix + module for module in base.matrices() if config.is_target(prefix + module)]
        if absent := [module for module in wanted if module not in files.pairs]:
            text = f"{len(absent)} target modules have no weights ({_listed(absent)}): they would be zeros"
            problems.append(Problem("missing_key", text))
    if tokens := tokenizer_problem(files.folder, base.folder, rows=base.rows):
        problems.append(tokens)
    return problems


def _misfit(module: str, pair: Pair, base: BaseWeights, prefix: str) -> Problem | None:
    if not base.has(module, prefix=prefix):
        return Problem("unknown_module", f"module {module} is unknown to this base")
    shape = base.shape(module, prefix=prefix)
    own = (pair.b.shape[0], pair.a.shape[1])
    if shape is not None and shape != own:
        return Problem("shape", f"{module} is made for a weight of {own}, the base has {shape}")
    return None


def _strength(adapter: LoraAdapter, base: BaseWeights | None) -> list[Problem]:
    """All zero, or too weak to move the output of any layer in bfloat16.

    For an input x, |s B A x| is at most |s B A|_F |x|, while |W x| is |W|_F |x| / sqrt(in) on average over
    directions. Where the quotient stays below half a unit in the last place of bfloat16, even the input that
    the adapter reads best leaves the sum as it was. Without a base, W is taken to keep the length of x.
    """
    if adapter.norm() == 0:
        return [Problem("zero_b", "changes nothing: all its B (or all its A) are zero, as before training")]
    prefix = base.prefix_for(adapter.modules) if base else ""
    strongest = 0.0
    lengths = {module: delta.norm() for module, delta in adapter.modules.items()}
    for module in sorted(lengths, key=lambda name: (-lengths[name], name)):
        width = adapter.modules[module].shape[1]
        whole = base.norm(module, prefix=prefix) if base else None
        gain = 1.0 if whole is None or not math.isfinite(whole) else whole / math.sqrt(width)
        strongest = max(strongest, lengths[module] / gain if gain else math.inf)
        if strongest >= _BF16_STEP:
            return []
    against = "the base's own output" if base else "an input of the same length"
    return [Problem("no_effect", f"is too weak to act: at best {strongest:.1e} of {against}, where bfloat16 "
                    f"resolves {_BF16_STEP:.1e}")]  # fmt: skip


def _copies(passed: Sequence[_Passed]) -> list[Finding]:
    """The later by name of each group of copies; the first is clean."""
    ranked = sorted(passed, key=lambda one: one.entry.name)

    def opened(at: int) -> LoraAdapter:
        return LoraAdapter.load(ranked[at].entry.folder, name=ranked[at].entry.name)

    found = copies(
        [one.sketch for one in ranked], [one.entry.sha256 or "" for one in ranked], open_adapter=opened
    )
    findings = []
    for copy in found:
        entry, original = ranked[copy.position].entry, ranked[copy.original].entry
        if copy.exact:
            same = "has the same file as" if entry.sha256 == original.sha256 else "does exactly the same as"
            problem = Problem("exact_duplicate", f"is an exact duplicate: it {same} {original.name}")
        else:
            problem = Problem(
                "near_duplicate", f"nearly repeats {original.name} (delta cosine {copy.cosine:.6f})"
            )
        findings.append(_finding(entry, problem))
    return findings


def _notes(entry: BankEntry, base: BaseWeights | None) -> list[str]:
    notes = []
    if base and entry.base and entry.base.rstrip("/").rsplit("/", 1)[-1].casefold() not in base.names:
        notes.append(f"declares the base {entry.base}; fit is judged by tensor shapes alone")
    if not entry.datasets:
        notes.append("its card states no training data, so nobody can tell whether it saw test rows")
    return notes


def _finding(entry: BankEntry, problem: Problem) -> Finding:
    return Finding(
        entry.name, "warn" if problem.code in _WARNINGS else "refuse", problem.code, problem.sentence
    )


def _grouped(problems: Sequence[Problem]) -> list[Problem]:
    """One problem a code: the first sentence stands for the others."""
    by_code: dict[str, list[str]] = {}
    for problem in problems:
        by_code.setdefault(problem.code, []).append(problem.sentence)
    return [
        Problem(code, collected(sentences, shown=1).replace("\n", "; "))
        for code, sentences in by_code.items()
    ]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
