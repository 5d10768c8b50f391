"""``panda ablate``: one task with its report, or several with a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kshot.cli.act_tables import ablate_worlds, is_worlds, refuse_world_options
from kshot.cli.panda_given import setting_of, tasks_of

if TYPE_CHECKING:
    from kshot.pipeline.panda.evaluation import Evaluation
    from kshot.pipeline.panda.tables import TableTask
    from kshot.report.panda import PandaSummary
    from kshot.report.write import ReportPaths


def ablate_named(given: dict[str, Any]) -> None:
    """Learns and judges the named tasks; one task's report lies in the folder itself.

    Raises:
        InputError: A task or an option cannot be used.
        BudgetError: A limit was reached; what was answered is in the journal.
        KshotError: Of several tasks some are not finished; the summary names them.
    """
    from dataclasses import replace

    from kshot.cli.progress import listener
    from kshot.pipeline.panda.ablate_job import ablate_task

    if is_worlds(given["tasks"]):
        ablate_worlds(given)
        return
    refuse_world_options(given)
    found, asked = tasks_of(given, given["tasks"]), evaluation_of(given)
    if len(found) > 1:
        _ablate_several(found, asked, given)
        return
    one = found[0]
    with listener() as listen:
        _, paths = ablate_task(
            one.task, given["out"], one.learning, replace(asked, official=one.official), listener=listen
        )
    _show(paths, given)


def evaluation_of(given: dict[str, Any]) -> Evaluation:
    """What is judged, as the options say."""
    from kshot.pipeline.panda.ablate_job import PAPER
    from kshot.pipeline.panda.ablations import QUESTIONS
    from kshot.pipeline.panda.conditions import NAMES
    from kshot.pipeline.panda.evaluation import Evaluation

    chosen, others = tuple(given["questions"] or PAPER), given["others"] or ()
    return Evaluation(
        setting=setting_of(given["setting"]),
        names=tuple(given["conditions"] or NAMES),
        questions=QUESTIONS if "all" in chosen else () if "none" in chosen else chosen,
        pools={folder.name: folder for folder in others},
        irrelevant=others[0] if others else None,
        most=given["limit"],
        simulated=given["simulated"],
    )


def _ablate_several(found: list[TableTask], asked: Evaluation, given: dict[str, Any]) -> None:
    from kshot.cli.progress import listener
    from kshot.data.taskfile.settings import BudgetSection
    from kshot.pipeline.panda.tables import ablate_tasks

    limits = {name: given[name] for name in ("calls", "tokens", "usd") if given[name] is not None}
    with listener() as listen:
        summary, paths = ablate_tasks(
            found, given["out"], asked, limits=BudgetSection(**limits) if limits else None, listener=listen
        )
    _show(paths, given)
    _refuse_missing(summary)


def _refuse_missing(summary: PandaSummary) -> None:
    from kshot.errors import KshotError, collected

    if summary.missing:
        told = collected([f"{name}: {why}" for name, why in summary.missing.items()], shown=11)
        count = f"{len(summary.missing)} of {len(summary.missing) + len(summary.single)} tasks"
        raise KshotError(f"{count} are not finished; the same command goes on for free\n{told}")


def _show(paths: ReportPaths, given: dict[str, Any]) -> None:
    print((paths.json if given["as_json"] else paths.markdown).read_text(encoding="utf-8"))
    if not given["as_json"]:
        print(f"report: {paths.html}")
