//! Texts that are no token, or could be read as more than one.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;

use super::signing::{NOW, Signer, encode, good, header, signed, verify};
use super::{Forged, assert_refused};
use crate::jose::key_set::KeySetError;
use crate::jose::refusal::{JsonFault, Part, Refusal};
use crate::jose::{KeySet, Unverified};

fn ed() -> Signer {
    Signer::new("ed25519")
}

/// Claims that begin as good ones do, and go on like this.
fn claims(more: &str) -> String {
    let good = good().to_string();
    format!("{},{more}}}", good.trim_end_matches('}'))
}

/// Returns a token over claims that are written already.
fn over(claims: &[u8]) -> String {
    ed().raw(header().to_string().as_bytes(), claims)
}

fn json(part: Part, fault: JsonFault) -> Refusal {
    Refusal::Json { part, fault }
}

fn nested(depth: usize) -> String {
    claims(&format!("\"x\":{}{}", "[".repeat(depth), "]".repeat(depth)))
}

pub(super) fn forged() -> Forged {
    let mut all = in_parts();
    all.extend(in_base64());
    all.extend(in_json());
    all
}

fn in_parts() -> Forged {
    let good = signed(json!({}), json!({}));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (protected, payload) = message.split_once('.').unwrap();
    let flat = json!({ "protected": protected, "payload": payload, "signature": signature });
    let general = json!({ "payload": payload, "signatures": [
        { "protected": protected, "signature": signature },
    ] });
    let huge = signed(json!({}), json!({ "x": "x".repeat(75_000) }));
    let length = huge.len();
    assert!(length > 100_000);
    let over_by_one = format!("{good}{}", "A".repeat((16 << 10) + 1 - good.len()));
    vec![
        ("nothing", String::new(), Refusal::Empty),
        ("100 kB, signed", huge, Refusal::TooLong(length)),
        ("a byte too long", over_by_one, Refusal::TooLong((16 << 10) + 1)),
        ("JSON, flattened", flat.to_string(), Refusal::JsonSerialisation),
        ("JSON, general", general.to_string(), Refusal::JsonSerialisation),
        ("encrypted", format!("{good}.AA.AA"), Refusal::Encrypted),
        ("four parts", format!("{good}.AA"), Refusal::Parts(4)),
        ("two parts", message.to_owned(), Refusal::Parts(2)),
        ("one part", protected.to_owned(), Refusal::Parts(1)),
        ("no signature", format!("{message}."), Refusal::NoSignature),
        ("dots alone", "..".to_owned(), json(Part::Header, JsonFault::Broken)),
        ("no claims", ed().over(&format!("{protected}.")), json(Part::Claims, JsonFault::Broken)),
        ("with its scheme", format!("Bearer {good}"), Refusal::Base64(Part::Header)),
        ("two in a row", format!("{good},{good}"), Refusal::Encrypted),
        ("token of another kind", "at_0123456789abcdef".to_owned(), Refusal::Parts(1)),
    ]
}

fn in_base64() -> Forged {
    let good = signed(json!({}), json!({}));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (protected, payload) = message.split_once('.').unwrap();
    // Of 64 bytes the last character holds four bits that say nothing: other ones read the same, by who does not look.
    let last = signature.chars().last().unwrap();
    let cut = signature.strip_suffix(last).unwrap();
    let loose = format!("{message}.{cut}{}", char::from_u32(u32::from(last) + 1).unwrap());
    let padded = format!("{protected}.{payload}=");
    let spaced = format!("{protected}.{} {}", &payload[..8], &payload[8..]);
    let broken = format!("{protected}.{}\r\n{}", &payload[..8], &payload[8..]);
    let of_claims = || Refusal::Base64(Part::Claims);
    let of_signature = || Refusal::Base64(Part::Signature);
    vec![
        ("space before", format!(" {good}"), Refusal::Base64(Part::Header)),
        ("line end after", format!("{good}\n"), of_signature()),
        ("space in the claims, signed", ed().over(&spaced), of_claims()),
        ("line end in the claims, signed", ed().over(&broken), of_claims()),
        ("padded claims, signed", ed().over(&padded), of_claims()),
        ("padded signature", format!("{good}=="), of_signature()),
        ("bits that say nothing", loose, of_signature()),
        (
            "base64 of the other alphabet",
            format!("{message}.+/{}", &signature[2..]),
            of_signature(),
        ),
        ("percent signs", good.replacen("eyJ", "%65yJ", 1), Refusal::Base64(Part::Header)),
        (
            "other letters that look alike",
            good.replacen('e', "е", 1),
            Refusal::Base64(Part::Header),
        ),
        ("a zero byte", format!("{good}\0"), of_signature()),
    ]
}

fn in_json() -> Forged {
    let good = good().to_string();
    let twice = br#"{"alg":"none","alg":"EdDSA","kid":"ed"}"#;
    let inner = signed(json!({}), json!({}));
    let claim = |fault| json(Part::Claims, fault);
    let in_header = |bytes: &[u8]| ed().raw(bytes, good.as_bytes());
    let latin = b"{\"alg\":\"EdDSA\",\"kid\":\"ed\",\"x\":\"\xe4\"}";
    let latin_claims = [claims("\"x\":\"").trim_end_matches('}').as_bytes(), b"\xe4\"}"].concat();
    let broken = JsonFault::Broken;
    vec![
        ("header is no UTF-8", in_header(latin), json(Part::Header, JsonFault::NotUtf8)),
        ("claims are no UTF-8", over(&latin_claims), claim(JsonFault::NotUtf8)),
        (
            "claims with a byte order mark",
            over(format!("\u{feff}{good}").as_bytes()),
            claim(broken),
        ),
        ("header is a list", in_header(br#"["EdDSA"]"#), json(Part::Header, JsonFault::NoObject)),
        ("claims are a list", over(format!("[{good}]").as_bytes()), claim(JsonFault::NoObject)),
        ("claims are a text", over(b"\"someone\""), claim(JsonFault::NoObject)),
        ("claims are null", over(b"null"), claim(JsonFault::NoObject)),
        ("algorithm twice", in_header(twice), json(Part::Header, JsonFault::Duplicate)),
        ("subject twice", over(claims(r#""sub":"root""#).as_bytes()), claim(JsonFault::Duplicate)),
        (
            "issuer twice, once with an escape",
            over(claims(r#""\u0069ss":"https://evil.example""#).as_bytes()),
            claim(JsonFault::Duplicate),
        ),
        (
            "a member twice further in",
            over(claims(r#""x":[{"a":1,"a":2}]"#).as_bytes()),
            claim(JsonFault::Duplicate),
        ),
        ("data after the claims", over(format!("{good}{good}").as_bytes()), claim(broken)),
        ("claims cut off", over(&good.as_bytes()[..good.len() - 1]), claim(broken)),
        ("comma too many", over(claims("").as_bytes()), claim(broken)),
        ("a comment", over(claims("/**/\"x\":1").as_bytes()), claim(broken)),
        ("exp is NaN", over(claims(r#""x":NaN"#).as_bytes()), claim(broken)),
        ("exp is Infinity", over(claims(r#""x":Infinity"#).as_bytes()), claim(broken)),
        ("a number beyond all", over(claims(r#""x":1e999"#).as_bytes()), claim(broken)),
        ("half a character", over(claims(r#""x":"\ud83d""#).as_bytes()), claim(broken)),
        ("nested 17 deep", over(nested(16).as_bytes()), claim(JsonFault::TooDeep)),
        ("nested 5000 deep", over(nested(5_000).as_bytes()), claim(JsonFault::TooDeep)),
        (
            "header nested 3000 deep",
            in_header(format!("{{\"x\":{}", "[".repeat(3_000)).as_bytes()),
            json(Part::Header, JsonFault::TooDeep),
        ),
        ("another token inside", over(inner.as_bytes()), Refusal::Nested),
        (
            "another token inside, announced",
            ed().raw(br#"{"alg":"EdDSA","kid":"ed","cty":"JWT"}"#, inner.as_bytes()),
            Refusal::Nested,
        ),
    ]
}

#[test]
fn text_that_could_be_read_in_two_ways_is_refused_for_its_own_reason() {
    assert_refused(forged());
}

#[test]
fn json_of_just_the_depth_is_read() {
    assert!(verify(&over(nested(15).as_bytes())).is_ok());
    // Brackets in a text are no depth.
    assert!(verify(&over(claims(&format!(r#""x":"\"{}""#, "[".repeat(500))).as_bytes())).is_ok());
}

/// Length is looked at before anything else, and depth before anything is parsed.
#[test]
fn what_is_too_long_or_too_deep_costs_next_to_nothing() {
    let long = ".".repeat(100_000);
    let deep =
        format!("{}.{}.AA", encode(header().to_string().as_bytes()), encode(&[b'['; 12_000]));
    let wide = "[".repeat(1 << 20);
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(Unverified::read(&long).unwrap_err(), Refusal::TooLong(100_000));
        let refused = Unverified::read(&deep).unwrap_err();
        assert_eq!(refused, json(Part::Claims, JsonFault::TooDeep));
        let refused = KeySet::parse(wide.as_bytes()).unwrap_err();
        assert_eq!(refused, KeySetError::Json(JsonFault::TooDeep));
    }
    // A hundredth of it would do; a build without optimisation on a busy machine is what it leaves room for.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn token_that_is_cut_off_is_refused_wherever_that_is() {
    let good = signed(json!({}), json!({ "exp": NOW + 60 }));
    assert!(verify(&good).is_ok());
    for length in 0..good.len() {
        assert!(verify(&good[..length]).is_err(), "{length}");
    }
}

proptest! {
    #[test]
    fn no_text_is_taken_for_a_token(text in "\\PC{0,80}") {
        prop_assert!(verify(&text).is_err());
    }

    #[test]
    fn token_with_another_byte_in_it_is_refused(place in 0_usize..10_000, other in "[-A-Za-z0-9_.=+/ ]") {
        let good = signed(json!({}), json!({}));
        let place = place % good.len();
        let mut changed = good.clone();
        changed.replace_range(place..=place, &other);
        prop_assert!(changed == good || verify(&changed).is_err(), "{}", changed);
    }
}
