"""Does the nearest insight carry the right label? A real expert on real text."""
