"""The exchange itself, and the reference directory.

Owns who is known where, in which capacity and period, and carries every exchange through its nine
steps: who asks, is it well formed, decide, integrations, log, ask the source, filter, log, answer.
It never keeps a payload once it is delivered, and never answers before the log entry is durable.
"""
