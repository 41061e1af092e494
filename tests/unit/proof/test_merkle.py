"""Trees and proofs against the published vectors and the definitions of RFC 6962."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.proof import merkle
from services.proof.merkle import Tree
from tests.unit.proof.trees import (
    CONSISTENCY,
    INCLUSION,
    LEAVES,
    ROOTS,
    leaf_hashes,
    mth,
    path,
    subproof,
)
from tools import verify_log

HASHES = leaf_hashes(300)
BOTH = pytest.mark.parametrize("verifier", [merkle, verify_log])
sizes = st.integers(1, 300)


def reader(count: int) -> Callable[[int, int], bytes]:
    """The perfect nodes of a tree of `count` leaves; a KeyError for any that it lacks."""
    nodes = {(0, n): h for n, h in enumerate(HASHES[:count])}
    nodes |= {(level, index): h for level, index, h in Tree().append(HASHES[:count])}
    return lambda level, index: nodes[level, index]


def test_hashes_are_those_of_the_published_vectors() -> None:
    assert merkle.EMPTY_ROOT.hex().startswith("e3b0c44298fc1c14")
    assert merkle.leaf_hash(b"").hex().startswith("6e340b9cffb37a98")
    assert merkle.leaf_hash(b"L123456").hex().startswith("395aa064aa4c29f7")
    assert merkle.node_hash(b"N123", b"N456").hex().startswith("aa217fe888e47007")
    tree = Tree()
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        tree.append([merkle.leaf_hash(leaf)])
        assert tree.root() == root


def vector_reader(count: int) -> Callable[[int, int], bytes]:
    hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES[:count]]
    return lambda level, index: mth(hashes[index << level : (index + 1) << level])


@pytest.mark.parametrize(("index", "size"), INCLUSION)
@BOTH
def test_published_inclusion_proofs_are_made_and_verified(
    index: int, size: int, verifier: ModuleType
) -> None:
    proof = merkle.inclusion_proof(index, size, vector_reader(size))
    assert [h.hex() for h in proof] == INCLUSION[index, size]
    leaf = merkle.leaf_hash(LEAVES[index])
    verifier.verify_inclusion(index, size, leaf, proof, ROOTS[size - 1])


@pytest.mark.parametrize(("size1", "size2"), CONSISTENCY)
@BOTH
def test_published_consistency_proofs_are_made_and_verified(
    size1: int, size2: int, verifier: ModuleType
) -> None:
    proof = merkle.consistency_proof(size1, size2, vector_reader(size2))
    assert [h.hex() for h in proof] == CONSISTENCY[size1, size2]
    verifier.verify_consistency(size1, size2, proof, ROOTS[size1 - 1], ROOTS[size2 - 1])


@given(st.lists(st.integers(0, 40), max_size=8))
def test_tree_that_grows_in_batches_has_the_defined_root(batches: list[int]) -> None:
    tree, size = Tree(), 0
    for batch in batches:
        before = tree.copy()
        done = tree.append(HASHES[size : size + batch] if size + batch <= 300 else [])
        assert (before.size, before.root()) == (size, mth(HASHES[:size]))
        size = tree.size
        assert tree.root() == mth(HASHES[:size])
        assert Tree(size, tree.edge).root() == tree.root()
        for level, index, node in done:
            assert node == mth(HASHES[index << level : (index + 1) << level])


@given(sizes)
def test_every_interior_node_is_told_once(size: int) -> None:
    done = [(level, index) for level, index, _ in Tree().append(HASHES[:size])]
    expected = {(level, i) for level in range(1, 9) for i in range(size >> level)}
    assert len(done) == len(expected)
    assert set(done) == expected


@pytest.mark.parametrize(
    ("size", "edge"), [(-1, []), (1, []), (2, [b"x" * 32] * 2), (1, [b"short"])]
)
def test_edge_that_is_not_that_of_its_size_is_refused(size: int, edge: list[bytes]) -> None:
    with pytest.raises(ValueError, match="tree"):
        Tree(size, edge)


def test_leaf_that_is_no_hash_is_refused_and_leaves_what_came_before() -> None:
    tree = Tree()
    with pytest.raises(ValueError, match="32 bytes"):
        tree.append([HASHES[0], b"short"])
    assert (tree.size, tree.root()) == (1, HASHES[0])


@settings(deadline=None)
@given(st.data(), sizes)
def test_inclusion_proofs_are_the_defined_ones_and_verify(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, reader(size))
    assert proof == path(index, HASHES[:size])
    root = mth(HASHES[:size])
    merkle.verify_inclusion(index, size, HASHES[index], proof, root)
    verify_log.verify_inclusion(index, size, HASHES[index], proof, root)


@settings(deadline=None)
@given(st.data(), sizes)
def test_consistency_proofs_are_the_defined_ones_and_verify(
    data: st.DataObject, size2: int
) -> None:
    size1 = data.draw(st.integers(0, size2))
    proof = merkle.consistency_proof(size1, size2, reader(size2))
    assert proof == (subproof(size1, HASHES[:size2], True) if size1 else [])
    roots = mth(HASHES[:size1]), mth(HASHES[:size2])
    merkle.verify_consistency(size1, size2, proof, *roots)
    verify_log.verify_consistency(size1, size2, proof, *roots)


KNOWN_ROOTS = {mth(HASHES[:size]) for size in range(81)}


def accepts(verify: Callable[..., None], *claim: object) -> bool:
    """Whether a verifier accepts a claim; any error but ValueError is a crash."""
    try:
        verify(*claim)
    except ValueError:
        return False
    return True


@st.composite
def broken_inclusion(draw: st.DrawFn) -> tuple[int, int, bytes, list[bytes], bytes]:
    """An inclusion proof with one thing changed."""
    size = draw(st.integers(1, 40))
    index = draw(st.integers(0, size - 1))
    proof = path(index, HASHES[:size])
    claim = [index, size, HASHES[index], proof, mth(HASHES[:size])]
    place = draw(st.integers(0, 5))
    if place < 2:
        claim[place] = draw(st.integers(-2, 80).filter(lambda n: n != claim[place]))
    elif place in {2, 4}:
        claim[place] = flipped(draw, claim[place])  # type: ignore[arg-type]
    else:
        claim[3] = changed(draw, proof)
    return tuple(claim)  # type: ignore[return-value]


@st.composite
def broken_consistency(draw: st.DrawFn) -> tuple[int, int, list[bytes], bytes, bytes]:
    """A consistency proof with one thing changed."""
    size2 = draw(st.integers(1, 40))
    size1 = draw(st.integers(1, size2))
    proof = subproof(size1, HASHES[:size2], True)
    claim = [size1, size2, proof, mth(HASHES[:size1]), mth(HASHES[:size2])]
    place = draw(st.integers(0, 5))
    if place < 2:
        claim[place] = draw(st.integers(-2, 80).filter(lambda n: n != claim[place]))
    elif place in {3, 4}:
        claim[place] = flipped(draw, claim[place])  # type: ignore[arg-type]
    else:
        claim[2] = changed(draw, proof)
    return tuple(claim)  # type: ignore[return-value]


def flipped(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes with one bit changed."""
    bit = draw(st.integers(0, len(data) * 8 - 1))
    return (int.from_bytes(data, "big") ^ (1 << bit)).to_bytes(len(data), "big")


def changed(draw: st.DrawFn, proof: list[bytes]) -> list[bytes]:
    """The proof with a hash changed, added, cut off or swapped."""
    other = draw(st.sampled_from([HASHES[299], b"", b"\x00" * 31, b"\x00" * 33]))
    place = draw(st.integers(0, len(proof)))
    if place == len(proof) or draw(st.booleans()):
        return [*proof[:place], other, *proof[place:]]
    if draw(st.booleans()):
        return [*proof[:place], *proof[place + 1 :]]
    return [*proof[:place], flipped(draw, proof[place]), *proof[place + 1 :]]


@settings(deadline=None, max_examples=300)
@given(broken_inclusion())
def test_changed_inclusion_proof_is_refused(
    claim: tuple[int, int, bytes, list[bytes], bytes],
) -> None:
    index, size, leaf, proof, root = claim
    true = (
        0 <= index < size
        and (leaf, proof) == (HASHES[index], path(index, HASHES[:size]))
        and root == mth(HASHES[:size])
    )
    verdicts = {accepts(v.verify_inclusion, *claim) for v in (merkle, verify_log)}
    assert len(verdicts) == 1
    # A path fixes its place only as far as the shape of the tree does: the root of one size with a
    # neighbouring size may fit, which is why the size comes from the checkpoint with the root.
    if true or root == mth(HASHES[: max(size, 0)]) or root not in KNOWN_ROOTS:
        assert verdicts == {true}


@settings(deadline=None, max_examples=300)
@given(broken_consistency())
def test_both_verifiers_agree_on_a_changed_consistency_proof(
    claim: tuple[int, int, list[bytes], bytes, bytes],
) -> None:
    verdicts = {accepts(v.verify_consistency, *claim) for v in (merkle, verify_log)}
    assert len(verdicts) == 1
    size1, size2, proof, root1, root2 = claim
    if 0 < size1 <= size2 and proof == subproof(size1, HASHES[:size2], True):
        true = root1 == mth(HASHES[:size1]) and root2 == mth(HASHES[:size2])
        assert verdicts == {true}


@BOTH
def test_consistency_from_the_empty_tree_has_no_proof(verifier: ModuleType) -> None:
    empty = merkle.EMPTY_ROOT
    verifier.verify_consistency(0, 5, [], empty, mth(HASHES[:5]))
    verifier.verify_consistency(0, 0, [], empty, empty)
    for claim in (
        (0, 5, [HASHES[0]], empty, mth(HASHES[:5])),
        (0, 5, [], HASHES[0], mth(HASHES[:5])),
        (0, 0, [], empty, HASHES[0]),
        (5, 5, [], HASHES[0], HASHES[1]),
        (5, 4, [], HASHES[0], HASHES[0]),
        (4, 8, [], HASHES[0], HASHES[1]),
        (-1, 8, [], HASHES[0], HASHES[1]),
    ):
        with pytest.raises(ValueError, match="consistency"):
            verifier.verify_consistency(*claim)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 1), (3, 3)])
def test_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="index"):
        merkle.inclusion_plan(index, size)


@pytest.mark.parametrize(("size1", "size2"), [(-1, 3), (4, 3)])
def test_shrinking_tree_has_no_consistency_proof(size1: int, size2: int) -> None:
    with pytest.raises(ValueError, match="size1"):
        merkle.consistency_plan(size1, size2)


def test_plan_of_a_large_tree_is_short() -> None:
    plan = merkle.inclusion_plan(123_456, 10_000_000)
    assert len(plan) <= 24
    assert len(list(merkle.nodes_of(plan))) <= 48


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_range_is_covered_by_perfect_nodes_without_overlap(begin: int, end: int) -> None:
    if begin > end:
        with pytest.raises(ValueError, match="range"):
            merkle.range_nodes(begin, end)
        return
    at = begin
    for level, index in merkle.range_nodes(begin, end):
        assert index << level == at
        at += 1 << level
    assert at == end
