//! What may be a name or an id. Beyond this they are opaque and compared byte for byte.

use crate::http::ApiError;

/// The longest name or id, in bytes.
pub(crate) const NAME_MAX_BYTES: usize = 200;
/// The longest free text (a reason), in bytes.
const TEXT_MAX_BYTES: usize = 2_000;

/// Refuses an empty name, one over 200 bytes, and one with control characters.
pub(crate) fn check_name(field: &str, name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(ApiError::invalid(field, "is empty; give it a value"));
    }
    if name.len() > NAME_MAX_BYTES {
        let long = format!("is {} bytes long; {NAME_MAX_BYTES} is the most", name.len());
        return Err(ApiError::invalid(field, long));
    }
    if name.chars().any(char::is_control) {
        return Err(ApiError::invalid(field, "holds a control character; remove it"));
    }
    Ok(())
}

/// [`check_name`] for each of a list; the field at fault is named with its place.
pub(crate) fn check_names<S: AsRef<str>>(field: &str, names: &[S]) -> Result<(), ApiError> {
    const MOST: usize = 1_000;
    if names.len() > MOST {
        let many = format!("has {} entries; {MOST} is the most", names.len());
        return Err(ApiError::invalid(field, many));
    }
    for (place, name) in names.iter().enumerate() {
        check_name(&format!("{field}[{place}]"), name.as_ref())?;
    }
    Ok(())
}

/// Refuses a text for people that is over 2,000 bytes long.
pub(crate) fn check_text(field: &str, text: &str) -> Result<(), ApiError> {
    if text.len() > TEXT_MAX_BYTES {
        let long = format!("is {} bytes long; {TEXT_MAX_BYTES} is the most", text.len());
        return Err(ApiError::invalid(field, long));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_refused_only_when_empty_long_or_with_control_characters() {
        for good in ["a", "a/b", "../x", "käse", "🙂", "http/DELETE/{id}"] {
            assert!(check_name("tool", good).is_ok(), "{good}");
        }
        for bad in ["", "a\nb", "a\0", "\u{7f}", &"x".repeat(201), &"🙂".repeat(51)] {
            let error = check_name("tool", bad).unwrap_err();
            assert!(error.message().starts_with("tool "), "{}", error.message());
        }
    }
}
