"""`doctor` of an overlay for ack-secret-manager, against a mock of the API server: no controller of it can be had."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from .mockapi import kubeconfig
from .test_ack_secret_manager import AUTHS, ack_shop

GROUP, SECRETS = "/apis/alibabacloud.com", "/api/v1/namespaces/shop-prod/secrets"
OBJECTS = f"{GROUP}/v1alpha1/namespaces/shop-prod"
STORE_NAME, EXTERNAL = "secretstore.alibabacloud.com/kms", "externalsecret.alibabacloud.com/app"
RRSA, ACCESS_KEY = AUTHS
APPLY = "kubectl apply --server-side --force-conflicts --field-manager=ksecret --kustomize=overlays/prod"
LABEL = "app.kubernetes.io/name=ack-secret-manager"
POD = {
    "metadata": {"name": "ack-secret-manager-1", "namespace": "kube-system"},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}


class Ack:
    """An overlay, and a cluster that has all of it. A test takes something away."""

    def __init__(self, folder: Path, server: str, auth: dict[str, Any]) -> None:
        self.project, self._kubeconfig = ack_shop(folder, auth), str(kubeconfig(folder, server))
        self.store, self.external = json.loads(self.project.done("render", "prod", "-o", "json"))["items"]
        self.served, self.pods = ["externalsecrets", "secretstores"], [POD]
        self.secrets: dict[str, list[str]] = {"app": ["password", "token"]}

    def steps(self, verdict: str = "failed") -> Mapping[str, Mapping[str, Any]]:
        """The steps with a verdict, by their objects."""
        done = self.project.ksecret("doctor", "prod", "--output=json", KUBECONFIG=self._kubeconfig)
        assert done.err == ""
        return {step["subject"]: step for step in json.loads(done.out)["steps"] if step["verdict"] == verdict}

    def answer(self, path: str) -> Any:
        """What a path leads to; None for nothing."""
        resources = [{"name": name} for name in self.served]
        rows = {name: _row(name, keys) for name, keys in self.secrets.items()}
        answers = {
            GROUP: {"versions": [{"version": "v1alpha1"}]} if self.served else None,
            f"{GROUP}/v1alpha1": {"resources": resources} if self.served else None,
            f"{OBJECTS}/secretstores/kms": self.store,
            f"{OBJECTS}/externalsecrets": {"items": [self.external] if self.external else []},
            "/api/v1/pods": {"items": self.pods},
            SECRETS: {"rows": [*rows.values()]},
            f"{SECRETS}/login": {"rows": [rows["login"]]} if "login" in rows else None,
            "/apis/argoproj.io/v1alpha1": None,
        }
        return answers.get(path, {"items": []})


@pytest.fixture
def ack(tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], Ack]]:
    """Makes an overlay whose store signs in as given, with its cluster."""
    running: list[Ack] = []

    class Exchange(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = running[-1].answer(self.path.partition("?")[0].rstrip("/"))
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body or {"kind": "Status", "reason": "NotFound"}).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Exchange)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()

    def make(auth: dict[str, Any]) -> Ack:
        running.append(Ack(tmp_path, f"http://127.0.0.1:{server.server_port}", auth))
        return running[-1]

    yield make
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def rrsa(ack: Callable[[dict[str, Any]], Ack]) -> Ack:
    return ack(RRSA)


def _row(name: str, keys: list[str]) -> dict[str, Any]:
    """A row of the table that `kubectl get secrets` prints, with the metadata that name the keys."""
    fields: dict[str, Any] = {"f:data": {f"f:{key}": {} for key in keys}}
    metadata = {
        "name": name,
        "namespace": "shop-prod",
        "uid": name,
        "resourceVersion": "1",
        "managedFields": [{"manager": "operator", "time": "2026-01-01T00:00:00Z", "fieldsV1": fields}],
    }
    return {"cells": [name, "Opaque", len(keys), "1m"], "object": {"metadata": metadata}}


def test_where_all_is_well_what_alibaba_cloud_alone_knows_is_said(rrsa: Ack) -> None:
    assert rrsa.steps() == {}
    role = "acs:ram::1:role/shop"
    unasked = rrsa.steps("not applicable")[STORE_NAME]
    assert unasked["cause"] == f"it signs in by RRSA as {role}; Alibaba Cloud alone knows whether it may"
    passed = rrsa.steps("passed")
    assert passed["apiservice/v1alpha1.alibabacloud.com"]["cause"] == "it serves alibabacloud.com/v1alpha1"
    assert passed["pod/ack-secret-manager-1"]["cause"] == "in namespace kube-system"
    assert passed[EXTERNAL]["cause"] == "it tells nobody when it read KMS last"


@pytest.mark.parametrize(
    ("served", "cause"),
    [([], "the cluster does not serve alibabacloud.com"), (["externalsecrets"], "it does not serve secretstores")],
    ids=["nothing", "a part"],
)
def test_an_operator_that_is_not_installed_or_not_whole_is_named(rrsa: Ack, served: list[str], cause: str) -> None:
    rrsa.served = served
    step = rrsa.steps()["apiservice/v1alpha1.alibabacloud.com"]
    assert step["cause"] == cause
    assert step["remedies"][0].endswith("install ack-secret-manager from the Marketplace of the ACK console")


def test_an_operator_without_a_pod_is_not_known_to_run(rrsa: Ack) -> None:
    rrsa.pods = []
    assert rrsa.steps("unknown")["pod"]["remedies"] == [f"kubectl get pods --all-namespaces --selector={LABEL}"]


def test_a_store_of_the_build_that_is_missing_is_brought_by_applying_it(rrsa: Ack) -> None:
    rrsa.store = None
    step = rrsa.steps()[STORE_NAME]
    assert (step["cause"], step["remedies"]) == ("there is no such store, though the build has it", [APPLY])


def test_a_role_that_nobody_has_filled_in_is_named(ack: Callable[[dict[str, Any]], Ack]) -> None:
    provider = "acs:ram::<account>:oidc-provider/c"
    step = ack({"rrsa": {"oidcProviderARN": provider, "ramRoleARN": "acs:ram::1:role/shop"}}).steps()[STORE_NAME]
    assert step["cause"] == "oidcProviderARN is a placeholder (<…>)"
    assert step["remedies"] == [
        "correct it in overlays/prod/secrets/ksecret.yaml, then",
        "kubectl ksecret render prod --write",
        APPLY,
    ]


def test_an_access_key_whose_secret_is_missing_or_lacks_a_key_is_named(ack: Callable[[dict[str, Any]], Ack]) -> None:
    shop = ack(ACCESS_KEY)
    step = shop.steps()["secret/login"]
    assert step["cause"] == f"there is no such Secret in shop-prod, with which {STORE_NAME} signs in"
    shop.secrets["login"] = ["id", "secrets"]
    step = shop.steps()["secret/login"]
    assert step["cause"] == f"it lacks secret; it has secrets, with which {STORE_NAME} signs in"
    assert step["remedies"] == [
        "kubectl create secret generic login --namespace=shop-prod --from-file=secret=FILE --dry-run=client "
        "--output=yaml | kubectl apply --server-side --field-manager=ksecret-secret --filename=-"
    ]
    shop.secrets["login"] = ["id", "secret"]
    assert shop.steps() == {}


def test_an_external_secret_that_is_missing_or_of_another_form_is_brought_by_a_sync(rrsa: Ack) -> None:
    external = rrsa.external
    rrsa.external, rrsa.secrets = None, {}
    failed = rrsa.steps()
    assert failed[EXTERNAL]["cause"] == "there is no such ExternalSecret"
    assert failed["secret/app"]["cause"].endswith("; see above: the ExternalSecret has become its Secret")
    assert failed[EXTERNAL]["remedies"] == ["kubectl ksecret sync prod app"]
    rrsa.external, rrsa.secrets = external, {"app": ["password", "token"]}
    external["spec"]["data"][0]["key"] = "another"
    step = rrsa.steps()[EXTERNAL]
    assert step["cause"] == "the cluster has another form of it than the build: it is not applied yet"


def test_what_kms_lacks_is_missing_in_the_secret_and_status_says_which_name_it_is(rrsa: Ack) -> None:
    rrsa.secrets["app"] = ["token"]
    step = rrsa.steps()[EXTERNAL]
    assert step["cause"] == (
        "the Secret lacks password: KMS does not have it, or refuses to give it; its controller's log alone says which"
    )
    assert step["remedies"] == [
        "kubectl ksecret status prod",
        f"kubectl logs --all-containers --selector={LABEL} --tail=50 --namespace=kube-system",
    ]
