"""How well filling keeps a slow endpoint busy, against asking it one request at a time."""
