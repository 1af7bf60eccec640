//! A token as it says itself to be. Nothing of it is believed yet.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::json;
use super::key::Algorithm;
use super::refusal::{Excerpt, Part, Refusal};

/// The largest length of a token.
pub(super) const TOKEN_MAX_BYTES: usize = 16 << 10;
/// The largest length of the id of a key, or of any other name in a header.
pub(super) const NAME_MAX_BYTES: usize = 256;

/// Members of a header by which a token would bring its own key, change what is signed, or ask for what is not done
/// here.
const FORBIDDEN: [&str; 8] = ["crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"];

/// A token that was read and not verified: header and claims are what its sender says.
pub(crate) struct Unverified<'t> {
    pub(super) algorithm: Algorithm,
    pub(super) typ: Option<String>,
    kid: Option<String>,
    issuer: String,
    pub(super) claims: Map<String, Value>,
    /// Header and claims as they were signed.
    pub(super) signed: &'t str,
    pub(super) signature: Vec<u8>,
}

impl<'t> Unverified<'t> {
    /// Reads a token in the compact form.
    ///
    /// # Errors
    ///
    /// Whatever can be said against it without a key.
    pub(crate) fn read(token: &'t str) -> Result<Self, Refusal> {
        if token.len() > TOKEN_MAX_BYTES {
            return Err(Refusal::TooLong(token.len()));
        }
        let (signed, signature) = parts(token)?;
        let (header, claims) = signed.split_once('.').ok_or(Refusal::Parts(2))?;
        let header = object(header, Part::Header)?;
        let (algorithm, typ, kid) = read_header(&header)?;
        if signature.is_empty() {
            return Err(Refusal::NoSignature);
        }
        let signature = decoded(signature, Part::Signature)?;
        let claims = read_claims(claims)?;
        let issuer = match claims.get("iss") {
            Some(Value::String(issuer)) => issuer.clone(),
            Some(other) => {
                return Err(Refusal::ClaimType {
                    name: "iss",
                    wanted: "a text",
                    found: kind(other),
                });
            }
            None => return Err(Refusal::MissingClaim("iss")),
        };
        Ok(Self { algorithm, typ, kid, issuer, claims, signed, signature })
    }

    /// Returns the id of the key that it says to be signed by.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns all that it says, which is its issuer's only where the signature is.
    pub(crate) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Returns who it says to have issued it.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }
}

/// Writes nothing by which the token could be put together again.
impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified")
            .field("algorithm", &self.algorithm)
            .field("typ", &self.typ)
            .field("kid", &self.kid)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// Returns what was signed, and the signature.
fn parts(token: &str) -> Result<(&str, &str), Refusal> {
    if token.is_empty() {
        return Err(Refusal::Empty);
    }
    if token.starts_with('{') {
        return Err(Refusal::JsonSerialisation);
    }
    match token.bytes().filter(|byte| *byte == b'.').count() {
        2 => token.rsplit_once('.').ok_or(Refusal::Parts(1)),
        4 => Err(Refusal::Encrypted),
        dots => Err(Refusal::Parts(dots + 1)),
    }
}

fn decoded(text: &str, part: Part) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Base64(part))
}

fn object(text: &str, part: Part) -> Result<Map<String, Value>, Refusal> {
    json::object(&decoded(text, part)?).map_err(|fault| Refusal::Json { part, fault })
}

fn read_claims(text: &str) -> Result<Map<String, Value>, Refusal> {
    let bytes = decoded(text, Part::Claims)?;
    // What every token begins with: `{"` in base64url.
    if bytes.starts_with(b"eyJ") {
        return Err(Refusal::Nested);
    }
    json::object(&bytes).map_err(|fault| Refusal::Json { part: Part::Claims, fault })
}

type Header = (Algorithm, Option<String>, Option<String>);

fn read_header(header: &Map<String, Value>) -> Result<Header, Refusal> {
    if let Some(member) = FORBIDDEN.into_iter().find(|member| header.contains_key(*member)) {
        return Err(Refusal::HeaderMember(member));
    }
    let algorithm = algorithm(name(header, "alg")?.ok_or(Refusal::NoAlgorithm)?)?;
    if name(header, "cty")?.is_some_and(is_token) {
        return Err(Refusal::Nested);
    }
    let (typ, kid) = (name(header, "typ")?, name(header, "kid")?);
    Ok((algorithm, typ.map(str::to_owned), kid.map(str::to_owned)))
}

/// Returns a member of the header that is a name.
fn name<'h>(
    header: &'h Map<String, Value>,
    member: &'static str,
) -> Result<Option<&'h str>, Refusal> {
    match header.get(member) {
        None => Ok(None),
        Some(Value::String(text)) if (1..=NAME_MAX_BYTES).contains(&text.len()) => Ok(Some(text)),
        Some(_) => Err(Refusal::HeaderType(member)),
    }
}

fn algorithm(named: &str) -> Result<Algorithm, Refusal> {
    let folded = named.trim().to_ascii_lowercase();
    match Algorithm::of_name(named) {
        Some(algorithm) => Ok(algorithm),
        None if folded == "none" => Err(Refusal::Unsigned(Excerpt::new(named))),
        None if folded.starts_with("hs") => Err(Refusal::Symmetric(Excerpt::new(named))),
        None => Err(Refusal::Algorithm(Excerpt::new(named))),
    }
}

/// Returns whether this type of content is a token.
fn is_token(content: &str) -> bool {
    let content = content.to_ascii_lowercase();
    let short = content.strip_prefix("application/").unwrap_or(&content);
    short == "jwt" || short.ends_with("+jwt")
}

/// Returns what a value of JSON is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
