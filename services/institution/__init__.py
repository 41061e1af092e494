"""The institution's own side: its client, its source adapter, and the demo institutions."""
