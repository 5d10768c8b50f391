"""Mixes weighted by the shots on the miniature: cocktail, soups, the best adapter, the base."""
