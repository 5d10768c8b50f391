"""The journal of calls with a million of them."""
