"""What everybody may see: authorizations, the catalogue, indicators, the log's hashes.

Owns the copies that it was given, in the public cloud. Takes whole snapshots from one identity, and
shows them over HTTP. Never asks anybody anything, and never takes what its proto does not mark as
public.
"""
