"""The demo sector on one machine: enrolled, authorized, populated, asked, all through the API."""
