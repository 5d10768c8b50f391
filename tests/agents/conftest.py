"""Lets tests, and the processes that they start, import the toy world beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
