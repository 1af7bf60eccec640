//! The rooms of each crate: no module knows one that knows it, and the Guardian's know only those below.

mod arrows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::arrows::{Arrows, arrows};

/// The Guardian's rooms from the ground up: each knows only those before it.
const GUARDIAN: [&str; 25] = [
    "domain",
    "classify",
    "jose",
    "manifest",
    "policy",
    "clock",
    "store",
    "audit",
    "registry",
    "siem",
    "outbound",
    "metrics",
    "telemetry",
    "otel",
    "engine",
    "pipeline",
    "services",
    "background",
    "wire",
    "mcp",
    "a2a",
    "http",
    "guardian",
    "builder",
    "cli",
];

fn sources(krate: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(krate).join("src")
}

/// Modules that lead back to themselves, as `a → b → a`.
fn cycle(arrows: &Arrows) -> Option<String> {
    /// Walks on from `room`; `done` are those from which no way leads back.
    fn walk<'a>(
        room: &'a str,
        arrows: &'a Arrows,
        way: &mut Vec<&'a str>,
        done: &mut BTreeMap<&'a str, ()>,
    ) -> Option<String> {
        if let Some(begin) = way.iter().position(|passed| *passed == room) {
            return Some([&way[begin..], &[room]].concat().join(" → "));
        }
        if done.contains_key(room) {
            return None;
        }
        way.push(room);
        for next in arrows.get(room).into_iter().flat_map(BTreeMap::keys) {
            if let Some(found) = walk(next, arrows, way, done) {
                return Some(found);
            }
        }
        way.pop();
        done.insert(room, ());
        None
    }
    let (mut way, mut done) = (Vec::new(), BTreeMap::new());
    arrows.keys().find_map(|room| walk(room, arrows, &mut way, &mut done))
}

#[test]
fn no_module_of_a_crate_knows_one_that_knows_it() {
    for krate in ["agenttrust-macros", "agenttrust", "agenttrust-tower", "agenttrust-guardian"] {
        let arrows = arrows(&sources(krate));
        assert!(arrows.len() > 5, "{krate}: only {:?} know another", arrows.keys());
        assert_eq!(cycle(&arrows), None, "in {krate}: {arrows:#?}");
    }
}

#[test]
fn rooms_of_the_guardian_know_only_those_below() {
    let arrows = arrows(&sources("agenttrust-guardian"));
    let floor = |room: &str| {
        let found = GUARDIAN.iter().position(|known| *known == room);
        found.unwrap_or_else(|| panic!("{room} has no place in the list of rooms; give it one"))
    };
    for (room, known) in &arrows {
        for (other, files) in known {
            assert!(
                floor(other) < floor(room),
                "{room} is below {other} and knows it all the same, in {files:?}"
            );
        }
    }
    let faces = arrows["cli"].get("http");
    assert_eq!(faces, None, "the command line is no part of HTTP");
}

#[test]
fn a_module_that_knows_one_that_knows_it_is_found() {
    let crates = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = crates.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a; mod b; mod c; pub use self::c::Three;\n#[cfg(test)] mod tests;");
    write("a.rs", "use crate::{b::One, c};\n#[cfg(test)] mod tests { use crate::a; }");
    write("b/mod.rs", "mod inner;");
    write("b/inner.rs", "fn two() -> super::super::c::Two { todo!() }");
    write("c.rs", "// crate::a would be one");
    let found = arrows(crates.path());
    assert_eq!(cycle(&found), None, "{found:?}");
    assert_eq!(found["a"].keys().collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(found["b"]["c"].iter().collect::<Vec<_>>(), ["b/inner.rs"]);

    write("c.rs", "fn four() { let one = vec![crate::a::five()]; }");
    assert_eq!(cycle(&arrows(crates.path())).as_deref(), Some("a → b → c → a"));
    // By the name that the crate's root gives it.
    write("c.rs", "pub struct Three;");
    write("b/inner.rs", "fn two() -> crate::Three { crate::Three }");
    assert!(arrows(crates.path())["b"].contains_key("c"));
}
