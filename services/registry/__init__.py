"""Who takes part and what can be asked: institutions, applications, persons who act, the
information model, the catalogue of exchange services.

Owns those rows and the acts that change them, each approved by a quorum and logged. Never decides
who may read: that is authorization's.
"""
