"""Sources of the demo as a process: `python -m services.institution --config FILE`.

Each source has its own certificate and port, as it would have at its institution.
"""

import functools
from collections.abc import Awaitable, Callable
from pathlib import Path

from google.protobuf.message import Message

from services.institution.config import Config, SourceConfig
from services.institution.population import Store
from services.institution.sector import load, schemas
from services.institution.source import SourceServer
from services.institution.sources import Asked, Handler, Period, handlers_of
from services.runtime.certificates import Certificates, FileIssuer
from services.runtime.process import Runtime, run


async def start(config: Config, runtime: Runtime) -> None:
    """Serve every source on its own address."""
    store = Store(path=Path(config.population))
    for source in config.sources:
        await _serve(source, store, config.runtime.trust.services, runtime)


async def _serve(source: SourceConfig, store: Store, trust: str, runtime: Runtime) -> None:
    folder = Path(source.folder)
    certificates = Certificates(
        issuer=FileIssuer(key_file=folder / "key.pem", chain_file=folder / "cert.pem"),
        clock=runtime.clock,
    )
    await certificates.start()
    runtime.tasks.spawn(f"certificates-{source.institution}", certificates.run())
    server = SourceServer(
        certificates=certificates,
        platform=_read(trust),
        listen=source.listen,
        telemetry=runtime.telemetry,
    )
    path = f"{source.institution}/{source.application}"
    for (service, version), handler in handlers_of(path).items():
        question = schemas.message_class(load().service(service).question)
        server.serve(service, version, question, _answering(handler, store, source.institution))
    await server.start()
    runtime.on_stop(functools.partial(server.stop, runtime.config.grace_seconds))


def _answering(
    handler: Handler, store: Store, institution: str
) -> Callable[[Message, str, str, str], Awaitable[Message | None]]:
    """A handler of the population, as SourceServer calls it."""

    async def answer(question: Message, subject: str, first: str, last: str) -> Message | None:
        return handler(Asked(store, institution, question, subject, Period(first, last)))

    return answer


def _read(file: str) -> bytes:
    return Path(file).read_bytes()


def main() -> None:
    """Run until told to stop."""
    run(Config, start)


if __name__ == "__main__":
    main()
