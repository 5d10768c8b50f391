"""Where exploring starts: ready domains, and domains made of the shots."""

from kshot.methods.explore.domains.ready import READY, ready
from kshot.methods.explore.domains.shots import domain_of, example_of_item, item_of_example

__all__ = ["READY", "domain_of", "example_of_item", "item_of_example", "ready"]
