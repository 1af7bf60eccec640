//! The examples of the RFCs.

use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use serde_json::{Value, json};

use super::signing::{decode, known, published, verify_as};
use crate::jose::key::Key;
use crate::jose::{KeySet, Refusal, Typ, Unverified};

/// Claims of RFC 7515, A.2 and A.3.
const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

const RS256: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

const ES256: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/// The proof of RFC 9449, section 4.1.
const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

fn thumbprint(jwk: Value) -> String {
    serde_json::from_value::<Jwk>(jwk).unwrap().thumbprint(ThumbprintHash::SHA256).unwrap()
}

/// Returns whether the token's signature is that of the key.
fn is_signed(jwk: &Value, token: &str) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    Key::read(jwk).unwrap().signed(message, &decode(signature))
}

#[test]
fn signatures_of_rfc_7515_are_verified() {
    for (header, key, signature) in
        [("eyJhbGciOiJSUzI1NiJ9", "rsa", RS256), ("eyJhbGciOiJFUzI1NiJ9", "p256", ES256)]
    {
        let token = format!("{header}.{JOE}.{signature}");
        assert!(is_signed(&known(key)["public"], &token), "{header}");
        assert!(!is_signed(&known(key)["public"], &token.replacen(".eyJ", ".eyK", 1)), "{header}");
        let read = Unverified::read(&token).unwrap();
        assert_eq!((read.issuer(), read.kid()), ("joe", None));
        // It is of another issuer, and of 2011.
        let refused = verify_as(&published(&[]), Typ::External, &token).unwrap_err();
        assert!(matches!(refused, Refusal::Issuer(_)), "{refused}");
    }
}

#[test]
fn signature_of_rfc_8037_is_verified() {
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let key = &known("ed25519")["public"];
    assert!(is_signed(key, token));
    assert!(!is_signed(&known("other_ed25519")["public"], token));
    assert_eq!(thumbprint(key.clone()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    // What it signs is no token.
    assert!(matches!(Unverified::read(token), Err(Refusal::Json { .. })));
}

#[test]
fn keys_of_rfc_7517_are_told_apart() {
    let ec = json!({
        "kty": "EC", "crv": "P-256", "use": "enc", "kid": "1",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    });
    let mut rsa = known("other_rsa")["public"].clone();
    rsa["alg"] = json!("RS256");
    rsa["kid"] = json!("2011-04-29");
    // A.1: one is for encryption, the other signs.
    let keys = json!({ "keys": [ec, rsa] });
    let set = KeySet::parse(keys.to_string().as_bytes()).unwrap();
    assert!(!set.is_empty());
    assert_eq!(set.unusable(), [r#"keys[0] is for another use (use) than "sig""#]);
    // A.2: the same two with their private halves. A.3: shared secrets.
    let mut secret = keys.clone();
    secret["keys"][0]["d"] = json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE");
    secret["keys"][1]["d"] = json!("X4cT");
    let shared = json!({ "kty": "oct", "alg": "A128KW", "k": "GawgguFyGrWKav7AX4VKUg" });
    secret["keys"].as_array_mut().unwrap().push(shared);
    let set = KeySet::parse(secret.to_string().as_bytes()).unwrap();
    assert!(set.is_empty());
    assert_eq!(set.unusable().len(), 3);
    assert!(set.unusable().iter().all(|why| why.contains("only a secret key has")), "{set:?}");
}

#[test]
fn thumbprint_of_rfc_7638_is_the_same() {
    let key = known("other_rsa")["public"].clone();
    assert_eq!(thumbprint(key), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

/// A proof is no token: its key, which it brings itself, is taken by what reads proofs alone.
#[test]
fn proof_of_rfc_9449_is_signed_by_its_key_and_is_no_token() {
    let (header, _) = PROOF.split_once('.').unwrap();
    let header: Value = serde_json::from_slice(&decode(header)).unwrap();
    assert!(is_signed(&header["jwk"], PROOF));
    let jkt = thumbprint(header["jwk"].clone());
    assert_eq!(jkt, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    assert_eq!(Unverified::read(PROOF).unwrap_err(), Refusal::HeaderMember("jwk"));
}
