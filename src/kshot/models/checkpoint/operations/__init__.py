"""How several models become one: a table of operations on the same engine."""

from kshot.models.checkpoint.operations.as_released import AsReleased
from kshot.models.checkpoint.operations.dare import Dare
from kshot.models.checkpoint.operations.linear import LINEAR, Linear
from kshot.models.checkpoint.operations.slerp import Slerp
from kshot.models.checkpoint.operations.table import OPERATIONS, operation_of
from kshot.models.checkpoint.operations.task_arithmetic import TaskArithmetic
from kshot.models.checkpoint.operations.ties import Ties

__all__ = [
    "LINEAR",
    "OPERATIONS",
    "AsReleased",
    "Dare",
    "Linear",
    "Slerp",
    "TaskArithmetic",
    "Ties",
    "operation_of",
]
