"""``python -m kshot.models.fake``: the fake server as a process of its own; its address is the first line."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kshot.errors import InputError, KshotError
from kshot.models.fake.faults import SHARES, Faults
from kshot.models.fake.ontology import stated_speaker
from kshot.models.fake.replies import Script, request_text
from kshot.models.fake.server import FakeServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is told to stop (Ctrl-C or SIGTERM)."""
    options = _parser().parse_args(arguments)
    try:
        server = FakeServer(
            _script(options.reply) if options.ontology is None else stated_speaker(options.ontology),
            faults=_faults(options),
            models=options.model or ("fake",),
            api_key=_key(options.api_key_env),
            port=options.port,
        )
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        with server:
            print(server.base_url, flush=True)
            stop.wait()
    except KshotError as error:
        print(f"fake server: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kshot.models.fake", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--reply", default="echo", help="echo, fixed:TEXT, or a JSON file: a list, or an object by user text"
    )
    parser.add_argument(
        "--ontology",
        metavar="SHAPE[:NAME=VALUE,...]",
        help="a simulated model of a made-up domain, to try `kshot explore` on: 8x6x8:s=1.5",
    )
    parser.add_argument("--model", action="append", help="a model's name; may be repeated")
    parser.add_argument("--api-key-env", help="the environment variable that holds the key to demand")
    parser.add_argument("--latency", default="0", help="seconds: one number, or LOWEST,HIGHEST")
    parser.add_argument("--retry-after", help="of a 429: seconds, or date")
    parser.add_argument("--capacity", type=int, help="more in flight than this are answered 429")
    parser.add_argument("--after-paying", action="store_true", help="a reply that is lost was paid")
    parser.add_argument("--seed", type=int, default=0)
    for name in SHARES:
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=0.0, metavar="SHARE")
    return parser


def _faults(options: argparse.Namespace) -> Faults:
    try:
        times = [float(part) for part in options.latency.split(",")]
        after = options.retry_after
        retry_after = after if after in (None, "date") else float(after)
    except ValueError as error:
        raise InputError(f"--latency or --retry-after: {error}; expected seconds") from None
    return Faults(
        **{name: getattr(options, name) for name in SHARES},
        retry_after=retry_after,
        capacity=options.capacity,
        after_paying=options.after_paying,
        latency=(times[0], times[-1]),
        seed=options.seed,
    )


def _script(reply: str) -> Script:
    if reply == "echo":
        return request_text
    if reply.startswith("fixed:"):
        text = reply.removeprefix("fixed:")
        return lambda body: text
    try:
        found: Any = json.loads(Path(reply).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"--reply {reply}: {error}; expected echo, fixed:TEXT or a JSON file") from None
    if not isinstance(found, list | Mapping):
        raise InputError(f"--reply {reply}: expected a list of replies, or an object by user text")
    return found


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    if not os.environ.get(variable):
        raise InputError(f"the environment variable {variable} is not set; set it to the key to demand")
    return os.environ[variable]


if __name__ == "__main__":
    sys.exit(main())
