"""Which cluster, user and namespace a kubeconfig means: held against the real kubectl, which reads the same files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kubectl_ksecret.cluster.kubeconfig import KubectlFlags, read
from kubectl_ksecret.errors import InputError

from .peers import peer, run


def config(*names: str, current: str | None = None, server: str = "https://{}.example:6443") -> dict[str, Any]:
    """A kubeconfig with a context, a cluster and a user of each name."""
    fields = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server.format(name)}} for name in names],
        "users": [{"name": name, "user": {"username": name, "password": "x"}} for name in names],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": f"of-{name}"}} for name in names
        ],
    }
    return fields | ({"current-context": current} if current else {})


def write(folder: Path, *configs: Mapping[str, Any]) -> str:
    """Write files and return them as KUBECONFIG lists them."""
    paths = [folder / f"{number}.yaml" for number, _ in enumerate(configs)]
    for path, fields in zip(paths, configs, strict=True):
        path.write_text(json.dumps(fields))
    return ":".join(map(str, paths))


def as_kubectl(variables: Mapping[str, str], *flags: str) -> tuple[str, str, str]:
    """Server, user name and namespace of the context that kubectl uses."""
    view = json.loads(
        run(peer("kubectl"), "config", "view", "--minify", "--raw", "--output=json", *flags, env=dict(variables))
    )
    [context], [cluster], [user] = view["contexts"], view["clusters"], view["users"]
    return cluster["cluster"]["server"], user["user"]["username"], context["context"]["namespace"]


def as_ours(variables: Mapping[str, str], **flags: Any) -> tuple[str, str, str]:
    settings = read(KubectlFlags(**flags), variables)
    return settings.server, settings.user.text("username"), settings.namespace


OTHER_SERVER = "https://other-{}.example"
FILES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "one file": [config("a", "b", current="b")],
    "the first current context of several": [config("a", current="a"), config("b", current="b")],
    "a current context that only the second file has": [config("a"), config("b", current="b")],
    "a current context whose parts are in another file": [{"current-context": "b"}, config("a", "b")],
    "the first of two clusters of one name": [config("a", current="a"), config("a", server=OTHER_SERVER)],
}


@pytest.mark.parametrize("files", FILES.values(), ids=FILES)
def test_the_context_is_the_one_that_kubectl_uses(tmp_path: Path, files: Sequence[Mapping[str, Any]]) -> None:
    variables = {"KUBECONFIG": write(tmp_path, *files), "HOME": str(tmp_path)}
    assert as_ours(variables) == as_kubectl(variables)


def test_flags_choose_file_context_and_namespace_as_with_kubectl(tmp_path: Path) -> None:
    write(tmp_path, config("a", current="a"), config("b", "c", current="b"))
    file = str(tmp_path / "1.yaml")
    variables = {"KUBECONFIG": str(tmp_path / "0.yaml"), "HOME": str(tmp_path)}
    expected = as_kubectl(variables, f"--kubeconfig={file}", "--context=c")
    assert as_ours(variables, kubeconfig=file, context="c") == expected
    assert as_ours(variables, kubeconfig=file, context="c", namespace="mine")[2] == "mine"


def test_without_kubeconfig_the_default_place_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(json.dumps(config("home", current="home")))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert as_ours({}) == as_kubectl({"HOME": str(tmp_path)})


def test_a_file_that_is_missing_counts_only_when_the_flag_names_it(tmp_path: Path) -> None:
    listed = write(tmp_path, config("a", current="a"))
    variables = {"KUBECONFIG": f"{tmp_path}/missing:{listed}", "HOME": str(tmp_path)}
    assert as_ours(variables) == as_kubectl(variables)
    with pytest.raises(InputError, match="missing: No such file"):
        as_ours(variables, kubeconfig=f"{tmp_path}/missing")


@pytest.mark.parametrize(
    ("fields", "flags", "message"),
    [
        (config("production", current="production"), {"context": "prodution"}, 'did you mean "production"'),
        (config("a"), {}, "names no current context"),
        (config("a", current="a") | {"clusters": []}, {}, 'no cluster "a"'),
        ({"current-context": "a"}, {}, 'no context "a"'),
    ],
)
def test_parts_that_are_missing_are_named(
    tmp_path: Path, fields: Mapping[str, Any], flags: Mapping[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        as_ours({"KUBECONFIG": write(tmp_path, fields)}, **flags)


def test_a_kubeconfig_that_is_no_yaml_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("users: [{name: a, user: {token: canary-token]\n")
    with pytest.raises(InputError) as refusal:
        as_ours({"KUBECONFIG": str(file)})
    assert "not valid YAML" in str(refusal.value)
    assert "canary" not in str(refusal.value)


def test_impersonation_of_the_kubeconfig_counts_and_flags_go_before_it(tmp_path: Path) -> None:
    """The official client ignores `as`: the request would go out with all rights of the user who signed in."""
    fields = config("a", current="a")
    fields["users"][0]["user"] |= {"as": "viewer", "as-groups": ["readers", "all"]}
    variables = {"KUBECONFIG": write(tmp_path, fields)}
    kubeconfig = [("Impersonate-User", "viewer"), ("Impersonate-Group", "readers"), ("Impersonate-Group", "all")]
    assert list(read(KubectlFlags(), variables).impersonation()) == kubeconfig
    flags = KubectlFlags(impersonated_user="me", impersonated_groups=["one"], impersonated_uid="u-1")
    assert list(read(flags, variables).impersonation()) == [
        ("Impersonate-User", "me"),
        ("Impersonate-Group", "one"),
        ("Impersonate-Uid", "u-1"),
    ]
