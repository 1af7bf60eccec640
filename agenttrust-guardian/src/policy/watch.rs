//! The check whether a policy folder has changed since it was looked at.

use std::ffi::OsString;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::files::is_policy_file;
use super::load::MOST_POLICIES;

/// The number of links that may lead to a file: as many as the system follows.
const MOST_LINKS: usize = 40;

/// The look of a folder of policies from outside: its files, with their lengths and times. It follows links, so that a
/// folder that is replaced as a whole by turning a link looks changed.
///
/// A folder that cannot be looked at looks like one without files, which is no set either; so does one that has more
/// files than a set has policies, of which not all are looked at.
///
/// Two looks that are equal say that nothing changed in between, not even there and back: the system notes when a
/// link, a file or a folder was last changed or renamed, and none can set that back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    files: Vec<File>,
    /// The links that lead to them, each as it is itself, wherever it leads.
    links: Vec<Stat>,
    /// The folder itself, which tells that a file was taken out of it and put back.
    folder: Option<Stat>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct File {
    name: OsString,
    /// The state of the file; `None` for one that cannot be looked at.
    stat: Option<Stat>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stat {
    length: u64,
    modified: Option<SystemTime>,
    inode: Inode,
}

/// The identity of a file, and the time when it was last changed in any way: device, number, seconds, nanoseconds. It
/// tells what a time of modification that was set back would hide.
type Inode = [i128; 4];

impl Look {
    /// Looks at a folder.
    pub(crate) fn at(folder: &Path) -> Self {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path()).filter(|path| is_policy_file(path));
        let (mut files, mut links) = (Vec::new(), links_to(folder));
        for path in paths.take(MOST_POLICIES + 1) {
            if path.is_symlink() {
                links.extend(links_to(&path));
            }
            let stat = std::fs::metadata(&path).ok().map(|about| Stat::of(&about));
            files.extend(path.file_name().map(|name| File { name: name.to_owned(), stat }));
        }
        files.sort_unstable();
        links.sort_unstable();
        links.dedup();
        let folder = std::fs::metadata(folder).ok().map(|about| Stat::of(&about));
        Self { files, links, folder }
    }

    /// Returns whether the files are the same, whatever else was changed there and back.
    pub(crate) fn has_files_of(&self, other: &Self) -> bool {
        self.files == other.files
    }

    /// Returns whether what is read between the two looks is read from the same files.
    pub(crate) fn reads_as(&self, other: &Self) -> bool {
        self.files == other.files && self.links == other.links
    }
}

impl Stat {
    fn of(about: &Metadata) -> Self {
        let modified = about.modified().ok();
        Self { length: about.len(), modified, inode: inode(about) }
    }
}

/// Returns the links on the way to a path.
fn links_to(path: &Path) -> Vec<Stat> {
    let mut links = Vec::new();
    let (mut reached, mut steps) = (PathBuf::new(), Vec::new());
    steps.extend(std::path::absolute(path).iter().flat_map(|path| steps_back(path)));
    while let Some(step) = steps.pop() {
        if step == ".." {
            reached.pop();
            continue;
        }
        reached.push(&step);
        let Ok(target) = std::fs::read_link(&reached) else { continue };
        if links.len() == MOST_LINKS {
            break;
        }
        links.extend(std::fs::symlink_metadata(&reached).iter().map(Stat::of));
        reached.pop();
        steps.extend(steps_back(&target));
    }
    links
}

/// Returns the steps of a path, the last one first.
fn steps_back(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().rev().map(|step| step.as_os_str().to_owned())
}

#[cfg(unix)]
fn inode(about: &Metadata) -> Inode {
    use std::os::unix::fs::MetadataExt;

    [about.dev().into(), about.ino().into(), about.ctime().into(), about.ctime_nsec().into()]
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> Inode {
    Inode::default()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use agenttrust_testkit::eventually_blocking;

    use super::*;

    /// Makes a link again, as a tool turns it: in one step.
    fn turn(link: &Path, target: &str) {
        let next = link.with_extension("next");
        symlink(target, &next).unwrap();
        std::fs::rename(next, link).unwrap();
    }

    #[test]
    fn what_was_changed_there_and_back_does_not_look_as_if_it_had_stood_still() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for version in ["one", "two"] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("a.cedar"), version).unwrap();
        }
        symlink("one", at("current")).unwrap();
        symlink("current", at("policies")).unwrap();
        symlink("../two/a.cedar", at("one/b.cedar")).unwrap();
        let folder = at("policies");
        type Change<'c> = &'c dyn Fn(&str);
        let there_and_back: [(&str, Change<'_>); 4] = [
            ("two", &|to| turn(&at("current"), to)),
            ("two", &|to| turn(&folder, if to == "one" { "current" } else { to })),
            ("nowhere", &|to| {
                let target = if to == "one" { "../two/a.cedar" } else { to };
                turn(&at("one/b.cedar"), target);
            }),
            ("away", &|to| {
                let (from, to) =
                    if to == "one" { ("away", "one/a.cedar") } else { ("one/a.cedar", to) };
                std::fs::rename(at(from), at(to)).unwrap();
            }),
        ];
        for (number, (there, change)) in there_and_back.into_iter().enumerate() {
            let before = Look::at(&folder);
            assert_eq!(before, Look::at(&folder), "{number}");
            assert_eq!(before.files.len(), 2, "{number}");
            // The clock of the files goes on in steps of some milliseconds.
            let after = eventually_blocking(Duration::from_secs(5), number, || {
                change(there);
                assert!(!Look::at(&folder).reads_as(&before), "{number}");
                change("one");
                Some(Look::at(&folder)).filter(|after| *after != before)
            });
            // Nothing of it has to be read again, except a file that is another one by its dates.
            assert_eq!(after.has_files_of(&before), number < 3, "{number}");
        }
    }

    #[test]
    fn link_that_leads_to_itself_and_folder_that_is_gone_end_the_look() {
        let place = tempfile::tempdir().unwrap();
        symlink("loop", place.path().join("loop")).unwrap();
        let look = Look::at(&place.path().join("loop"));
        assert_eq!((look.files.len(), look.links.len()), (0, 1));
        assert_eq!(Look::at(&place.path().join("gone")), Look::default());
    }
}
