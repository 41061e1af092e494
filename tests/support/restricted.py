"""What Kubernetes calls "restricted" (Pod Security Standards), as rules on a pod's spec."""

from collections.abc import Iterator, Mapping
from typing import Any

VOLUMES = frozenset(
    (
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"),
        *("projected", "secret"),
    )
)


def offences(spec: Mapping[str, Any]) -> Iterator[str]:
    """What the profile forbids, or demands and is not there."""
    yield from (each for each in ("hostNetwork", "hostPID", "hostIPC") if spec.get(each))
    pod = spec.get("securityContext", {})
    if pod.get("sysctls"):
        yield "sysctls"
    for volume in spec.get("volumes", ()):
        if not (volume.keys() - {"name"}) <= VOLUMES:
            yield f"volume {volume['name']}"
    for container in [*spec["containers"], *spec.get("initContainers", ())]:
        yield from (f"{container['name']}: {each}" for each in _in_container(container, pod))


def _in_container(container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    both = {**pod, **own}
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield "root"
    if both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccomp"
    if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
        yield "privileges"
    capabilities = own.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield "capabilities"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield "hostPort"
