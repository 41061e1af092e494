"""The synthetic population of the demo: persons, what each institution keeps of them, and the
integrations that follow. A number of persons and a seed always make the same; kept in one file.
"""

from services.institution.population.generator import AS_OF, LEAST, demo_subjects, generate
from services.institution.population.records import (
    Aid,
    ChildBenefit,
    DemoSubjects,
    Employment,
    Enterprise,
    Incapacity,
    Inquiry,
    Integration,
    Membership,
    Pension,
    Person,
    Population,
    Replacement,
    SelfEmployment,
    Unemployment,
)
from services.institution.population.store import Store, save

__all__ = [
    "AS_OF",
    "LEAST",
    "Aid",
    "ChildBenefit",
    "DemoSubjects",
    "Employment",
    "Enterprise",
    "Incapacity",
    "Inquiry",
    "Integration",
    "Membership",
    "Pension",
    "Person",
    "Population",
    "Replacement",
    "SelfEmployment",
    "Store",
    "Unemployment",
    "demo_subjects",
    "generate",
    "save",
]
