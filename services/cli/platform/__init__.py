"""The platform on one machine: PostgreSQL, OpenBao and the services as processes.

Contract: `Platform.up`, `down` and `status` are all that a command needs. Everything lives in one
home (see home.py); two homes run beside each other, and each ends only its own processes.
"""
