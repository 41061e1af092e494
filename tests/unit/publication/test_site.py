"""The site over HTTP: what it answers, and with which headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.proof.tiles import tiles_of
from services.publication.model import Collection
from services.publication.site import SECURITY, Site
from services.runtime.web import Request, Response
from tests.support.public import authorizations, catalogue
from tests.unit.publication.world import World


class Visitor:
    """A site with something of each collection, and requests to it."""

    def __init__(self) -> None:
        self.world = World()
        self.site = Site(store=self.world.store)

    async def get(self, path: str, method: str = "GET", **headers: str) -> Response:
        """One request; underscores in names of headers stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.site(Request(method, path, b"", named))
        assert answer.headers.items() >= SECURITY.items()
        return answer


@pytest.fixture
async def visitor() -> Visitor:
    made = Visitor()
    await made.world.push(Collection.AUTHORIZATIONS, authorizations())
    await made.world.push(Collection.CATALOGUE, catalogue())
    await made.world.push_log(0, 300)
    return made


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/fr/", "text/html"),
        ("/de/index.html", "text/html"),
        ("/style.css", "text/css"),
        ("/mark.svg", "image/svg+xml"),
        ("/robots.txt", "text/plain"),
        ("/authorizations/fr/", "text/html"),
        ("/authorizations/authorizations.json", "application/json"),
        ("/catalogue/nl/services/employment_periods.1.html", "text/html"),
        ("/catalogue/schemas/employment_periods.1.binpb", "application/octet-stream"),
        ("/log/checkpoint", "text/plain"),
        ("/log/en/index.html", "text/html"),
    ],
)
async def test_what_is_shown_has_its_type_and_a_validator(
    visitor: Visitor, path: str, kind: str
) -> None:
    answer = await visitor.get(path)
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, kind)
    again = await visitor.get(path, if_none_match=f'"x", W/{answer.headers["etag"]}')
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]
    html = kind == "text/html"
    assert ("access-control-allow-origin" in answer.headers) is not html


async def test_page_that_changed_has_another_validator(visitor: Visitor) -> None:
    before = await visitor.get("/authorizations/fr/")
    home = await visitor.get("/fr/")
    await visitor.world.push(Collection.AUTHORIZATIONS, authorizations("two"), minutes=1)
    after = await visitor.get("/authorizations/fr/", if_none_match=before.headers["etag"])
    assert (after.status, after.body) == (200, b"<p>two</p>")
    assert (await visitor.get("/fr/", if_none_match=home.headers["etag"])).status == 200


async def test_checkpoint_is_always_asked_for_and_tiles_never_change(visitor: Visitor) -> None:
    checkpoint = await visitor.get("/log/checkpoint")
    assert checkpoint.headers["cache-control"] == "no-cache"
    assert visitor.world.log.verify(checkpoint.body.decode()).size == 300
    for tile in tiles_of(300):
        answer = await visitor.get(f"/log/{tile.path}")
        assert answer.body == visitor.world.log.tile(tile, 300)
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    "path",
    [
        "/log/tile/0/001",
        "/log/tile/0/001.p/45",
        "/log/tile/0/002.p/1",
        "/log/tile/1/000.p/2",
        "/log/tile/entries/000",
        "/log/tile/entries/001.p/44",
        "/log/tile/0/0",
        "/nothing",
        "/fr/nothing.html",
        "/authorizations/../style.css",
        "/%2e%2e/etc/passwd",
    ],
)
async def test_what_is_not_shown_is_not_there(visitor: Visitor, path: str) -> None:
    answer = await visitor.get(path)
    assert (answer.status, answer.headers["cache-control"]) == (404, "no-cache")


async def test_missing_page_is_told_in_the_language_of_its_reader(visitor: Visitor) -> None:
    assert b'lang="nl"' in (await visitor.get("/catalogue/nl/x.html")).body
    answer = await visitor.get("/x", accept_language="pt;q=0.9, de-BE;q=0.8, fr")
    assert b'<html lang="de">' in answer.body
    assert b'<html lang="en">' in (await visitor.get("/x")).body


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40))
async def test_whatever_is_asked_is_answered(path: str) -> None:
    answer = await Visitor().get(f"/{path}", if_none_match=path, accept_language=path)
    assert answer.status in (200, 304, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT"])
async def test_nothing_but_reading_is_possible(visitor: Visitor, method: str) -> None:
    answer = await visitor.get("/fr/", method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_store_that_is_down_is_a_503_that_says_when_to_try_again(visitor: Visitor) -> None:
    visitor.world.store.down = True
    answer = await visitor.get("/authorizations/fr/")
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert (await visitor.get("/style.css")).status == 200
