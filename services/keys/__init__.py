"""Check digits and forms of the keys of persons and enterprises: pure."""
