"""The demo sector on one machine: enrolled, authorized, populated, asked, all through the API."""

ASKER, PURPOSE, SERVICE = "capac/payments", "UNEMPLOYMENT_BENEFIT", "employment_periods"
"""The exchange that the demo shows: who asks ("<institution>/<application>"), why, and what."""
