"""Where exploring starts: ready domains, and domains made of the shots."""

from kshot.methods.explore.domains.ready import READY, ready
from kshot.methods.explore.domains.shots import domain_of

__all__ = ["READY", "domain_of", "ready"]
