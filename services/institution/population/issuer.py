"""Gives out numbers of persons and enterprises for the demo, each once, by the rules of `keys`."""
