"""Objects of Kubernetes that a trial makes."""

import base64
from collections.abc import Mapping
from typing import Any


def secret(name: str, content: Mapping[str, bytes]) -> dict[str, Any]:
    """A secret with these files."""
    data = {key: base64.b64encode(value).decode() for key, value in content.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def config_map(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    """A config map with these files."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}
