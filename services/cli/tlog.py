"""Proofs made from what a log shows to everybody: its checkpoint and its tiles, over HTTP.

Contract: nothing is believed that the proof does not bear out; the log needs not know who asks.
Raises WebError when the log can't be read, ValueError when what it shows does not fit.
"""

from services.proof import checkpoint as checkpoints
from services.proof import merkle, tiles
from services.proof.bundle import format_bundle
from services.proof.policy import Policy
from services.proof.tiles import Tile, TileReader
from services.runtime.webclient import WebClient, WebError

SECONDS = 10.0


async def inclusion(url: str, index: int, policy: Policy | None) -> tuple[str, bytes]:
    """The proof (C2SP tlog-proof) that leaf `index` is in the log at `url`, and its leaf's hash.

    With a policy the checkpoint must be signed and cosigned as it says.
    """
    client = WebClient(url=url)
    try:
        note = (await _get(client, "checkpoint")).decode()
        said = checkpoints.parse(note)
        if policy is not None:
            said = policy.verify(note, said.origin)
        if index >= said.size:
            raise ValueError(f"entry {index} is not in the log yet: it has {said.size} entries")
        plan = merkle.inclusion_plan(index, said.size)
        nodes = [(0, index), *merkle.nodes_of(plan)]
        wanted = {tiles.tile_of(*node, said.size) for node in nodes}
        found = {tile: await _tile(client, tile) for tile in sorted(wanted, key=lambda t: t.path)}
        read = TileReader(size=said.size, read_tile=found.__getitem__)
        leaf, proof = read(0, index), merkle.build(plan, read)
        merkle.verify_inclusion(index, said.size, leaf, proof, said.root)
    finally:
        await client.close()
    return format_bundle(index, proof, note), leaf


async def _tile(client: WebClient, tile: Tile) -> bytes:
    """A tile's octets; of a partial one that is gone, the beginning of the full one."""
    try:
        return await _get(client, tile.path)
    except WebError:
        if tile.width == tiles.WIDTH:
            raise
        return await _get(client, Tile(tile.level, tile.index).path)


async def _get(client: WebClient, path: str) -> bytes:
    answer = await client.get(path, seconds=SECONDS)
    if answer.status != 200:
        raise WebError(f"{path}: status {answer.status}")
    return answer.body
