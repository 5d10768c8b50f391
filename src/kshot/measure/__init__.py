"""Numbers about models and texts: losses, metrics, statistics, similarity, contamination."""
