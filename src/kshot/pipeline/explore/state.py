"""The commit point of an exploration as bytes, with a sum that tells whether anyone changed it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kshot.errors import DataError, InputError
from kshot.methods.explore.formats.text import json_text

VERSION: Final = 1
_NO_SUM: Final = "0" * 16  # what stands in the sum's place while it is computed


def digest(content: bytes) -> str:
    """16 hexadecimal digits.

    >>> len(digest(b""))
    16
    """
    return hashlib.sha256(content).hexdigest()[:16]


def state_bytes(state: Mapping[str, Any]) -> bytes:
    """What is written: version and sum first.

    >>> state_bytes({"rounds": {}}).splitlines()[1]
    b' "version": 1,'
    """
    text = json_text({"version": VERSION, "sum": _NO_SUM, **state}, indent=1) + "\n"
    content = text.encode()
    return content.replace(_NO_SUM.encode(), digest(content).encode(), 1)


def state_of(file: Path) -> dict[str, Any]:
    """What stands in the file, as it was written.

    Raises:
        InputError: There is none, or it is of another version.
        DataError: It was damaged, or changed by hand.

    Example::

        state_of(Path("out/state.json"))["settings"]
    """
    try:
        content = file.read_bytes()
        state = json.loads(content)
    except FileNotFoundError:
        raise InputError(
            f"{file.parent}: no exploration here; `kshot explore run` or `grow` begins one"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: was damaged ({error}); restore it, or begin again elsewhere") from None
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise InputError(f"{file}: not written by this version of kshot; begin again in another folder")
    said = state.get("sum")
    if not isinstance(said, str) or digest(content.replace(said.encode(), _NO_SUM.encode(), 1)) != said:
        raise DataError(
            f"{file}: was damaged or changed by hand; restore it, or begin again in another folder: replies "
            "in the journal cost nothing. To change the tree, edit tree.md or tree.json"
        )
    return state
