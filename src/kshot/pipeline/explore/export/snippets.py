"""What trainers need to be told about a file of rows: an entry for LLaMA-Factory, one for axolotl."""

from __future__ import annotations

import json
from typing import Any

from kshot.runs import slug

_ROLES = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}


def llama_factory(domain: str, file: str, *, is_chat: bool) -> str:
    """The entry of ``dataset_info.json``: put the folder into ``--dataset_dir``, or copy the entry.

    >>> llama_factory("rewriting", "alpaca.json", is_chat=False).split()[1]
    '"kshot_rewriting":'
    """
    entry: dict[str, Any] = {"file_name": file}
    if is_chat:
        entry |= {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": _ROLES}
    else:
        entry |= {"columns": {"prompt": "instruction", "query": "input", "response": "output"}}
    return json.dumps({dataset_name(domain): entry}, indent=2) + "\n"


def dataset_name(domain: str) -> str:
    """The name under which LLaMA-Factory knows the rows: letters, digits and underscores.

    >>> dataset_name("text editing")
    'kshot_text_editing'
    """
    return f"kshot_{slug(domain).replace('-', '_')}"


def axolotl(file: str, *, is_chat: bool) -> str:
    """The entry under ``datasets:`` of an axolotl configuration; the path is as seen from its folder.

    >>> print(axolotl("alpaca.json", is_chat=False), end="")
    datasets:
      - path: ./alpaca.json
        ds_type: json
        type: alpaca
    """
    kind = "parquet" if file.endswith(".parquet") else "json"
    lines = ["datasets:", f"  - path: ./{file}", f"    ds_type: {kind}"]
    if is_chat:
        lines += ["    type: chat_template", "    field_messages: messages", "    message_property_mappings:"]
        lines += ["      role: role", "      content: content"]
    else:
        lines += ["    type: alpaca"]
    return "\n".join(lines) + "\n"
