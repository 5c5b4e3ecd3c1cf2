"""What of a controller's message is shown: its own sentences, and names that the object has; never a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_ksecret.cluster.messages import UNREADABLE, names_of, scrubbed

CANARY = "canary-value"
NAMES = names_of(
    {
        "metadata": {"name": "app", "namespace": "shop", "annotations": {"last": CANARY}},
        "spec": {
            "secretStoreRef": {"name": "vault", "kind": "SecretStore"},
            "data": [{"secretKey": "token", "remoteRef": {"key": "jwt-key", "property": "sub"}}],
        },
    },
    {"metadata": {"name": "vault"}, "spec": {"provider": {"fake": {"data": [{"key": "k", "value": CANARY}]}}}},
)
# As External Secrets Operator 0.20.4 and Sealed Secrets 0.38.4 wrote them into Events and logs.
MESSAGES = {
    "error processing spec.data[0] (key: jwt-key), err: Secret does not exist": (
        "error processing spec.data[0] (key: jwt-key): Secret does not exist"
    ),
    "error processing spec.data[0] (key: jwt-key), err: property sub does not exist in key jwt-key": (
        "error processing spec.data[0] (key: jwt-key): property sub does not exist in key jwt-key"
    ),
    'error processing spec.data[0] (key: jwt-key), err: SecretStore "vault" is not ready': (
        'error processing spec.data[0] (key: jwt-key): SecretStore "vault" is not ready'
    ),
    f"could not apply template: could not execute template: unable to execute template at key token: unable to execute "
    f'template at key token: template: token:1:3: executing "token" at <mustToDate>: error calling mustToDate: parsing '
    f'time "{CANARY}" as "2006-01-02": cannot parse "{CANARY}" as "2006"': (
        "could not apply template: could not execute template: unable to execute template at key token: …: "
        "error calling mustToDate"
    ),
    f"could not apply template: error calling fail: {CANARY}": ("could not apply template: error calling fail: …"),
    f"unable to parse {CANARY}: invalid character 'c' looking for beginning of value": "…: invalid character",
    "Failed to unseal: no key could decrypt secret (token, other)": "Failed to unseal: no key could decrypt secret (…)",
    "Failed to unseal: no key could decrypt secret (token)": "Failed to unseal: no key could decrypt secret (token)",
    'failed to get service account: ServiceAccount "app" not found': (
        'failed to get service account: ServiceAccount "app" not found'
    ),
    'Post "https://vault/oauth2": dial tcp: lookup vault on 10.0.0.10:53: no such host': (
        "…: lookup vault: no such host"
    ),
    f'Get "https://{CANARY}/": dial tcp: lookup {CANARY}: no such host': "…: lookup …: no such host",
    f"no sentence that anybody knows: {CANARY}": UNREADABLE,
}


@pytest.mark.parametrize("message", MESSAGES)
def test_sentences_of_the_controllers_are_shown_and_what_they_quote_is_not(message: str) -> None:
    shown = scrubbed(message, NAMES)
    assert shown.removesuffix(": …") == MESSAGES[message].removesuffix(": …")
    assert CANARY not in shown


@given(st.lists(st.sampled_from([*MESSAGES, CANARY, "(key: ", ")", '"', ": ", "error calling ", "AADSTS"])))
def test_however_messages_are_put_together_no_value_shows(parts: list[str]) -> None:
    assert CANARY not in scrubbed("".join(parts), NAMES)
