"""The command line: parse, call, print. Nothing heavy is imported until a verb runs."""

from __future__ import annotations

import os
import sys

import typer

from kshot.cli import bank, judge, task, work

app = typer.Typer(
    name="kshot",
    help="Expertise in a task from 5 to 50 labelled examples, with honest held-out evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("init")(task.init)
app.command("doctor")(task.doctor)
app.command("validate")(task.validate)
app.command("run")(work.run)
app.command("predict")(work.predict)
app.command("compare")(judge.compare)
app.add_typer(bank.app, name="bank")
app.command("config-schema")(task.config_schema)


def main() -> None:
    """Runs a verb. Exit codes: 0 done, 2 the input is wrong, 1 anything else."""
    from kshot.errors import InputError, KshotError

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        app()
    except InputError as error:
        _fail(str(error), 2)
    except KshotError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("stopped; the same command goes on from here", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _fail(message: str, code: int) -> None:
    print(f"kshot: {message}", file=sys.stderr)
    sys.exit(code)
