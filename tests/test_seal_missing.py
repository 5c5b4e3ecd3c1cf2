"""Of what the source lacks, only that counts which was asked for; a Secret that can't be sealed in part stays whole."""

import json
from pathlib import Path

from .projects import age, ciphertext, opened_by_kubeseal, opened_by_sops, secret_manifest, shop


def test_only_what_was_asked_for_counts(tmp_path: Path) -> None:
    """What is merely not sealed yet is listed, and the exit code is 0."""
    project = shop(tmp_path, "TOKEN=the token\n")
    done = project.ksecret("seal", "prod", "app/token")
    assert (done.code, done.err) == (0, "")
    assert "prod: not sealed, nothing gives a value for\n  app/password\n" in done.out
    assert project.ksecret("seal", "prod", "app/password").code == 3
    given = json.dumps(secret_manifest("app", stringData={"token": "x"}))
    done = project.ksecret("seal", "prod", "-f", "-", stdin=given)
    assert (done.code, "nothing gives a value for\n  app/password\n" in done.out) == (0, True)
    done = project.ksecret("seal", "prod", "app/token", "--from-stdin", stdin="x")
    assert (done.code, "nothing gives a value for\n  app/password\n" in done.out) == (0, True)


def test_a_secret_of_a_known_type_is_sealed_whole_or_not_at_all(tmp_path: Path) -> None:
    """Half of basic-auth is no use; what is sealed of it already stays."""
    project = shop(tmp_path, "TOKEN=t\nPASSWORD=p\nUSERNAME=u\n")
    project.declare(
        "login", {"username": {}, "password": {"remoteName": "login-password"}}, type="kubernetes.io/basic-auth"
    )
    done = project.ksecret("seal", "prod")
    assert done.code == 3 and "login/password is read from LOGIN_PASSWORD, which .env does not have" in done.err
    assert "a Secret of type kubernetes.io/basic-auth is sealed whole or not at all" in done.err
    assert not project.manifest("login").exists()
    assert set(ciphertext(project)) == {"token", "password"}
    assert project.ksecret("seal", "prod", "app").code == 0  # the login was not asked for
    project.write(".env", "TOKEN=t\nPASSWORD=p\nUSERNAME=u\nLOGIN_PASSWORD=l\n")
    assert project.ksecret("seal", "prod").code == 0
    before = ciphertext(project, "login")
    project.write(".env", "TOKEN=t\nPASSWORD=p\nUSERNAME=another\n")
    done = project.ksecret("seal", "prod", "login")
    assert done.code == 3 and ciphertext(project, "login") == before


def test_a_refused_value_is_no_missing_one(tmp_path: Path) -> None:
    """Nothing of that overlay is written, exit 2; the other overlay goes on, and the highest code wins."""
    project = shop(tmp_path, "TOKEN=\nMORE=x\n")
    project.sealed_overlay("other", source={"dotenv": {"file": "../../../.env.other"}})
    project.write(".env.other", "TOKEN=the token of the other\n")
    done = project.ksecret("seal")
    assert done.code == 3 and "empty" in done.err
    assert opened_by_kubeseal(project.manifest("app", "other")) == {"token": b"the token of the other"}
    assert not project.manifest("app").exists()
    assert project.ksecret("seal", "prod").code == 2


def test_a_sops_file_that_takes_all_values_stays_as_it_is(tmp_path: Path) -> None:
    """Without an identity it is encrypted anew as a whole; half of the values would lose the others."""
    project = shop(tmp_path)
    project.sops_overlay("alice")
    project.done("seal", "prod")
    before = project.manifest("app").read_bytes()
    project.write(".env", "TOKEN=new\n")
    done = project.ksecret("seal", "prod", "app/token")
    assert (done.code, project.manifest("app").read_bytes()) == (3, before)
    assert "app/password is read from PASSWORD, which .env does not have" in done.err
    done = project.ksecret("seal", "prod", "app/token", SOPS_AGE_KEY=age("alice").identity)
    assert done.code == 0
    assert opened_by_sops(project.manifest("app"), "alice") == {"token": b"new", "password": b"the password"}
