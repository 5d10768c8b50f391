"""kshot: expertise in a task from K labelled examples, with honest held-out evidence."""

from kshot.data.example import Example
from kshot.data.task import Task

__version__ = "0.1.0"
__all__ = ["Example", "Task", "__version__"]
