//! Whether a policy folder has changed since somebody looked.

use std::path::Path;
use std::time::SystemTime;

use super::files::is_policy_file;

/// How a folder of policies looked from outside: which files there are, how long and of when. It follows
/// links, so that a folder that is replaced as a whole by turning a link looks changed.
///
/// A folder that cannot be looked at looks like one without files, which is no set either.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    files: Vec<File>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct File {
    name: std::ffi::OsString,
    /// `None` for one that cannot be looked at.
    stat: Option<Stat>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stat {
    length: u64,
    modified: Option<SystemTime>,
    inode: Inode,
}

/// Which file it is, and when that was last changed in any way: device, number, seconds, nanoseconds. It
/// tells what a time of modification that was set back would hide.
type Inode = [i128; 4];

impl Look {
    /// Looks at a folder.
    pub(crate) fn at(folder: &Path) -> Self {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<File> = entries
            .map(|entry| entry.path())
            .filter(|path| is_policy_file(path))
            .filter_map(|path| {
                let stat = std::fs::metadata(&path).ok().map(|about| Stat {
                    length: about.len(),
                    modified: about.modified().ok(),
                    inode: inode(&about),
                });
                Some(File { name: path.file_name()?.to_owned(), stat })
            })
            .collect();
        files.sort_unstable();
        Self { files }
    }
}

#[cfg(unix)]
fn inode(about: &std::fs::Metadata) -> Inode {
    use std::os::unix::fs::MetadataExt;

    [about.dev().into(), about.ino().into(), about.ctime().into(), about.ctime_nsec().into()]
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> Inode {
    Inode::default()
}
