"""Brings to the public cloud what is public: reads it where it is owned, pushes what changed.

Owns nothing and keeps nothing: what is shown over there says where to go on. It runs in the
community cloud, under its own certificate, and may call only what names it: the export of the
published authorizations, the public lists of registry, the indicators, the log's public tiles.
"""
