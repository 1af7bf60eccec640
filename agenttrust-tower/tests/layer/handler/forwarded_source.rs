//! Every method of rmcp's trait is forwarded, the ones it will have tomorrow too.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const OURS: &str = include_str!("../../../src/rmcp/forward.rs");

/// Returns the text of rmcp's trait, of the very version that this is built with.
fn trait_of_rmcp() -> String {
    // Of this platform alone: a machine that has built this has no packages of the others. Not
    // `--offline` either: what it built may have been this crate and none of its neighbours.
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let metadata = cargo(&[
        "metadata",
        "--locked",
        "--format-version=1",
        "--filter-platform",
        host,
        "--manifest-path",
        manifest,
    ]);
    let metadata: Value = serde_json::from_str(&metadata).expect("it is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let rmcp: Vec<_> = packages.iter().filter(|package| package["name"] == "rmcp").collect();
    let [rmcp] = rmcp[..] else { panic!("expected one rmcp, found {}", rmcp.len()) };
    let manifest = rmcp["manifest_path"].as_str().expect("a path");
    let source = Path::new(manifest).with_file_name("src").join("handler/server.rs");
    let source = std::fs::read_to_string(source).expect("the trait is where it was");
    // The methods are in a macro, because the trait is written twice; what comes after the trait are
    // implementations of it, with the same names.
    let (_, from) = source.split_once("macro_rules! server_handler_methods").expect("the macro");
    let (methods, _) = from.split_once("pub trait ServerHandler").expect("the trait");
    methods.to_owned()
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(args).output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Returns the names after `fn` in code; comments are no code.
fn functions(source: &str) -> BTreeSet<&str> {
    let code = source.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    let after_fn = code.filter_map(|line| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
    });
    after_fn.filter_map(|line| line.split(['(', '<']).next()).collect()
}

#[test]
fn every_method_of_rmcps_trait_is_written_here() {
    let theirs = trait_of_rmcp();
    let theirs = functions(&theirs);
    assert!(theirs.contains("call_tool") && theirs.len() > 30, "is this the trait? {theirs:?}");
    let ours = functions(OURS);
    let missing: Vec<_> = theirs.difference(&ours).collect();
    assert!(missing.is_empty(), "forward these to the inner handler: {missing:?}");
    let gone: Vec<_> = ours.difference(&theirs).collect();
    assert!(gone.is_empty(), "rmcp has no such methods: {gone:?}");
}

#[test]
fn every_method_hands_over_to_the_inner_handlers_method_of_the_same_name() {
    for name in functions(OURS) {
        let (_, body) = OURS.split_once(&format!("fn {name}(")).expect("it is there");
        let body = body.split("\n    }\n").next().unwrap_or_default();
        assert!(body.contains(&format!("self.inner.{name}(")), "{name} goes elsewhere: {body}");
    }
}
