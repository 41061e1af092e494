"""What a newcomer sees and does: the demo's exchange, any other, refusals, the log."""

from itertools import product
from pathlib import Path

import pytest

from services.cli import asking
from services.cli.asking import Question, Tracing
from services.cli.connections import Connections
from services.cli.demo import ASKER
from services.cli.platform import ports
from services.institution.client import CrossroadsClient
from services.institution.population import Integration, Replacement
from services.institution.sector import Grant, load
from tests.support.running import Running

pytestmark = pytest.mark.xdist_group("e2e")


def test_the_demo_shows_decision_answer_receipt_proof_trace_and_three_refusals(
    platform: Running,
) -> None:
    shown = platform.shown
    for part in (
        "D/2026/001",  # the deliberation behind the decision
        "withheld",
        "employment.dmfa.remuneration_amount",
        "onss/dmfa · answered",
        "receipt, signed by the log",
        "is in the tree of",
        "routing.log_request",
        "SourceService/Answer",
        "NOT_AUTHORIZED:",
        "NOT_INTEGRATED:",
        "INVALID_KEY:",
    ):
        assert part in shown


def test_the_answer_holds_granted_elements_only(platform: Running) -> None:
    done = platform.crossroads("exchange", "employment_periods", "--json")
    assert done.code == 0
    document = done.document
    (answer,) = document["answers"]
    assert answer["outcome"] == "answered"
    assert "remuneration" not in done.out
    assert "employment.dmfa.remuneration_amount" not in document["elements"]
    assert document["deliberations"] == ["D/2026/001"]
    assert document["log"]["index"] == document["receipt"]["index"]


async def test_every_service_of_the_catalogue_can_be_asked(platform: Running) -> None:
    async with Connections(home=platform.home) as connections:
        tracing = Tracing(address=connections.address("otlp"))
        catalogue = await asking.services(connections, ASKER)
        asked = set()
        for grant in load().grants:
            subject = None if grant.service in asked else _subject(platform, grant)
            if subject is None or grant.prohibition or grant.valid_until is not None:
                continue
            described = asking.find(catalogue, grant.service, grant.version)
            asker = f"{grant.institution}/{_application(grant)}"
            question = Question(asker, grant.service, subject, grant.purpose)
            answered = await asking.ask(connections, tracing, described, question)
            assert set() < set(answered.elements) <= set(described.elements)
            asked.add(grant.service)
        await tracing.close()
    assert asked == {each.id for each in load().services}


def _application(grant: Grant) -> str:
    """The one that the grant names, or any of the institution."""
    own = (each.id for each in load().applications if each.institution == grant.institution)
    return grant.application or next(own)


def _subject(platform: Running, grant: Grant) -> str | None:
    """Somebody whom the caller and one of the sources know, as the grant demands."""
    sources = [each.partition("/")[0] for each in load().service(grant.service).sources]
    for caller, source, held in product(grant.caller_capacities, sources, grant.source_capacities):
        found = platform.store.integrated_in((grant.institution, caller), (source, held))
        if found is not None:
            return found
    return None


def test_a_replaced_key_is_answered_under_the_new_one_and_said(platform: Running) -> None:
    subjects = platform.store.subjects()
    assert any(each.niss == subjects.replaced for each in platform.store.all(Replacement))
    done = platform.crossroads(
        "exchange", "employment_periods", "--subject", subjects.replaced, "--json"
    )
    assert done.code == 0, done.err
    assert done.document["current_key"] == subjects.replacing


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("child_benefit",), 3, "NOT_AUTHORIZED: no published authorization"),
        (("employment_periods", "--purpose", "PENSION_AWARD"), 3, "NOT_AUTHORIZED"),
        (("nothing_such",), 1, "no exchange service nothing_such; there are: address"),
        (
            ("employment_periods", "--version", "9"),
            1,
            "employment_periods has no version 9; there are: 1",
        ),
        (("employment_periods", "--as", "capac/nobody"), 1, "has no certificate in"),
        (("employment_periods", "--question", '{"quarter": 1}'), 1, "--question is not a"),
        (("employment_periods", "--since", "yesterday"), 2, "Invalid value for --since: is no day"),
    ],
)
def test_a_question_that_cannot_be_answered_ends_with_its_code_and_a_remedy(
    platform: Running, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = platform.crossroads("exchange", *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_nobody_can_tell_an_unknown_person_from_one_without_integration(platform: Running) -> None:
    subjects = platform.store.subjects()
    answers = [
        platform.crossroads("exchange", "employment_periods", "--subject", each, "--json")
        for each in (subjects.unknown, subjects.not_at_capac)
    ]
    first, second = (each.document for each in answers)
    assert [each.code for each in answers] == [3, 3]
    for document in (first, second):
        document.pop("trace_id")
        document["metadata"].pop("exchange_id", None)
    assert first == second
    assert first["refused"] == "NOT_INTEGRATED"


async def test_an_institution_reads_back_what_it_declared(platform: Running) -> None:
    subject = platform.store.subjects().demo
    async with Connections(home=platform.home) as connections:
        client = CrossroadsClient(
            certificates=await connections.certificates(connections.folder(ASKER)),
            platform=connections.platform,
            routing=connections.address("routing"),
        )
        async with client:
            listed = await client.list_integrations(subject)
    declared = {
        (each.niss, each.capacity, each.start, each.until or None)
        for each in platform.store.all(Integration)
        if (each.institution, each.niss) == (ASKER.partition("/")[0], subject)
    }
    assert declared
    assert declared == {
        (each.subject, each.capacity, str(each.start), each.until and str(each.until))
        for each in listed
    }


def test_every_receipt_is_found_in_the_log(platform: Running) -> None:
    assert platform.crossroads("exchange", "employment_periods", "--json").code == 0
    done = platform.crossroads("log", "verify", "--json")
    assert done.code == 0, done.err
    assert done.document["proven"] >= 1
    assert done.document["findings"] == []


def test_a_trace_is_kept_for_a_while(platform: Running) -> None:
    trace = platform.crossroads("exchange", "employment_periods", "--json").document["trace_id"]
    done = platform.crossroads("trace", trace, "--json")
    names = {each["name"] for each in done.document}
    assert "routing.log_release" in names
    done = platform.crossroads("trace", "0" * 32)
    assert (done.code, done.out) == (1, "")
    assert "too old" in done.err


def test_who_was_certified_by_the_operator_is_believed_elsewhere(
    platform: Running, tmp_path: Path
) -> None:
    folder, act = tmp_path / "me", "00000000-0000-4000-8000-000000000000"
    done = platform.crossroads("vault", "certify", "anke-maes", str(folder))
    assert done.code == 0, done.err
    asked = platform.crossroads(
        *("act", "show", act, "--folder", str(folder)),
        *("--address", f"{ports.LOOPBACK}:{ports.known(platform.home)['registry']}"),
        *("--authority", str(platform.home.authorities / "services.pem")),
    )
    assert (asked.code, asked.out) == (3, "")
    assert "NOT_FOUND" in asked.err  # and not CALLER_NOT_ALLOWED
    nobody = platform.crossroads("vault", "certify", "Nobody At All", str(folder))
    assert nobody.code == 1
    assert "lower-case letters" in nobody.err


def test_the_genesis_of_a_platform_elsewhere_is_begun_with_its_vault_and_not_repeated(
    platform: Running,
) -> None:
    home, known = platform.home, ports.known(platform.home)
    operator = home.secrets / "operator"
    done = platform.crossroads(
        *("genesis", *("--administrator", "a", "--administrator", "b", "--administrator", "c")),
        *("--registry", f"{ports.LOOPBACK}:{known['registry']}"),
        *("--vault", f"https://{ports.LOOPBACK}:{known['openbao']}"),
        *("--ca-file", str(home.vault_ca)),
        *("--role-id-file", str(operator / "role_id")),
        *("--secret-id-file", str(operator / "secret_id")),
    )
    # Registry says so to none but the genesis: it has believed the certificate.
    assert (done.code, done.out) == (1, "")
    assert "the genesis took place already" in done.err


def test_a_second_start_finds_everything_done(platform: Running) -> None:
    again = platform.crossroads("up", "--demo", "--json")
    assert again.code == 0, again.err
    assert "genesis" not in again.err
    assert "integrations" not in again.err
    assert again.document["deliberations"] == ["D/2026/001"]


def test_status_tells_what_runs(platform: Running) -> None:
    done = platform.crossroads("status", "--json")
    assert done.code == 0
    assert done.document["state"] == "serving"
    assert {"routing", "postgres", "sources-1"} <= done.document["processes"].keys()


def test_the_genesis_takes_place_once(platform: Running) -> None:
    three = [f"--administrator={name}" for name in ("a-one", "b-two", "c-three")]
    done = platform.crossroads("genesis", *three)
    assert done.code == 1
    assert "took place already" in done.err
