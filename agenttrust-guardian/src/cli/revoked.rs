//! What is printed of a revocation, whatever was revoked: also that it is not stored yet, where that is so.

use agenttrust::model::TakenBack;
use serde_json::json;

use super::out;
use crate::domain::GuardianError;

/// Says that this was revoked, with what went with it; `durable` is whether that is stored, where it is said.
pub(super) fn sentence(id: &str, with: &str, durable: Option<bool>) -> String {
    let until = match durable {
        Some(false) => {
            "; that is not stored yet, and a restart would forget it: revoke it again to see"
        }
        _ => "",
    };
    out::harmless(&format!("{id} is revoked{with}{until}"))
}

/// Tells that this was revoked.
pub(super) fn tell(id: &str, taken: &TakenBack, json: bool) -> Result<(), GuardianError> {
    if !json {
        return out::say(&sentence(id, "", taken.durable));
    }
    let mut said = json!({ "id": out::harmless(id), "status": "revoked" });
    if let (Some(said), Some(durable)) = (said.as_object_mut(), taken.durable) {
        said.insert("durable".to_owned(), durable.into());
    }
    out::json(&said)
}
