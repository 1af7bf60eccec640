//! Every example is a program that keeps its promises: each is run, as its reader would run it.

use std::process::Stdio;
use std::time::Duration;

use agenttrust_examples::Served;
use agenttrust_guardian::{Guardian, Role};
use tokio::process::Command;

use crate::built::example;

const EXAMPLE_TIMEOUT: Duration = Duration::from_secs(120);
const README: &str = include_str!("../../../README.md");
const PICTURE: &str = include_str!("../../../docs/quickstart.svg");

fn guides() -> Vec<&'static str> {
    let manifest = include_str!("../../Cargo.toml");
    let names = manifest.lines().filter_map(|line| line.strip_prefix("name = \""));
    names
        .filter_map(|name| name.strip_suffix('"'))
        .filter(|name| name.starts_with("guide_"))
        .collect()
}

/// Returns what it printed; it must have ended well.
async fn transcript(name: &str, command: &mut Command) -> String {
    let output = tokio::time::timeout(EXAMPLE_TIMEOUT, command.stdin(Stdio::null()).output()).await;
    let output = output.unwrap_or_else(|_| panic!("{name} did not end")).expect("it starts");
    let printed = String::from_utf8(output.stdout).expect("it prints text");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}\n{printed}\n{complained}", output.status);
    printed
}

#[test]
fn every_section_of_the_guide_with_rust_in_it_has_an_example() {
    let sections: Vec<_> =
        guides().iter().map(|name| name.split('_').nth(1).unwrap_or("")).collect();
    assert_eq!(
        sections,
        [
            "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "11", "11", "11", "11", "11", "12",
            // Not of the guide: a standard of the field, and what the published client alone has.
            "authzen", "workload",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_guide_example_runs_without_a_server() {
    for name in guides() {
        let printed = transcript(name, &mut example(name)).await;
        assert!(printed.contains("async:\n  ") && printed.contains("blocking:\n  "), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_guide_example_runs_against_the_gateway_of_the_environment() {
    // The server of section 10 is on this machine.
    let builder = Guardian::builder().allow_self_approval(true).allow_outbound("127.0.0.0/8");
    let guardian = builder.build().await.expect("it starts");
    let key = guardian.create_key(Role::Admin, &[]).await.expect("a key");
    let served = Served::on_loopback(guardian.router()).await.expect("a port");
    for name in guides() {
        let count = async || guardian.client().agents().list().await.expect("a list").len();
        let before = count().await;
        let mut command = example(name);
        command.env("AGENTTRUST_URL", served.url()).env("AGENTTRUST_API_KEY", &key);
        transcript(name, &mut command).await;
        // Section 2 registers nobody, every other one an agent or two for each half.
        let registered = count().await - before;
        assert_eq!(registered > 0, name != "guide_2_client", "{name} registered {registered}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quickstart_shows_every_section() {
    let printed = transcript("quickstart", &mut example("quickstart")).await;
    // Long lines are wrapped into a column of their own: compare the words.
    let words = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    for promised in [
        "librarian reads plan.md → allowed",
        "librarian writes summary.md → allowed: the file is on the disk",
        "librarian deletes draft.md → held: tool \"files_delete\" needs approval apr_",
        "librarian approves it itself → 403",
        "librarian deletes contract.txt → held: apr_",
        "librarian deletes draft.md → allowed, as approved: the file is gone",
        "trainee deletes plan.md → blocked: tool \"files_delete\" is denied: agent \"agt_",
        "has no capability that covers tool \"files_delete\"",
        "librarian writes visitors.log → blocked: tool \"files_write\" is denied: \"files_write\" is \
         outside the scope ceiling [\"files:list\", \"files:read\"] of this restricted session",
        "DELETE, the same path → 403 \"ELEVATION_REQUIRED\", \"approval_id\": \"apr_",
        "operator approves, DELETE again → 204: the file is gone",
        "Guardian stopped, reads again → blocked: tool \"files_read\" did not run, because the \
         Guardian at http://127.0.0.1:",
        "... with fail_open(true) → allowed unchecked",
        "hash chain whole: ",
    ] {
        assert!(words.contains(promised), "no {promised:?} in\n{printed}");
    }
    for line in printed.lines() {
        assert!(line.chars().count() < 100, "too long for a README: {line}");
    }
    // So does the picture, but for the order in which the audit's rows of reports come.
    let drawn = lines_of(PICTURE);
    let (told, trail) = drawn.split_once("\n8. ").expect("the picture has every section");
    assert_eq!(
        lasting(told),
        lasting(printed.split("\n8. ").next().expect("a part")),
        "docs/quickstart.svg shows another transcript: run scripts/record-quickstart"
    );
    assert!(trail.contains("hash chain whole: "), "{trail}");
    // What the README shows of it is what it prints, but for what differs from run to run.
    let (_, shown) = README.split_once("From the quickstart's transcript:\n\n```text\n").unwrap();
    let (shown, end) = shown.split_once("\n    ...\n").unwrap();
    let (end, _) = end.split_once("\n```").unwrap();
    let printed_words = lasting(&printed);
    for part in [shown, end] {
        let part_words = lasting(part);
        assert!(
            printed_words.contains(&part_words),
            "the README's transcript is of another program: refresh it from\n{printed}\n\nit shows\n{part_words}"
        );
    }
}

/// Returns the lines that the picture of a transcript shows.
fn lines_of(picture: &str) -> String {
    let mut lines = String::new();
    for line in picture.split("<text class=\"line\"").skip(1) {
        let (_, line) = line.split_once('>').expect("an element has an end");
        let (line, _) = line.split_once("</text>").expect("a line has an end");
        // What is left of each tag, once it was split at its beginning: `tspan …>words`.
        let words =
            line.split('<').map(|part| part.split_once('>').map_or(part, |(_, words)| words));
        lines.extend(words);
        lines.push('\n');
    }
    lines.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Returns the words of a transcript without what is another one in each run: ids, hashes, ports,
/// numbers.
pub(crate) fn lasting(transcript: &str) -> String {
    let word = |word: &str| {
        let is_hash = word.len() == 64 && word.chars().all(|letter| letter.is_ascii_hexdigit());
        let of_id = ["apr_", "agt_"].into_iter().find_map(|kind| word.split_once(kind));
        match of_id {
            Some((before, id)) => {
                let rest = id
                    .trim_start_matches(|letter: char| letter == '…' || letter.is_ascii_hexdigit());
                format!("{before}<id>{rest}")
            }
            None if is_hash => "<hash>".to_owned(),
            None if word.contains("127.0.0.1:") || word.parse::<u64>().is_ok() => {
                word.chars().filter(|letter| !letter.is_ascii_digit()).collect()
            }
            None => word.to_owned(),
        }
    };
    transcript.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}
