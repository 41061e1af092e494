"""The command `crossroads`: starts a platform on one machine, asks, verifies, measures."""
