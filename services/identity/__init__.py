"""Identity: keys of persons, the register each is kept in, and which replaced which.

Owns allocation's record, search by key and replacement; never holds benefit or employment data.
"""
