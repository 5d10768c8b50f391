"""Untrusted text made visible: what hides, turns or breaks a line is shown by its number."""

from __future__ import annotations

import html
import re

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def visible(text: str, *, kept: int | None = None) -> str:
    r"""Control characters, direction marks and lone surrogates stand as their code points.

    >>> visible("a\u202eb\x00"), visible("longer text", kept=6)
    ('a⟨202E⟩b⟨0⟩', 'longe…')
    """
    cut = text if kept is None or len(text) <= kept else text[: kept - 1] + "…"
    return _HIDDEN.sub(lambda found: f"⟨{ord(found[0]):X}⟩", cut)


def chart_text(text: str, *, kept: int = 28) -> str:
    r"""One short line for a plot, in which no HTML tag has effect.

    >>> chart_text("<b>smith</b>\nof the hill")
    '&lt;b&gt;smith&lt;/b&gt; of the hill'
    """
    return html.escape(visible(" ".join(text.split()), kept=kept), quote=False)
