"""The shared servers in containers instead of from wheels: PostgreSQL, OpenBao and K3s.

Contract: `missing` says why no container can be started here, "" when one can. A container starts
as the server from the wheel does, in the same home: PostgreSQL's socket, OpenBao's port, files and
passwords are where tests look for them. So the engine must be on this machine, on Linux: the home
is mounted, and OpenBao listens on this machine's loopback interface. `remove` ends what a home
started; the leash calls it, for Ryuk would end the servers with the worker that came first.

Nothing of testcontainers is imported before a container is asked for: it takes half a second.
"""

import gc
import os
import secrets
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from services.cli.platform.home import Home, PlatformError, private, write_secret
from services.cli.platform.openbao import ACTIVE, UNINITIALISED, OpenBaoServer
from services.cli.platform.postgres import SETTINGS

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

READY_SECONDS = 120
READY = "database system is ready to accept connections"
IMAGES = {
    "POSTGRES_IMAGE": "docker.io/library/postgres:18",
    "OPENBAO_IMAGE": "ghcr.io/openbao/openbao:2.6.2",
    "K3S_IMAGE": "docker.io/rancher/k3s:v1.36.2-k3s1",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
ENCODING = "--encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"


def image(name: str) -> str:
    """The image that the environment variable of that name asks for, or the usual one."""
    return os.environ.get(name) or IMAGES[name]


def missing() -> str:
    """Why no container can be started here; "" when an engine answers."""
    with warnings.catch_warnings():
        # docker forgets the socket that it could not connect: collect it here, not in some test.
        warnings.simplefilter("ignore", ResourceWarning)
        reason = _silence()
        if reason:
            gc.collect()
    return reason


def _silence() -> str:
    try:
        import docker  # noqa: PLC0415
        from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415
    except ImportError as error:
        return f"testcontainers is not installed ({error}); run make setup"
    try:
        client = DockerClient().client
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        where = os.environ.get("DOCKER_HOST") or "its usual address"
        return f"no Docker engine answers at {where} (DOCKER_HOST names another): {error}"
    client.close()
    return ""


def start_postgres(home: Home) -> None:
    """PostgreSQL, as it starts from the wheel with `durable` False; returns when it answers."""
    private(home.postgres)
    password = secrets.token_urlsafe(32)
    write_secret(home.superuser_password, password)
    options = [f"-c{name}={value}" for name, value in (SETTINGS | NOT_DURABLE).items()]
    made = container(image("POSTGRES_IMAGE")).with_command(["postgres", *options])
    made.with_env("POSTGRES_PASSWORD", password)
    made.with_env("POSTGRES_INITDB_ARGS", f"--auth=scram-sha-256 --no-sync {ENCODING}")
    made.with_volume_mapping(str(private(home.socket_dir)), "/var/run/postgresql", "rw")
    # As root, the image makes the socket's directory its own; anybody else must own it already.
    start(home, "postgres", made, shm_size="256m", **(_as_me() if os.geteuid() else {}))
    # The image starts it twice: alone, to set it up, and then for all.
    until_logged(made, READY, times=2)


def start_openbao(home: Home, server: OpenBaoServer) -> None:
    """OpenBao with the configuration that `server` would start with; returns when it answers.

    The image's entry point is passed over: it changes to a user who may not read this home.
    """
    file = server._configure()
    made = container(image("OPENBAO_IMAGE")).with_command(["server", f"-config={file}"])
    made.with_volume_mapping(str(home.path), str(home.path), "rw")
    made.with_volume_mapping(str(home.socket_dir), str(home.socket_dir), "rw")
    made.with_env("HOME", str(home.openbao))
    start(home, "openbao", made, entrypoint=["bao"], network_mode="host", **_as_me())
    try:
        server.wait(ACTIVE, UNINITIALISED)
    except PlatformError as error:
        raise PlatformError(f"OpenBao in a container: {said(made)}") from error


def start(home: Home, name: str, made: "DockerContainer", **options: object) -> Path:
    """Start a container of this home; the file that names it, written before anybody waits."""
    made.with_kwargs(**options)
    made.start()
    file = home.run / f"{name}.container"
    file.write_text(made.get_container_id())
    return file


def until_logged(made: "DockerContainer", message: str, *, times: int = 1) -> None:
    """Wait until a container has logged this so often, on whatever stream.

    testcontainers' own strategy looks at one stream, and does not count. Raises PlatformError with
    what was said instead when the container ends before, or the time is up.
    """
    deadline = time.monotonic() + READY_SECONDS
    while b"".join(made.get_logs()).count(message.encode()) < times:
        inside = made.get_wrapped_container()
        inside.reload()  # type: ignore[no-untyped-call]
        if inside.status in ("exited", "dead") or time.monotonic() > deadline:
            raise PlatformError(f"{made.image} does not start ({inside.status}): {said(made)}")
        time.sleep(0.2)


def said(made: "DockerContainer") -> str:
    """The end of what a container has logged."""
    return b"".join(made.get_logs()).decode(errors="replace")[-2000:]


def started(home: Home) -> list[Path]:
    """The files that name this home's containers, one each."""
    return sorted(home.run.glob("*.container"))


def remove(home: Home) -> None:
    """End every container of this home, with what it stored."""
    import docker  # noqa: PLC0415
    from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415

    client = DockerClient().client
    for file in started(home):
        with suppress(docker.errors.NotFound):
            client.containers.get(file.read_text()).remove(force=True, v=True)
        file.unlink()
    client.close()


def container(name: str) -> "DockerContainer":
    """A container of that image, not yet started."""
    from testcontainers.core.config import testcontainers_config  # noqa: PLC0415
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415

    testcontainers_config.ryuk_disabled = True
    return DockerContainer(name)


def _as_me() -> dict[str, str]:
    return {"user": f"{os.geteuid()}:{os.getegid()}"}
