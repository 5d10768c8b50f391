"""When an endpoint as a whole cannot be used, and the words for it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from kshot.errors import ModelError
from kshot.models.endpoint.options import EndpointOptions
from kshot.models.endpoint.reading import Trouble

REFUSED_CONNECTIONS = 3
IN_A_ROW = 8


@dataclass(slots=True)
class Health:
    """What is known of an endpoint.

    Attributes:
        heard: Whether any HTTP response ever came.
        last_served: When the last reply came (``time.monotonic``); None: never.
        given_up: Questions given up in a row, with no reply to anybody in between.
        began: Since when it is asked.
    """

    heard: bool = False
    last_served: float | None = None
    given_up: int = 0
    began: float = field(default_factory=time.monotonic)

    def served(self) -> None:
        """A reply came."""
        self.heard = True
        self.last_served = time.monotonic()
        self.given_up = 0

    def verdict(self, found: Trouble, *, began: float, failures: int, options: EndpointOptions) -> str:
        """Why the run must stop; empty where it goes on.

        The question that met this trouble was first sent when it ``began``; so many attempts at it were
        ``failures``, this one included (429 does not count).
        """
        nothing_since = self.last_served is None or self.last_served < began
        if found.kind == "stop":
            return found.told
        if found.status == 404 and self.last_served is None:
            return f"{found.told}; check the base URL and the model's name"
        if found.wait_s is not None and found.wait_s > options.patience_s:
            return f"it asks to be left alone for {found.wait_s:.0f} s, more than patience_s; run again later"
        if found.kind == "limited":
            since = time.monotonic() - max(began, self.last_served or 0.0)
            tired = nothing_since and since > options.patience_s
            return f"nothing but 429 for {since:.0f} s; run again later" if tired else ""
        if (
            found.kind == "unsent"
            and not self.heard
            and failures >= min(REFUSED_CONNECTIONS, options.retries + 1)
        ):
            return f"it cannot be reached ({found.told}); is the server running, and the base URL right?"
        if found.kind not in ("unsent", "busy", "lost") or failures <= options.retries or not nothing_since:
            return ""
        self.given_up += 1
        if self.last_served is None and found.kind != "unsent" and self.given_up >= IN_A_ROW:
            return f"it gave no usable reply at all ({found.told}; {failures} attempts); check the base URL"
        if found.kind == "unsent" or self.given_up >= IN_A_ROW:
            return f"it stopped answering ({found.told}; {failures} attempts); run again when it is back"
        return ""


def stopped(name: str, found: Trouble, reason: str, api_key_env: str | None) -> ModelError:
    """The error that ends a run, with what to do."""
    if found.status in (401, 403):
        todo = (
            f"the key in the environment variable {api_key_env} was refused: set {api_key_env} to a valid one"
            if api_key_env
            else "it wants a key: name the environment variable that holds it (api_key_env, --api-key-env)"
        )
    elif 300 <= found.status < 400:
        todo = f"it sends elsewhere: give the address itself ({found.code or 'it names none'})"
    elif found.kind == "stop":
        todo = "the account has no credit left, or a limit of its own is reached"
    else:
        return ModelError(f"{name}: {reason}")
    return ModelError(f"{name}: {reason}; {todo}")
