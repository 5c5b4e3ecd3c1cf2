"""What each command reads of Secrets, by the audit log: what docs/live.md says, and nothing more."""

import re
from pathlib import Path

import pytest

from ..peers import ROOT
from .controlplane import Cluster
from .shops import Shop

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
READING = {"get", "list", "watch"}
# As the table in docs/live.md has them.
TABLE, ONE, ROW = "table", "one", "one's row"
LIST = "?limit=500&includeObject=Metadata"
DOCUMENTED: dict[str, set[str]] = {
    "`diff`, `doctor`": {TABLE},
    "`sync`": {ONE},
    "`status`": {ROW},
    "`certificate --fetch`, `cluster pin`": set(),
}


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


def reads(shop: Shop, *arguments: str) -> tuple[list[str], set[str]]:
    """What a command reads of Secrets, and the verbs of all that it asks for."""
    start = shop.cluster.audit_log.stat().st_size
    done = shop.ksecret(*arguments)
    assert done.code in (0, 1), done.err
    requests = shop.cluster.requests(start, "admin")
    secrets = [request for request in requests if "/secrets" in request.uri and request.verb in READING]
    path = f"/api/v1/namespaces/{shop.namespace}/secrets"
    return [request.uri.removeprefix(path) for request in secrets], {request.verb for request in requests}


def test_the_table_says_what_the_tests_below_find() -> None:
    text = (ROOT / "docs/live.md").read_text()
    rows = dict(re.findall(r"^\| (`.*?) \| (.*?) \|$", text, re.MULTILINE))
    words = {
        TABLE: "one table of the namespace's Secrets, with their metadata",
        ROW: "the same of its own Secrets, one by one",
        ONE: "its own Secrets, whose values are dropped at once",
    }
    shown = {command: {kind for kind, word in words.items() if word in reads_} for command, reads_ in rows.items()}
    assert {command: shown.get(command) for command in DOCUMENTED} == DOCUMENTED


def test_of_sealed_secrets(shop: Shop) -> None:
    shop.sealed_overlay()
    shop.seal(token="one", password="p")
    shop.kubectl("create", "secret", "generic", "another", "--from-literal=token=x")
    assert set(reads(shop, "sync", "prod")[0]) == {"/app"}
    assert reads(shop, "diff", "prod") == ([LIST], {"get", "list"})
    assert reads(shop, "status", "prod") == ([], set())
    assert reads(shop, "certificate", "prod", "--fetch") == ([], {"get"})
    assert reads(shop, "cluster", "pin", "prod") == ([], {"get"})


def test_of_plain_secrets(shop: Shop) -> None:
    shop.secret_overlay()
    shop.values(token="one", password="p")
    shop.kubectl("create", "secret", "generic", "another", "--from-literal=token=x")
    assert set(reads(shop, "sync", "manual")[0]) == {"/app"}
    assert reads(shop, "diff", "manual") == ([LIST], {"list"})
    assert reads(shop, "status", "manual") == (["/app?limit=500&includeObject=Metadata"], {"get"})


def test_doctor_writes_nothing_and_reads_no_secret_but_the_overlays(shop: Shop) -> None:
    shop.sealed_overlay()
    shop.seal(token="one", password="p")
    assert shop.ksecret("sync", "prod").code == 0
    shop.kubectl("create", "secret", "generic", "another", "--from-literal=token=x")
    asked, verbs = reads(shop, "doctor", "prod")
    assert asked == [LIST]
    assert not verbs & {"patch", "update", "delete"}
