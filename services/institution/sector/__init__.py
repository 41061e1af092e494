"""The demo sector: some forty institutions of Belgian social security, their applications, the
information model, the code lists, the exchange services, the deliberations and the persons who act.

The facts are in `data/`, each with its source and grade. `load()` reads them, once a process.
"""

from services.institution.sector.loader import load
from services.institution.sector.model import (
    Actor,
    Application,
    Code,
    Deliberation,
    Element,
    Grade,
    Grant,
    Institution,
    Labels,
    Provenance,
    Scope,
    Sector,
    Service,
)

__all__ = [
    "Actor",
    "Application",
    "Code",
    "Deliberation",
    "Element",
    "Grade",
    "Grant",
    "Institution",
    "Labels",
    "Provenance",
    "Scope",
    "Sector",
    "Service",
    "load",
]
