"""What verifiers that other people wrote say of the signature of a card.

Run by `a2a/`. CARD_URL is where the card is and KEYS_URL where the keys are that it is signed with. The card is
verified by the official SDK of A2A, and by a JOSE library and an RFC 8785 library that know nothing of A2A: the card
as it is served, without its signatures, is what was signed. A changed card is refused by both.
"""

import copy
import json
import os

import httpx
import rfc8785
from a2a.client.card_resolver import parse_agent_card
from a2a.utils.signing import InvalidSignaturesError, create_signature_verifier
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet
from joserfc.util import to_bytes, urlsafe_b64decode, urlsafe_b64encode
from jwt import PyJWK

TRUST = "https://agenttrust.id/ext/trust/v1"


def by_the_sdk(card, keys):
    """Whether one of these keys made a signature of the card, as the official SDK has it."""
    known = {key["kid"]: PyJWK(key, algorithm="EdDSA") for key in keys}
    verify = create_signature_verifier(lambda kid, _jku: known[kid], ["EdDSA"])
    try:
        # It reads what it is given out of it.
        verify(parse_agent_card(copy.deepcopy(card)))
    except InvalidSignaturesError:
        return False
    return True


def by_jose(card, keys):
    """Whether they made it, as JOSE and RFC 8785 have it: all that there is of the card was signed."""
    unsigned = {name: member for name, member in card.items() if name != "signatures"}
    payload = urlsafe_b64encode(rfc8785.dumps(unsigned)).decode()
    key_set = KeySet.import_key_set({"keys": keys})
    for signature in card["signatures"]:
        compact = f"{signature['protected']}.{payload}.{signature['signature']}"
        try:
            jws.deserialize_compact(to_bytes(compact), key_set, algorithms=["Ed25519", "EdDSA"])
        except BadSignatureError:
            continue
        return True
    return False


def changed(card, change):
    other = copy.deepcopy(card)
    change(other)
    return other


def trust(card):
    return next(it for it in card["capabilities"]["extensions"] if it["uri"] == TRUST)["params"]


def main():
    card = httpx.get(os.environ["CARD_URL"]).raise_for_status().json()
    keys = httpx.get(os.environ["KEYS_URL"]).raise_for_status().json()["keys"]
    assert card["signatures"] and keys, card
    for signature in card["signatures"]:
        head = json.loads(urlsafe_b64decode(to_bytes(signature["protected"])))
        assert head["alg"] == "EdDSA" and head["kid"] in [key["kid"] for key in keys], head
        # A card does not say whom to believe.
        assert "jku" not in head and "jwk" not in head, head
    assert all("d" not in key for key in keys)
    changes = [
        lambda it: it.update(name="another"),
        lambda it: it["supportedInterfaces"][0].update(url="https://example.com/elsewhere"),
        lambda it: it["skills"].pop(),
        lambda it: trust(it).update(ati_trust_score=100),
        lambda it: trust(it)["ati_agent_key"].update(x=keys[0]["x"]),
    ]
    for verified in (by_the_sdk, by_jose):
        assert verified(card, keys), f"{verified.__name__}: the card does not verify"
        for number, change in enumerate(changes):
            assert not verified(changed(card, change), keys), f"{verified.__name__}: change {number} verifies"
        print(verified.__name__, flush=True)
    print("all of it")


if __name__ == "__main__":
    main()
