"""The tamper-evident log: entries of exchanges and acts, their Merkle tree, checkpoints and proofs.

Owns: the entries with their evidence, the subject index, the tree, the signed checkpoints. Never
does: be on a path where its absence means "go on without"; answer before an entry is durable.

This package is only ever imported as `services.logging`: with `services/` on the path it would
stand in for the standard library's `logging`.
"""
