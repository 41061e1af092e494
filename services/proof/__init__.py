"""Merkle trees, signed notes and the encoding of log records: pure."""
