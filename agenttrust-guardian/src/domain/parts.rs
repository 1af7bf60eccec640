//! One digest of several parts, of which none can be read as another's.

use sha2::{Digest, Sha256};

/// Returns the SHA-256 of these parts, each after its length in eight bytes.
pub(crate) fn digest_of_parts<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_another_part_is_another_digest() {
        let of = |parts: &[&str]| digest_of_parts(parts.iter().map(|part| part.as_bytes()));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab"]), of(&["ab", ""]));
        let written = [[0, 0, 0, 0, 0, 0, 0, 2, b'a', b'b'].as_slice(), &[0; 8]].concat();
        assert_eq!(of(&["ab", ""]), <[u8; 32]>::from(Sha256::digest(written)));
    }
}
