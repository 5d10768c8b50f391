"""A running program in the sandbox, followed until it ends or reaches a limit."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from typing import IO, Any

from kshot.errors import SandboxError

READY = b"ready"  # on the status pipe just before the program begins; anything else is a failure
_TAIL = 20_000  # characters of output that are kept
_START_SECONDS = 30.0  # for Python and the isolation to start, beside the program's own time


class Watch:
    """Follows a running program: keeps the tails of what it prints, and stops it at a limit."""

    def __init__(
        self, process: subprocess.Popen[bytes], status: IO[bytes], *, seconds: float, output_mb: float
    ) -> None:
        self._process, self._status, self._seconds = process, status, seconds
        self._room = int(output_mb * 2**20)
        self._tails: dict[Any, bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}

    @property
    def output(self) -> str:
        """The tail of what the program printed."""
        return self._text(self._process.stdout)

    @property
    def errors(self) -> str:
        """The tail of its error output."""
        return self._text(self._process.stderr)

    def follow(self) -> str:
        """Why the program was stopped (``time``, ``output``), or an empty text if it ended by itself.

        Raises:
            SandboxError: The isolation failed, so that the program never began.
        """
        deadline = time.monotonic() + _START_SECONDS
        said = b""
        with selectors.DefaultSelector() as selector:
            for stream in (self._process.stdout, self._process.stderr, self._status):
                selector.register(stream, selectors.EVENT_READ)  # type: ignore[arg-type]
            while selector.get_map():
                for key, _ in selector.select(max(0.0, deadline - time.monotonic())):
                    if not (piece := os.read(key.fd, 65536)):
                        selector.unregister(key.fileobj)
                    if key.fileobj is not self._status:
                        if not self._kept(key.fileobj, piece):
                            return "output"
                    elif piece:
                        said += piece
                    else:  # the status pipe closes where the program starts: from here its own time counts
                        deadline = time.monotonic() + self._seconds
                        self._check_start(said)
                if time.monotonic() >= deadline:
                    self._check_start(said)
                    return "time"
        return self._wait(deadline)

    def _wait(self, deadline: float) -> str:
        """The launcher holds the pipes open to its end; what is left is to see it go."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return "time"
        return ""

    def _check_start(self, said: bytes) -> None:
        if said != READY:
            failure = said.removeprefix(READY).decode("utf-8", "replace")
            errors = self.errors.strip()[-500:]
            raise SandboxError(failure or errors or "the program could not be started in time")

    def _kept(self, stream: Any, piece: bytes) -> bool:
        self._room -= len(piece)
        self._tails[stream] += piece
        del self._tails[stream][: -4 * _TAIL]
        return self._room >= 0

    def _text(self, stream: Any) -> str:
        return self._tails[stream].decode("utf-8", "replace")[-_TAIL:]
