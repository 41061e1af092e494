"""Replicas that can be trusted: how a table travels from its owner to those who decide on it.

`rows` holds what both sides agree on (digest, version), `migrations` the tables of the owner,
`publication` and `history` what an owner does in its database, `owner` the served stream and
`replica` the subscriber's copy with its lease. Import from these modules: an owner's need psycopg,
a subscriber's don't.

Contract (architecture.md, "Replicas that can be trusted"): versions are gap-free and ordered as the
transactions committed; `recorded_at` rises strictly with them; a digest stands for the content of a
table; who decides on a replica holds a lease that runs from the sending of an answered ping.
"""
