"""An OpenAI-compatible server that adds a pool's insights to every request and forwards it."""

from kshot.serve.app import make_app
from kshot.serve.listen import Address, serve
from kshot.serve.options import ProxyOptions

__all__ = ["Address", "ProxyOptions", "make_app", "serve"]
