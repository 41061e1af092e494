"""Any service by its name: `python -m services routing --config FILE`, the image's entry point."""

import importlib
import sys

NAMES = (
    *("identity", "registry", "authorization", "routing", "logging", "contact", "institution"),
    *("publication", "publisher", "witness"),
)
EXIT_USAGE = 64


def main() -> int:
    """Run the service that the first argument names."""
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        sys.stderr.write(f"give the name of a service first: {', '.join(NAMES)}\n")
        return EXIT_USAGE
    name = sys.argv.pop(1)
    code: int | None = importlib.import_module(f"services.{name}.__main__").main()
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
