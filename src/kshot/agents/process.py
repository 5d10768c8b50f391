"""An environment in a process of its own: its crash, its memory and its Java machine stay there."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, TypeAlias, final

from kshot.agents.base import Environment, Split, State, WorldError
from kshot.agents.memory import peak_bytes
from kshot.errors import InputError, KshotError

Maker: TypeAlias = Callable[[], Environment]
PATIENCE = 300.0  # seconds until a silent environment counts as hung: the longest load seen took 5
_ENDING = 5.0


@final
class ProcessEnvironment:
    """The environment of a ``Maker`` in a fresh process, behind the same seam. One user at a time.

    The maker travels to the process: a function of a module, or an object like ``ScienceWorldMaker``. No
    model and no pool goes there, so that such a process holds the environment alone.

    Raises:
        InputError: The environment cannot be opened here.
        WorldError: It failed, its process died, or it was silent for ``patience`` seconds; the process is
            ended then.

    Example::

        with closing(ProcessEnvironment(ScienceWorldMaker("boil"))) as world:
            print(world.reset(0).task, world.peak_bytes())
    """

    def __init__(self, maker: Maker, *, patience: float = PATIENCE) -> None:
        context = multiprocessing.get_context("spawn")
        self._patience = patience
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, maker), daemon=True)
        self._process.start()
        theirs.close()
        self._closing = threading.Lock()
        self._name = "environment"
        opened: tuple[str, int] = self._received()
        self._name, self._move_limit = opened

    @property
    def name(self) -> str:
        """The environment's."""
        return self._name

    @property
    def move_limit(self) -> int:
        """The environment's."""
        return self._move_limit

    @property
    def process_id(self) -> int:
        """Of the process."""
        process_id: int | None = self._process.pid
        return process_id or 0

    def variations(self, split: Split) -> Sequence[int]:
        """The environment's."""
        found: Sequence[int] = self._ask("variations", split)
        return found

    def reset(self, episode: int) -> State:
        """The environment's."""
        return self._state("reset", episode)

    def step(self, action: str) -> State:
        """The environment's."""
        return self._state("step", action)

    def valid_actions(self) -> Sequence[str]:
        """The environment's."""
        found: Sequence[str] = self._ask("valid_actions")
        return found

    def gold_actions(self, episode: int) -> Sequence[str]:
        """The environment's."""
        found: Sequence[str] = self._ask("gold_actions", episode)
        return found

    def peak_bytes(self) -> int:
        """Most memory that the process and all below it took by now; 0 where the system does not tell."""
        found: int = self._ask("peak_bytes")
        return found

    def close(self) -> None:
        """Ends the process, and with it what it started."""
        with self._closing, contextlib.suppress(ValueError):  # ValueError: it was closed before
            if self._process.is_alive():
                with contextlib.suppress(OSError):
                    self._connection.close()  # the process sees the end, and closes the environment
                self._process.join(_ENDING)
            if self._process.is_alive():
                self._process.kill()
            self._process.join()
            self._connection.close()
            self._process.close()

    def kill(self) -> None:
        """Ends the process at once; whoever waits for its answer gets a ``WorldError``."""
        with contextlib.suppress(ValueError):
            self._process.kill()

    def _state(self, method: str, value: int | str) -> State:
        found: State = self._ask(method, value)
        return found

    def _ask(self, method: str, *values: object) -> Any:
        try:
            self._connection.send((method, values))
        except OSError as error:
            self.close()
            raise WorldError(f"{self._name}: its process is gone ({error})") from error
        return self._received()

    def _received(self) -> Any:
        try:
            if not self._connection.poll(self._patience):
                self.kill()
                told = f"no answer for {self._patience:.0f} s; its process is ended"
                raise WorldError(f"{self._name}: {told}")
            kind, value = self._connection.recv()
        except (EOFError, OSError) as error:
            code = self._exit_code()
            self.close()
            raise WorldError(f"{self._name}: its process died (exit code {code})") from error
        if kind == "done":
            return value
        if kind == "input":
            self.close()
            raise InputError(value)
        raise WorldError(value)

    def _exit_code(self) -> int | None:
        with contextlib.suppress(ValueError):
            self._process.join(_ENDING)
            return self._process.exitcode
        return None


def _serve(connection: Connection, maker: Maker) -> None:
    """The process: answers one request after the other until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes its end
    environment: Environment | None = None
    try:
        try:
            environment = maker()
            connection.send(("done", (environment.name, environment.move_limit)))
        except InputError as error:
            connection.send(("input", str(error)))
            return
        except Exception as error:  # whatever it is: the other side waits for an answer
            connection.send(("error", f"the environment did not open: {type(error).__name__}: {error}"))
            return
        while True:
            method, values = connection.recv()
            connection.send(_answer(environment, method, values))
    except (EOFError, OSError):
        return
    finally:
        if environment is not None:
            environment.close()


def _answer(environment: Environment, method: str, values: tuple[Any, ...]) -> tuple[str, Any]:
    if method == "peak_bytes":
        return "done", peak_bytes(os.getpid())
    try:
        return "done", getattr(environment, method)(*values)
    except Exception as error:
        told = str(error) if isinstance(error, KshotError) else f"{type(error).__name__}: {error}"
        return "error", told
