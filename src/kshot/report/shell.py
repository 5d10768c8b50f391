"""What every page is made in: templates with their filters, scripts, and the policy that binds them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kshot.report import wording
from kshot.report.conclusion import chip
from kshot.report.knowledge.visible import visible

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def environment(scale: wording.Scale) -> Environment:
    """The templates, every text from data escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        "score": scale.score, "number": scale.number, "signed": scale.signed, "bounds": scale.interval,
        "share": wording.Scale().score, "p": wording.p_value, "duration": wording.duration,
        "size": wording.size, "count": wording.count, "money": wording.money, "nats": wording.nats,
        "chip": chip, "visible": visible,
    }  # fmt: skip
    return made


def scripts(names: Sequence[str]) -> list[str]:
    """Plotly, then our own scripts by name."""
    return [_plotly(), *((TEMPLATES / name).read_text("utf-8") for name in names)]


def style(names: Sequence[str]) -> str:
    """The sheets, one after the other."""
    return "".join((TEMPLATES / name).read_text("utf-8") for name in names)


def policy(texts: Sequence[str]) -> str:
    """A content security policy that runs exactly these scripts and fetches nothing."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("\r\n", "\n").replace("\r", "\n")
