"""``adapter_config.json`` of a mixture, as PEFT reads and writes it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from peft import PeftConfig

from kshot.errors import AdapterError
from kshot.methods.moe.names import PEFT_TYPE, ModuleShape, module_shape
from kshot.methods.moe.settings import STORED, MixtureSettings


@dataclass
class KshotMoeConfig(PeftConfig):  # type: ignore[misc]
    """The configuration of a mixture: of one that lies in a folder, or of a fresh one for ``get_peft_model``.

    Attributes:
        experts: Their names.
        modules: Module name to its inputs, outputs, ranks and scalings; see ``names.ModuleShape``. Empty: a
            fresh mixture of rank ``r`` on all ``target_modules``, A ~ N(0, .01), B = 0 (MixLoRA-like).
        target_modules: As PEFT's; filled in from ``modules``.
        r: Rank of a fresh mixture's experts; their scaling is ``alpha / r``.
        alpha: Of a fresh mixture.
        top_k: This and the rest: see ``MixtureSettings``.

    Example::

        config = KshotMoeConfig(experts=["a", "b"], target_modules=["q_proj"], task_type="CAUSAL_LM")
        model = get_peft_model(model, config)
    """

    experts: list[str] = field(default_factory=list)
    modules: dict[str, dict[str, Any]] = field(default_factory=dict)
    target_modules: Any = None
    exclude_modules: Any = None
    r: int = 16
    alpha: float = 16.0
    top_k: int = 2
    gates: str | None = None
    train: str = "joint"
    normalise: bool | None = None
    scores: str = "linear"
    balance: float = 0.0
    balance_kind: str = "switch"
    noise: float = 0.0
    dropout: float = 0.05
    dispatch: str = "auto"
    fan_in_fan_out: bool = False
    kshot_version: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PEFT_TYPE
        settings = self.settings()
        self.gates, self.normalise = settings.gates, settings.normalise
        if not isinstance(self.modules, dict):
            raise AdapterError(f"modules of a mixture are {self.modules!r}, expected names with their shapes")
        names = self.experts if isinstance(self.experts, list) else []
        if not names or not all(isinstance(name, str) for name in names):
            raise AdapterError(f"experts of a mixture are {self.experts!r}, expected a list of names")
        if self.r < 1 or not math.isfinite(self.alpha):
            raise AdapterError(f"r is {self.r} and alpha {self.alpha}, expected a rank from 1 and a number")
        self._is_fresh = not self.modules
        for name in self.modules:
            self.shape(name)
        if self.modules:
            self.target_modules = sorted(self.modules)

    @property
    def is_fresh(self) -> bool:
        """Whether its modules are those that ``target_modules`` match, found when it is put on a model."""
        return self._is_fresh

    def settings(self) -> MixtureSettings:
        """How the layers route; scalings stand in ``modules``."""
        return MixtureSettings(**{name: getattr(self, name) for name in STORED})

    def shape(self, module: str) -> ModuleShape:
        """The mixture on one module."""
        return module_shape(module, self.modules[module], experts=len(self.experts))

    def to_dict(self) -> dict[str, Any]:
        """For JSON; target modules are those that stand in ``modules``."""
        values = asdict(self)
        if self.modules:
            values["target_modules"] = sorted(self.modules)
        return values
