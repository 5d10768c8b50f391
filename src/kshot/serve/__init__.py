"""An OpenAI-compatible server that adds a pool's insights to every request and forwards it."""
