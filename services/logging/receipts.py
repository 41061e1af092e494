"""Receipts: what the log says about an exchange, signed at once (architecture.md, "Receipt")."""
