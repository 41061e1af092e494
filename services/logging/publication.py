"""The wiring of what the log shows to everybody: cosigned checkpoints and hash tiles."""

from services.logging.checkpoints import Checkpoints
from services.logging.config import Config
from services.logging.proofs import Proofs
from services.logging.store import LogStore
from services.logging.tile_servicer import TileServicer
from services.logging.tree import Tree
from services.logging.witnesses import Witnesses
from services.runtime.process import Runtime
from services.runtime.web import WebServer


async def show(
    config: Config,
    runtime: Runtime,
    *,
    checkpoints: Checkpoints,
    proofs: Proofs,
    store: LogStore,
    tree: Tree,
) -> None:
    """Have checkpoints cosigned from now on, and serve them with the tiles if configured."""
    witnesses = Witnesses(
        policy_file=config.witness_policy,
        checkpoints=checkpoints,
        proofs=proofs,
        store=store,
        clock=runtime.clock,
    )
    runtime.health.watch("witnesses", lambda: witnesses.healthy)
    runtime.tasks.spawn("witnesses", witnesses.run())
    runtime.on_stop(witnesses.close)
    if config.tiles_listen:
        servicer = TileServicer(checkpoints=witnesses, tree=tree)
        server = WebServer(handler=servicer, listen=config.tiles_listen)
        await server.start()
        runtime.on_stop(server.stop)
