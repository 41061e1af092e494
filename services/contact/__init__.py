"""The contact centre: what was asked, on which channel, and which exchange it was about.

Owns contacts. Never reads personal data; a contact refers to an exchange and holds no key.
"""
