//! Lines for a shell, run: every block `sh` of every document, as it is written, and every file that a document shows,
//! used by its program.
//!
//! Each document has a world of its own (`world.sh`): this machine as it is, with its own network, processes and
//! users, whose changes to files go with it. There the blocks run in their order, in one shell. What the prose takes
//! for granted before a block, and what it promises after it, is a scene (`scenes/`), found by a line of the block.
//! What cannot be had there is stood in for by a function of the shell that says so (`stand_ins.sh`, and [`LEFT_OUT`]).

mod fill;
mod scenes;
mod shown;
mod world;

use std::fmt::Write as _;
use std::sync::Mutex;
use std::thread;

use self::scenes::{Scenes, When};
use self::world::World;
use super::{Block, Document, documents, none_of};

/// The worlds at a time: their programs wait for each other most of the time.
const WORLDS: usize = 3;

/// Commands that are not run, by their beginning, and why.
const LEFT_OUT: [(&str, &str); 8] = [
    ("cargo build", "the programs are built already, by what runs this test"),
    ("cargo test", "this is one of the tests that it would run"),
    ("docker build", "it needs Docker's daemon, and images of a registry"),
    ("docker run", "as `docker build`"),
    ("docker kill", "as `docker build`"),
    ("npm ci", "`.ci/run` has run the same, says `gate.rs`"),
    ("pip install", "as `npm ci`"),
    ("python3 -m venv", "as `npm ci`"),
];

/// Blocks, by a line of theirs, that another test holds.
const HELD_ELSEWHERE: [(&str, &str); 7] = [
    ("tool \\\"http/DELETE/files/{name}\\\"", "examples, `first_hour`"),
    ("tool \"delete_file\" needs approval", "examples, `first_hour`"),
    ("3. Deleting is held until an operator approves it", "examples, `guides`"),
    ("your tools          #[guarded]", "a diagram"),
    ("agenttrust = { path = ", "examples, `first_hour`"),
    ("name = \"a refund waits for a person\"", "`policy_cli`"),
    ("{ \"mcpServers\": { \"files\": {", "`mcp_run`, with another server behind it"),
];

#[test]
fn commands_of_documents_run_as_they_are_written() {
    let documents = documents();
    let blocks: Vec<Block<'_>> = documents.iter().flat_map(Document::blocks).collect();
    let scenes = Scenes::read();
    none_of(&scenes.without_a_block(&blocks));
    if let Some(why) = world::impossible() {
        let said = format!("skipped: the commands of the documents are not run: {why}\n");
        // Past the capture of the test's output: a skip that is not seen is taken for a pass.
        let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), said.as_bytes());
        return;
    }
    let lines = |document: &Document| {
        let blocks = document.blocks();
        blocks.iter().filter(|block| is_shell(block)).map(|block| block.code.lines().count()).sum()
    };
    let mut with_lines: Vec<(usize, &Document)> =
        documents.iter().map(|document| (lines(document), document)).collect();
    with_lines.retain(|(lines, _)| *lines > 0);
    // The longest first, so that none is waited for alone.
    with_lines.sort_by_key(|(lines, _)| std::cmp::Reverse(*lines));
    let waiting = Mutex::new(with_lines.into_iter());
    let (said, faults) = (Mutex::new(String::new()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..WORLDS {
            scope.spawn(|| {
                while let Some((_, document)) = { waiting.lock().unwrap().next() } {
                    match run(document, &blocks, &scenes) {
                        Ok(printed) => said.lock().unwrap().push_str(&printed),
                        Err(fault) => faults.lock().unwrap().push(fault),
                    }
                }
            });
        }
    });
    none_of(&faults.into_inner().unwrap());
    let said = said.into_inner().unwrap();
    none_of(&shown::faults(&blocks, &said));
    let left_out: Vec<&str> =
        said.lines().filter_map(|line| line.strip_prefix("left out: ")).collect();
    let is_why = |command: &&str| LEFT_OUT.iter().any(|(begin, _)| command.starts_with(begin));
    let unsaid = left_out.iter().filter(|command| !is_why(command));
    none_of(&unsaid.map(|command| format!("`{command}` is not run: why?")).collect::<Vec<_>>());
    let is_old = |begin: &&str| !left_out.iter().any(|command: &&str| command.starts_with(*begin));
    let old = LEFT_OUT.iter().map(|(begin, _)| *begin).filter(is_old);
    none_of(&old.map(|begin| format!("no document has `{begin}`")).collect::<Vec<_>>());
}

fn is_shell(block: &Block<'_>) -> bool {
    ["sh", "bash"].contains(&block.language())
}

/// Returns whether a block is a file, or what is printed: not a language that another test takes.
fn is_a_file(block: &Block<'_>) -> bool {
    let elsewhere = HELD_ELSEWHERE.iter().any(|(line, _)| block.code.contains(line));
    !elsewhere && !is_shell(block) && !["rust", "cedar", "mermaid"].contains(&block.language())
}

#[test]
fn every_block_that_is_held_elsewhere_is_in_a_document() {
    let documents = documents();
    let blocks: Vec<Block<'_>> = documents.iter().flat_map(Document::blocks).collect();
    let is_gone = |(line, _): &&(&str, &str)| !blocks.iter().any(|block| block.code.contains(line));
    let gone = HELD_ELSEWHERE.iter().filter(is_gone);
    none_of(&gone.map(|(line, by)| format!("`{line}`, by {by}")).collect::<Vec<_>>());
}

/// Runs the blocks of a document, and returns what was printed in its world; an error where one of them failed.
fn run(document: &Document, shown: &[Block<'_>], scenes: &Scenes) -> Result<String, String> {
    let mut script = String::new();
    for block in document.blocks().iter().filter(|block| is_shell(block)) {
        let place = &block.place;
        let filled = fill::filled(&block.code).map_err(|said| format!("{place}: {said}"))?;
        let [before, after] = [When::Before, When::After].map(|when| scenes.of(block, when));
        write!(script, "at 'before {place}'\n{before}\nat '{place}'\n{filled}\n").unwrap();
        write!(script, "at 'after {place}'\n{after}\n").unwrap();
    }
    let world = World::with(shown);
    let (took, ended) = world.run(&script);
    let said = world.said();
    println!("{} took {took:?}", document.name);
    ended.map_err(|code| format!("{}: {code}\n{said}", document.name))?;
    Ok(said)
}
