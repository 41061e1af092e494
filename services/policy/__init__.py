"""The decision: pure, total, default deny."""
