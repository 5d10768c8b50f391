"""The names that others rely on."""

import inspect

from kshot.methods.panda import InsightPool
from kshot.models.endpoint import Endpoint


def test_a_pool_is_loaded_saved_counted_and_imported() -> None:
    for name in ("load", "save", "__len__", "import_released", "export_released"):
        assert callable(getattr(InsightPool, name))


def test_an_endpoint_takes_what_is_documented() -> None:
    names = list(inspect.signature(Endpoint).parameters)
    assert names[:2] == ["base_url", "model"]
    assert {"journal", "concurrency", "budget"} <= set(names[2:])
