"""`helm test`: its pod stays to be read, and the doors that it needs do not."""

from tests.support.charts import Object, production

HOOK, DELETED = "helm.sh/hook", "helm.sh/hook-delete-policy"


def hooks() -> list[Object]:
    """What a test brings with it."""
    objects = production("community").objects
    return [e for e in objects if e["metadata"].get("annotations", {}).get(HOOK) == "test"]


def test_the_pod_stays_for_its_log_and_all_else_goes_with_success() -> None:
    # helm reads the logs after it has deleted what is to go with success (helm#9098).
    after = {
        f"{each['kind']}/{each['metadata']['name']}": "hook-succeeded"
        in each["metadata"]["annotations"][DELETED].split(",")
        for each in hooks()
    }
    assert after == {
        "Pod/exchange-test": False,
        "ServiceAccount/exchange-test": True,
        "NetworkPolicy/exchange-test": True,
        "NetworkPolicy/exchange-test-admitted": True,
    }


def test_a_second_test_replaces_what_a_first_one_left() -> None:
    for each in hooks():
        assert "before-hook-creation" in each["metadata"]["annotations"][DELETED].split(",")
