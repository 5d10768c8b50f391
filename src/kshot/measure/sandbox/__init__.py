"""Generated code run apart: no network, nothing to read or write, bounded time, memory and processes."""

from kshot.measure.sandbox.run import Outcome, run_code, sandbox_available

__all__ = ["Outcome", "run_code", "sandbox_available"]
