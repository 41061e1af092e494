"""Who may read what, and why: deliberations of the committee and the grants compiled from them.

Owns deliberations, grants, their publication and their end. Never sees personal data.
"""
