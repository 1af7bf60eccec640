//! Files that are read into memory, and only so far: one may be a device that never ends.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a file that is open, of at most so many bytes.
pub(crate) fn read_at_most(file: File, most: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut bytes)?;
    if read as u64 > most { Err(ReadError::TooLarge(most)) } else { Ok(bytes) }
}

/// Reads a file of text, of at most so many bytes.
pub(crate) fn read_text_at_most(path: &Path, most: u64) -> Result<String, ReadError> {
    let bytes = read_at_most(File::open(path)?, most)?;
    // As the standard library says it.
    let no_text = |_| io::Error::new(ErrorKind::InvalidData, "stream did not contain valid UTF-8");
    Ok(String::from_utf8(bytes).map_err(no_text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read_text_at_most(&path, 4).unwrap(), "four");
        let error = read_text_at_most(&path, 3).unwrap_err().to_string();
        assert_eq!(error, "it is larger than 3 bytes");
    }

    #[test]
    #[cfg(unix)]
    fn a_device_that_never_ends_is_left_after_so_many_bytes() {
        let endless = File::open("/dev/zero").unwrap();
        assert!(matches!(read_at_most(endless, 1 << 10), Err(ReadError::TooLarge(1_024))));
    }

    #[test]
    fn what_is_no_text_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, b"\xff").unwrap();
        let error = read_text_at_most(&path, 9).unwrap_err().to_string();
        assert_eq!(error, "stream did not contain valid UTF-8");
    }
}
