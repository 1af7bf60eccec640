//! The scenes: lines for the shell of a world, to be run before or after a block of a document.
//!
//! A file of `scenes/` has sections. Each begins with `#: before LINE` or `#: after LINE`, and belongs to the one
//! block of all documents in which LINE stands.

use super::{Block, is_shell};
use crate::documents::repository;

pub(super) const FOLDER: &str = "agenttrust-guardian/tests/contract/documents/run/scenes";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

#[derive(Debug)]
struct Scene {
    when: When,
    /// The line by which its block is found.
    line: String,
    commands: String,
}

/// Every scene there is.
#[derive(Debug)]
pub(super) struct Scenes(Vec<Scene>);

impl Scenes {
    pub(super) fn read() -> Self {
        let files = std::fs::read_dir(repository().join(FOLDER)).unwrap();
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.sort();
        let mut scenes = Vec::new();
        for path in paths {
            let text = std::fs::read_to_string(&path).unwrap();
            for section in text.split("\n#: ").skip(1) {
                let (head, commands) = section.split_once('\n').unwrap_or((section, ""));
                let (when, line) = match head.split_once(' ') {
                    Some(("before", line)) => (When::Before, line),
                    Some(("after", line)) => (When::After, line),
                    _ => panic!("{}: a scene is neither before nor after: {head}", path.display()),
                };
                let (line, commands) = (line.to_owned(), commands.to_owned());
                scenes.push(Scene { when, line, commands });
            }
        }
        Self(scenes)
    }

    /// Returns the lines to be run before or after a block.
    pub(super) fn of(&self, block: &Block<'_>, when: When) -> String {
        let scenes = self.0.iter().filter(|scene| scene.when == when && scene.is_of(block));
        scenes.map(|scene| scene.commands.as_str()).collect()
    }

    /// Returns a fault for each scene that does not belong to just one block.
    pub(super) fn without_a_block(&self, blocks: &[Block<'_>]) -> Vec<String> {
        let places = |scene: &Scene| {
            let of = blocks.iter().filter(|block| scene.is_of(block));
            of.map(|block| block.place.as_str()).collect::<Vec<_>>()
        };
        let fault = |scene: &Scene| match &places(scene)[..] {
            [_] => None,
            [] => Some(format!("{FOLDER}: no block has the line `{}`", scene.line)),
            several => Some(format!("{FOLDER}: `{}` is in each of {several:?}", scene.line)),
        };
        self.0.iter().filter_map(fault).collect()
    }
}

impl Scene {
    fn is_of(&self, block: &Block<'_>) -> bool {
        is_shell(block) && block.code.lines().any(|line| line.contains(&self.line))
    }
}
