"""The Merkle tree of RFC 6962, section 2.1, as RFC 9162 words its proofs.

Contract: hashes are 32 bytes of SHA-256. A node (level, index) is the root of the perfect subtree
over the leaves `[index << level, (index + 1) << level)`. A proof is made in two steps, so that a
store can fetch all it needs at once: a plan names, for each hash of the proof, the perfect nodes
that it is made of; `build` folds them. Verification raises ValueError with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()

Node = tuple[int, int]
Plan = tuple[tuple[Node, ...], ...]


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an interior node."""
    return sha256(b"\x01" + left + right).digest()


def range_nodes(begin: int, end: int) -> tuple[Node, ...]:
    """The fewest perfect nodes that cover the leaves [begin, end), from left to right."""
    if not 0 <= begin <= end:
        raise ValueError("range: must be 0 <= begin <= end")
    nodes: list[Node] = []
    while begin < end:
        largest = (end - begin).bit_length() - 1
        level = min(largest, (begin & -begin).bit_length() - 1) if begin else largest
        nodes.append((level, begin >> level))
        begin += 1 << level
    return tuple(nodes)


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over a range that starts where a subtree does, from the hashes of `range_nodes`."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = sha256(b"\x01" + left + root).digest()
    return root


class Tree:
    """A growing tree that keeps only its right edge: the roots of the perfect subtrees of its size.

    The state is `size` and `edge` (the hashes of `range_nodes(0, size)`), from which a tree can be
    taken up again. ValueError if the edge is not that of the size.
    """

    __slots__ = ("_edge", "_size")

    def __init__(self, size: int = 0, edge: Iterable[bytes] = ()) -> None:
        self._size = size
        self._edge = list(edge)
        if size < 0 or len(self._edge) != size.bit_count():
            raise ValueError("tree: the edge must have a hash for each bit of the size")
        if any(len(h) != HASH_SIZE for h in self._edge):
            raise ValueError(f"tree: hashes must be {HASH_SIZE} bytes long")

    @property
    def size(self) -> int:
        """How many leaves the tree has."""
        return self._size

    @property
    def edge(self) -> tuple[bytes, ...]:
        """The hashes of the perfect subtrees, from left to right."""
        return tuple(self._edge)

    def append(self, leaf_hashes: Iterable[bytes]) -> list[tuple[int, int, bytes]]:
        """Append leaves by their hashes; gives the nodes (level, index, hash) it completed."""
        size, edge = self._size, self._edge
        done: list[tuple[int, int, bytes]] = []
        for leaf in leaf_hashes:
            if len(leaf) != HASH_SIZE:
                raise ValueError(f"leaf hash: must be {HASH_SIZE} bytes long")
            node, level, index = leaf, 0, size
            while index & 1:
                node = sha256(b"\x01" + edge.pop() + node).digest()
                level += 1
                index >>= 1
                done.append((level, index, node))
            edge.append(node)
            size += 1
            self._size = size
        return done

    def root(self) -> bytes:
        """The root hash."""
        return fold(self._edge)

    def copy(self) -> Tree:
        """A tree that grows by itself."""
        return Tree(self._size, self._edge)


def inclusion_plan(index: int, size: int) -> Plan:
    """What the inclusion proof of leaf `index` in a tree of `size` leaves is made of.

    RFC 6962, section 2.1.1 (PATH). ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError("index: must be in the tree")
    begin, end = 0, size
    ranges: list[tuple[int, int]] = []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin = middle
    return tuple(range_nodes(*r) for r in reversed(ranges))


def consistency_plan(size1: int, size2: int) -> Plan:
    """What the consistency proof between trees of size1 and size2 leaves is made of.

    RFC 6962, section 2.1.2 (PROOF); empty from the empty tree and between equal sizes. ValueError
    unless 0 <= size1 <= size2.
    """
    if not 0 <= size1 <= size2:
        raise ValueError("size1: must not be negative nor above size2")
    if size1 in (0, size2):
        return ()
    begin, end, known = 0, size2, True
    ranges: list[tuple[int, int]] = []
    while size1 != end:
        middle = begin + _split(end - begin)
        if size1 <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin, known = middle, False
    if not known:
        ranges.append((begin, end))
    return tuple(range_nodes(*r) for r in reversed(ranges))


def nodes_of(plan: Plan) -> Iterator[Node]:
    """All the nodes that a plan needs, in its order."""
    for nodes in plan:
        yield from nodes


def build(plan: Plan, read: Callable[[int, int], bytes]) -> list[bytes]:
    """The proof of a plan; `read(level, index)` gives the hash of a perfect node."""
    return [fold([read(level, index) for level, index in nodes]) for nodes in plan]


def inclusion_proof(index: int, size: int, read: Callable[[int, int], bytes]) -> list[bytes]:
    """The inclusion proof of leaf `index` in the tree of `size` leaves."""
    return build(inclusion_plan(index, size), read)


def consistency_proof(size1: int, size2: int, read: Callable[[int, int], bytes]) -> list[bytes]:
    """The consistency proof between the trees of `size1` and `size2` leaves."""
    return build(consistency_plan(size1, size2), read)


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf with hash `leaf` is at `index` (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        raise ValueError("inclusion: the index is not in the tree")
    _require_hashes("inclusion", (leaf, root, *proof))
    node = leaf
    for sibling, on_the_left in _climb("inclusion", index, size - 1, proof):
        node = node_hash(sibling, node) if on_the_left else node_hash(node, sibling)
    if node != root:
        raise ValueError("inclusion: the proof leads to another root")


def verify_consistency(
    size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes
) -> None:
    """Check that the tree of size2 continues that of size1 (RFC 9162, section 2.1.4.2)."""
    if not 0 <= size1 <= size2:
        raise ValueError("consistency: the second tree is smaller than the first")
    _require_hashes("consistency", (root1, root2, *proof))
    if size1 in (0, size2):
        _verify_trivial(size1, size2, proof, root1, root2)
        return
    # A perfect first tree is itself the first node of the path.
    path = list(proof) if size1 & (size1 - 1) else [root1, *proof]
    if not path:
        raise ValueError("consistency: the proof is too short")
    # The lowest node that the first tree ends with: where both paths begin.
    height = (size1 & -size1).bit_length() - 1
    first = second = path[0]
    position, last = (size1 - 1) >> height, (size2 - 1) >> height
    for sibling, on_the_left in _climb("consistency", position, last, path[1:]):
        if on_the_left:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
        else:
            second = node_hash(second, sibling)
    if first != root1:
        raise ValueError("consistency: the proof leads to another first root")
    if second != root2:
        raise ValueError("consistency: the proof leads to another second root")


def _verify_trivial(
    size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes
) -> None:
    """Consistency from the empty tree, or between equal sizes: nothing to prove."""
    if proof:
        raise ValueError("consistency: the proof must be empty")
    if size1 == 0 and root1 != EMPTY_ROOT:
        raise ValueError("consistency: the first root is not that of the empty tree")
    if size1 == size2 and root1 != root2:
        raise ValueError("consistency: different roots for the same size")


def _climb(
    what: str, position: int, last: int, proof: Sequence[bytes]
) -> Iterator[tuple[bytes, bool]]:
    """The proof's hashes, each with whether it goes on the left, from a node up to the root.

    `position` and `last` are indices on one level: of the node and of the rightmost.
    """
    for sibling in proof:
        if not last:
            raise ValueError(f"{what}: the proof is too long")
        on_the_left = bool(position & 1) or position == last
        yield sibling, on_the_left
        if on_the_left:
            # A right edge has no sibling on these levels: nothing was hashed there.
            while position and not position & 1:
                position >>= 1
                last >>= 1
        position >>= 1
        last >>= 1
    if last:
        raise ValueError(f"{what}: the proof is too short")


def _split(count: int) -> int:
    """The largest power of two smaller than `count` (at least 2)."""
    return 1 << (count - 1).bit_length() - 1


def _require_hashes(what: str, hashes: Iterable[bytes]) -> None:
    if any(len(h) != HASH_SIZE for h in hashes):
        raise ValueError(f"{what}: hashes must be {HASH_SIZE} bytes long")
