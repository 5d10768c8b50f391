"""Lets tests, and the processes that they start, import the toy world of the agents' tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "agents"))
