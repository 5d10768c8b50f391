"""Elastic fine-tuning: train on the task, mix back with the base, say what both cost and gave."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kshot.errors import ModelError
from kshot.models.folders import check_free
from kshot.models.hf.loading import check_folder, folder_hash, resolved
from kshot.pipeline.elastic.alpha_sweep import SweepRows, alpha_sweep
from kshot.pipeline.elastic.job import ElasticJob, ElasticRows, elastic_rows
from kshot.pipeline.elastic.models import base_model, copied, mixed, opened, trained
from kshot.pipeline.elastic.row_values import judged
from kshot.pipeline.elastic.scores import BASE, MIXED, TUNED, Scored
from kshot.pipeline.elastic.words import card, summary
from kshot.runs import SIZES, Listener, Run, step_key, write_json, write_text

FACTS, SUMMARY, CURVE, CARD = "elastic.json", "elastic.txt", "alpha.html", "README.md"
_MODEL, _TRAINING, _NOTES = "model", "training.json", "notes.json"


@dataclass(frozen=True, slots=True)
class ElasticResult:
    """What an elastic fine-tuning left.

    Attributes:
        folder: The mix: a whole model, or a PEFT LoRA folder; with ``elastic.json``, its summary
            ``elastic.txt`` and, where alpha was chosen, the curve ``alpha.html``.
        facts: What ``elastic.json`` says.
    """

    folder: Path
    facts: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The facts as lines of text."""
        return summary(self.facts)


def elastic(job: ElasticJob, out: Path, *, listener: Listener) -> ElasticResult:
    """Fine-tune on the rows of a task and mix the result back with the base.

    What is done so far stands in a folder ``.NAME.work`` beside ``out``, keyed by its inputs: a process that
    dies is carried on by the same call. At the end ``out`` appears whole and the work folder goes.

    Args:
        job: What is asked for.
        out: The folder to write; absent or empty, or the result of this very job.
        listener: Told how it goes.

    Raises:
        InputError: The rows do not suffice, or the base cannot be used.
        ModelError: ``out`` is not empty, training breaks down, or the models cannot be mixed.
        RunError: Another process works on the same ``out``, or the disk is full.

    Source: LM-Cocktail (arXiv 2311.13534), equation 3: alpha of the fine-tuned, 1 - alpha of the base.

    Example::

        job = ElasticJob("models/base", rows, Template("Name the capital."), keep_general=0.7)
        print(elastic(job, Path("capitals"), listener=told).text)
    """
    folder = resolved(job.base, revision=job.revision)
    check_folder(folder)
    inputs = _inputs(job, folder)
    key, work = step_key(inputs), out.absolute().parent / f".{out.name}.work"
    run = Run(work, listener=listener)
    facts = _finished(out, key)
    if facts is None:
        for place in filter(None, (out, job.keep_fine_tuned)):
            check_free(place)
        rows = elastic_rows(job, seed=job.training["seed"])
        try:
            with run.open():
                facts = _Workshop(job, run, folder, rows).make(out, inputs, key)
        except BaseException:
            if not any(work.glob(f"steps/*/*/{SIZES}")):  # no step is done that a later call could go on from
                shutil.rmtree(work, ignore_errors=True)
            raise
    if job.keep_fine_tuned is not None:
        _keep(work / facts["fine_tuned"], job.keep_fine_tuned)
    shutil.rmtree(work, ignore_errors=True)
    return ElasticResult(out, facts)


@dataclass(frozen=True, slots=True)
class _Workshop:
    """One job at work in its folder."""

    job: ElasticJob
    run: Run
    base: Path
    rows: ElasticRows

    def make(self, out: Path, inputs: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Train, choose, mix, measure, and put the result in its place."""
        tuned = self._tuned(inputs)
        told = json.loads((tuned / _TRAINING).read_text(encoding="utf-8"))
        sweep = self._sweep(inputs, tuned / _MODEL)
        given = self.job.keep_general
        alpha: float | None = sweep["chosen"] if sweep else None if given == "auto" else given
        made = self._mixed(inputs, tuned / _MODEL, alpha)
        notes: list[str] = json.loads((made / _NOTES).read_text(encoding="utf-8"))
        scores = [each.to_json(self.job.metric) for each in self._scores(tuned, made, alpha)]
        facts = self._facts(alpha, told) | {
            "sweep": sweep,
            "scores": scores,
            "notes": [*(sweep["notes"] if sweep else ()), *notes],
            "inputs": dict(inputs),
            "key": key,
            "fine_tuned": (tuned / _MODEL).relative_to(self.run.folder).as_posix(),
        }
        plain: dict[str, Any] = json.loads(json.dumps(facts))  # as a later call reads it from the disk
        _place(made / _MODEL, out, plain)
        return plain

    def _tuned(self, inputs: Mapping[str, Any]) -> Path:
        """The folder of the finished training: the model, and what is told of it."""

        def make(folder: Path) -> None:
            result = trained(self.job, self.rows, folder=self.base, out=folder / _MODEL, on_step=self._told)
            told = {"steps": result.steps, "first_loss": result.losses[0], "last_loss": result.losses[-1]}
            write_json(folder / _TRAINING, told | {"too_long": len(result.too_long)})

        needed = {name: inputs[name] for name in ("base", "method", "template", "settings")}
        return self.run.step("fine-tune", needed | {"rows": [row.id for row in self.rows.learned]}, make)

    def _sweep(self, inputs: Mapping[str, Any], tuned: Path) -> dict[str, Any] | None:
        if not self.job.alpha_is_chosen:
            return None

        def told(at: int, of: int) -> None:
            self.run.event("alpha", at=at, of=of)

        def make(folder: Path) -> None:
            job = self.job
            rows = SweepRows(self.rows.held, self.rows.general, job.template, job.words)
            found = alpha_sweep(
                base_model(job), tuned, rows, alphas=job.alphas, metric=job.metric, on_point=told
            )
            write_json(folder / "sweep.json", found.to_json())

        done = self.run.step("alpha", inputs, make)
        found: dict[str, Any] = json.loads((done / "sweep.json").read_text(encoding="utf-8"))
        return found

    def _mixed(self, inputs: Mapping[str, Any], tuned: Path, alpha: float | None) -> Path:
        """The folder of the result, and what was odd about it."""

        def make(folder: Path) -> None:
            share = 1.0 if alpha is None else alpha
            notes = mixed(self.base, tuned, folder / _MODEL, alpha=share, merge=self.job.merge)
            write_json(folder / _NOTES, notes)

        return self.run.step("mix", {**inputs, "alpha": alpha}, make)

    def _scores(self, tuned: Path, made: Path, alpha: float | None) -> Iterator[Scored]:
        """Every model on every set of rows that is at hand; one model is loaded at a time."""
        job, rows, chosen = self.job, self.rows, self.job.alpha_is_chosen
        sets = [
            ("held-back rows", "target", chosen, rows.held, job.template),
            ("test", "target", False, job.test, job.template),
            ("general rows", "general", chosen, rows.general, job.words),
            ("general test", "general", False, job.general_test, job.words),
        ]
        sets = [each for each in sets if each[3]]
        found: list[dict[str, Any]] = [{} for _ in sets]
        models = {BASE: self.base, TUNED: tuned / _MODEL} | ({} if alpha is None else {MIXED: made / _MODEL})
        for name, folder in models.items() if sets else ():
            self.run.event("judging", name=name)
            model = base_model(job) if name == BASE else opened(job, folder)
            for place, (_, _, _, asked, template) in enumerate(sets):
                found[place][name] = judged(model, asked, template, metric=job.metric)
        for (name, side, selection, _, _), values in zip(sets, found, strict=True):
            yield Scored(name, side, selection, values)

    def _told(self, step: int, steps: int, loss: float) -> None:
        self.run.event("training", name="fine-tuning", step=step, steps=steps, loss=loss)

    def _facts(self, alpha: float | None, told: Mapping[str, Any]) -> dict[str, Any]:
        job, rows = self.job, self.rows
        counts = {
            "given": len(job.rows), "learned": len(rows.learned) - told["too_long"],
            "held_back": len(rows.held), "general": len(rows.general), "test": len(job.test),
            "general_test": len(job.general_test), "dropped": dict(rows.dropped),
            "too_long": told["too_long"],
        }  # fmt: skip
        return {
            "base": job.base,
            "method": job.method,
            "merged": job.merge,
            "alpha": alpha,
            "alpha_is_chosen": job.alpha_is_chosen,
            "metric": job.metric,
            "rows": counts,
            "training": dict(told),
        }


def _inputs(job: ElasticJob, folder: Path) -> dict[str, Any]:
    """All that the result depends on, as plain values."""
    lists = ("rows", "general", "test", "general_test")
    return {
        "base": folder_hash(folder),
        "method": job.method,
        "template": dataclasses.asdict(job.template),
        "general_template": dataclasses.asdict(job.words),
        "settings": dict(job.training),
        "rows": step_key({name: [row.id for row in getattr(job, name)] for name in lists}),
        "keep_general": job.keep_general,
        "held_back": job.held_back,
        "metric": job.metric,
        "alphas": list(job.alphas),
        "merge": job.merge,
    }


def _finished(out: Path, key: str) -> dict[str, Any] | None:
    """The facts of a result that stands in its place and is of this very job."""
    try:
        facts: dict[str, Any] = json.loads((out / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) and facts.get("key") == key else None


def _place(made: Path, out: Path, facts: Mapping[str, Any]) -> None:
    """The finished folder with its facts, moved to its name in one step."""
    write_json(made / FACTS, facts)
    write_text(made / SUMMARY, summary(facts))
    write_text(made / CARD, card(facts))
    if facts["sweep"] is not None:
        from kshot.report.cocktail import alpha_page

        write_text(made / CURVE, alpha_page(facts["sweep"]))
    check_free(out)
    try:
        made.replace(out)
    except OSError as error:
        raise ModelError(f"{out}: cannot be written ({error.strerror})") from error


def _keep(tuned: Path, out: Path) -> None:
    """The fine-tuned model copied to its own place, unless it stands there from an earlier call.

    Raises:
        ModelError: It was not kept when the mix was made.
    """
    if out.is_dir() and any(out.iterdir()):
        return
    if not tuned.is_dir():
        raise ModelError(
            f"{out}: the fine-tuned model was not kept when the mix was made; delete the mix and train again"
        )
    copied(tuned, out)
