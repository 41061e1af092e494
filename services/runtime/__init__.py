"""The machinery that all services share and that knows none of them."""
