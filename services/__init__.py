"""Crossroads: the services, what they share, and the institution's side."""
