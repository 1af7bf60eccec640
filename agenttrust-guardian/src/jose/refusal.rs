//! Why a token is refused: for the audit and for operators, never for who sent it, to whom each reason would be a hint.

use std::fmt;

/// The number of characters of a text of the token's own that a refusal repeats.
const TOLD_CHARS: usize = 64;

/// The reason why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the token is {0} bytes long; {max} is the most", max = super::token::TOKEN_MAX_BYTES)]
    TooLong(usize),
    #[error("the token is empty")]
    Empty,
    #[error("the token is in JSON; only the compact form, three parts with dots between, is read")]
    JsonSerialisation,
    #[error("the token has five parts, so it is encrypted; only signed ones are read")]
    Encrypted,
    #[error("the token has {0} parts; a signed one has three")]
    Parts(usize),
    #[error("the token has no signature")]
    NoSignature,
    #[error(
        "the token's {0} is no base64url without padding, as each text is written in one way only"
    )]
    Base64(Part),
    #[error("the token's {part} is no JSON object that is read in one way only: it {fault}")]
    Json { part: Part, fault: JsonFault },
    #[error("the token has another token inside; send that one")]
    Nested,
    #[error(
        "the header names {0:?}, by which a token would choose how it is verified; no token may have it"
    )]
    HeaderMember(&'static str),
    #[error("the header's {0:?} is no text of 1 to {max} bytes", max = super::token::NAME_MAX_BYTES)]
    HeaderType(&'static str),
    #[error("the header has no \"alg\"")]
    NoAlgorithm,
    #[error("the header's algorithm is {0}, by which anyone could have written the token")]
    Unsigned(Excerpt),
    #[error("the header's algorithm is {0}, whose secret would be the published key")]
    Symmetric(Excerpt),
    #[error("the header's algorithm is {0}; RS256, ES256 and EdDSA are taken")]
    Algorithm(Excerpt),
    #[error("the header's type is {0}, which is no token for this use")]
    Type(Excerpt),
    #[error("the header names no type; a workload token's is \"wit+jwt\"")]
    NoType,
    #[error("no key of the issuer has the id {0}")]
    UnknownKey(Excerpt),
    #[error("the token names no key, and the issuer has none for its algorithm")]
    NoKeyFits,
    #[error("the token names no key, and the issuer has {0} for its algorithm")]
    KeyNotNamed(usize),
    #[error("the issuer has {count} keys with the id {kid}, so that none is meant")]
    KeyAmbiguous { kid: Excerpt, count: usize },
    #[error("the key {kid} is for {key}, and the token's algorithm is {token}")]
    KeyOfOtherAlgorithm { kid: Excerpt, key: &'static str, token: &'static str },
    #[error("the signature is {0} bytes long; that of its algorithm is {1}")]
    SignatureLength(usize, usize),
    #[error("the signature was not made by the issuer's key over this token")]
    Signature,
    #[error("the claim {0:?} is missing")]
    MissingClaim(&'static str),
    #[error("the claim {name:?} is {found}; it must be {wanted}")]
    ClaimType { name: &'static str, wanted: &'static str, found: &'static str },
    #[error("the claim {0:?} is no time between 1970 and 9999")]
    NoTime(&'static str),
    #[error("the claim \"sub\" must be 1 to {max} bytes without control characters", max = super::claims::SUBJECT_MAX_BYTES)]
    Subject,
    #[error("the issuer is {0}, which is not the one that the key belongs to")]
    Issuer(Excerpt),
    #[error(
        "the token is bound to a key (\"cnf\"), whose proof is looked at nowhere here; have one issued that is not"
    )]
    KeyBound,
    #[error(
        "the token tells of something that happened (\"events\"), such as the end of a session; it cannot be used to sign in"
    )]
    Event,
    #[error("the claim \"aud\" is empty, so the token is for no one")]
    NoAudience,
    #[error("the token is for {0}, and not for what it must be for")]
    Audience(Excerpt),
    #[error("the token is good only from {0} on")]
    NotYet(agenttrust::Timestamp),
    #[error("the token says that it was issued at {0}, which is still to come")]
    IssuedLater(agenttrust::Timestamp),
    #[error("the token expires at {0}, later than any token may")]
    TooFar(agenttrust::Timestamp),
    #[error("the token expired at {0}")]
    Expired(agenttrust::Timestamp),
}

impl Refusal {
    /// Returns whether the token was good in all else, and has expired.
    pub(crate) fn is_expired(&self) -> bool {
        matches!(self, Self::Expired(_))
    }

    /// Returns whether the issuer did sign the token, and what it says is wrong.
    pub(crate) fn is_of_claims(&self) -> bool {
        matches!(
            self,
            Self::MissingClaim(_)
                | Self::ClaimType { .. }
                | Self::NoTime(_)
                | Self::Subject
                | Self::Issuer(_)
                | Self::KeyBound
                | Self::Event
                | Self::NoAudience
                | Self::Audience(_)
                | Self::NotYet(_)
                | Self::IssuedLater(_)
                | Self::TooFar(_)
                | Self::Expired(_)
        )
    }

    /// Returns whether newer keys of the issuer might have the one that signed it.
    pub(crate) fn is_unknown_key(&self) -> bool {
        matches!(self, Self::UnknownKey(_) | Self::NoKeyFits)
    }
}

/// A part of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Header,
    Claims,
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Claims => "list of claims",
            Self::Signature => "signature",
        })
    }
}

/// The fault of a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonFault {
    #[error("is not UTF-8")]
    NotUtf8,
    #[error("nests deeper than {max}", max = super::json::MAX_DEPTH)]
    TooDeep,
    #[error("has a member twice")]
    Duplicate,
    #[error("is something else than an object")]
    NoObject,
    #[error("is not JSON")]
    Broken,
}

/// A text that the token says, quoted and cut.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Excerpt(String);

impl Excerpt {
    pub(super) fn new(text: &str) -> Self {
        let mut told: String = text.chars().take(TOLD_CHARS).collect();
        if told.len() < text.len() {
            told.push('…');
        }
        Self(told)
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
