"""The command line: parse, call, print. Nothing heavy is imported until a verb runs."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import NoReturn

import typer

from kshot.cli import (
    act,
    bank,
    calls,
    data,
    experts,
    explore,
    explore_judge,
    judge,
    mix,
    moe,
    panda,
    panda_pool,
    serve,
    task,
    train,
    work,
)

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
app.command("experts")(experts.experts)
app.command("data")(data.data)
app.command("mix")(mix.mix)
app.command("train")(train.train)
app.command("compare")(judge.compare)
app.add_typer(bank.app, name="bank")
app.add_typer(moe.app, name="moe")
app.add_typer(panda.app, name="panda")
app.add_typer(explore.app, name="explore")
app.add_typer(calls.app, name="calls")
app.command("serve")(serve.serve)
app.command("config-schema")(task.config_schema)

for verb in (
    panda_pool.inspect, panda_pool.search, panda_pool.prune, panda_pool.merge, panda_pool.deduplicate,
    panda_pool.diff, panda_pool.export,
):  # fmt: skip
    panda.app.command()(verb)
explore.app.command("judge")(explore_judge.judge)
explore.app.command("vote")(explore_judge.vote)
explore.app.command("review")(explore_judge.review)
explore.app.command("maths")(explore_judge.maths)
panda.app.command("import")(panda_pool.import_)
panda.app.command("act")(act.act)

STOPPED = 130
# what the system refuses for reasons of its own; no trace of calls would tell more
REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}
# ClickException: of click, or of the copy that newer typer carries
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[2]


def main() -> None:
    """Runs a verb. Exit codes: 0 done, 2 the input is wrong, 130 stopped by Ctrl-C, 1 anything else."""
    from kshot.errors import InputError, KshotError

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    _make_streams_safe()
    try:
        code = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except InputError as error:
        _fail(str(error), 2)
    except KshotError as error:
        _fail(str(error), 1)
    except USAGE_ERROR as error:
        _fail_usage(error)
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except BrokenPipeError:
        _drop_output()
        code = 1
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            _fail(f"{str(error.filename)[:60]}...: no file can have so long a name", 2)
        if error.errno not in REFUSALS:
            raise
        if error.filename is None:  # files are written by functions that name them
            _drop_output()
        _fail(f"{error.filename or 'standard output'}: cannot be read or written ({error.strerror})", 1)
    if code == STOPPED:  # newer typer turns Ctrl-C into this code, older typer into Abort
        _fail("stopped; the same command goes on from here", STOPPED)
    sys.exit(code)


def _make_streams_safe() -> None:
    """Where a stream was closed there is none to print to; names that are no UTF-8 are printed escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the end
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _fail(message: str, code: int) -> NoReturn:
    from kshot.report.terminal import printable

    lines = [printable(line) for line in message.splitlines()]  # names may hold terminal codes
    print("\n".join([f"kshot: {lines[0] if lines else ''}", *lines[1:]]), file=sys.stderr)
    sys.exit(code)


def _fail_usage(error: Exception) -> NoReturn:
    """Says what is wrong with a command, or nothing where help was shown for want of a verb."""
    if type(error).__name__ == "NoArgsIsHelpError":  # older click has no such class
        print(_message(error), end="")
        sys.exit(2)
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "kshot"
    _fail(f"{' '.join(_message(error).split()).rstrip('.')}; see `{command} --help`", 2)


def _message(error: Exception) -> str:
    return str(getattr(error, "format_message", error.__str__)())


def _drop_output() -> None:
    """Standard output cannot be written to; what is left in its buffer goes nowhere, without a word."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
