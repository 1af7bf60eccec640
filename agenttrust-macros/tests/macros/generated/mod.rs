//! For bodies made up by chance, the guarded function is the bare one: it gives back the same, does the
//! same in the same order, and reports what became of it. And denied, it does nothing.
//!
//! A program is written, compiled and run; `AGENTTRUST_GENERATED_SEED` writes another one.

mod body;
mod output;
mod rng;
mod scope;
mod shape;

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use self::rng::Rng;
use self::shape::Function;

/// The number of pairs of functions that are compared: these with `AGENTTRUST_TRIALS=long`, else a tenth.
const PAIRS: usize = 160;

fn pairs() -> usize {
    let is_long = env::var("AGENTTRUST_TRIALS").is_ok_and(|length| length == "long");
    if is_long { PAIRS } else { PAIRS / 10 }
}

const SEED: u64 = 20_260;

fn program(seed: u64, harness: &Path) -> String {
    let mut chance = Rng::new(seed);
    let functions: Vec<_> =
        (0..pairs()).map(|number| Function::generate(number, &mut chance.fork())).collect();
    let mut program = format!(
        "#![allow(warnings, reason = \"written by chance\")]\n\n\
         #[path = {harness:?}]\nmod harness;\n\n\
         use std::future::Future;\nuse std::pin::Pin;\n\n\
         use agenttrust::guarded;\nuse harness::*;\n\n"
    );
    for function in &functions {
        writeln!(program, "{}", function.module()).unwrap();
    }
    let cases: String = functions.iter().map(Function::case).collect();
    writeln!(program, "fn main() {{\ncompare(&[\n{cases}]);\n}}").unwrap();
    program
}

#[test]
fn a_guarded_function_is_the_bare_one_behind_a_check() {
    let seed = env::var("AGENTTRUST_GENERATED_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    let harness = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/macros/generated/harness.rs");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated.rs");
    fs::write(&path, program(seed, &harness)).unwrap();
    println!("AGENTTRUST_GENERATED_SEED={seed} wrote {}", path.display());
    crate::running::run_program("generated", &path);
}
