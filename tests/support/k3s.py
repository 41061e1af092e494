"""A real API server in a container: the control plane of K3s, without what would act on objects.

Contract: as `real` of kubernetes_api.py: empty, over HTTPS, with the same users. No agent, no
scheduler and no controllers run, so what a test puts there stays as it was put.

Not yet seen with K3s' own image, only with kube-apiserver behind the same flags, paths and message.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.cli.platform.home import Home
from tests.support import containers
from tests.support.kubernetes_api import Server, free_port, until_ready, write_users

PORT = 6443
AUTHORITY = "/var/lib/rancher/k3s/server/tls/server-ca.crt"
USERS = "/etc/crossroads/tokens.csv"
COMMAND = (
    "server",
    *("--disable-agent", "--disable-scheduler", "--disable-controller-manager"),
    *("--disable-cloud-controller", "--disable-helm-controller", "--disable-network-policy"),
    "--disable=coredns,servicelb,traefik,local-storage,metrics-server",
    f"--kube-apiserver-arg=token-auth-file={USERS}",
    # Nobody makes a namespace's own account where no controller runs.
    "--kube-apiserver-arg=disable-admission-plugins=ServiceAccount",
)


@contextmanager
def k3s(home: Home, folder: Path) -> Iterator[Server]:
    """Start one; it ends with the block, or with the run that `home` belongs to."""
    server = Server(folder, free_port(), folder / "ca.pem")
    users = write_users(server, folder)
    made = containers.container(containers.image("K3S_IMAGE")).with_command(list(COMMAND))
    made.with_bind_ports(PORT, int(server.address.rpartition(":")[2]))
    made.with_volume_mapping(str(users), USERS, "ro")
    made.with_tmpfs_mount("/run")
    file = containers.start(home, f"k3s-{server.tokens['reader'][:8]}", made, privileged=True)
    try:
        containers.until_logged(made, "is up and running")
        answer = made.exec(["cat", AUTHORITY])
        assert answer.exit_code == 0, answer.output
        server.ca.write_bytes(answer.output)
        until_ready(server)
        yield server
    finally:
        made.stop()
        file.unlink()
