//! The front pages of the published crates say what their manifests say.

use std::path::PathBuf;

const CRATES: [&str; 4] =
    ["agenttrust", "agenttrust-guardian", "agenttrust-macros", "agenttrust-tower"];

fn file_of(krate: &str, name: &str) -> String {
    let place = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(krate).join(name);
    std::fs::read_to_string(place).unwrap()
}

/// Returns the features of a manifest but `default`, and what that one turns on.
fn features(manifest: &str) -> (Vec<&str>, &str) {
    let Some((_, section)) = manifest.split_once("\n[features]\n") else {
        return (Vec::new(), "");
    };
    let (section, _) = section.split_once("\n\n").unwrap_or((section, ""));
    let names = section.lines().filter_map(|line| line.split_once(" = [").map(|(name, _)| name));
    let default = section.lines().find_map(|line| line.strip_prefix("default = "));
    (names.filter(|name| *name != "default").collect(), default.unwrap_or_default())
}

/// Returns the compiler that a manifest names, in the words of the pages: `Rust 1.89`.
pub(crate) fn compiler_of(manifest: &str) -> String {
    let own = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \""));
    let version =
        own.map_or(env!("CARGO_PKG_RUST_VERSION"), |version| version.trim_end_matches('"'));
    format!("Rust {version}")
}

#[test]
fn every_front_page_has_each_feature_of_its_crate_and_no_other() {
    for krate in CRATES {
        let (page, manifest) = (file_of(krate, "README.md"), file_of(krate, "Cargo.toml"));
        let (names, default) = features(&manifest);
        let (_, section) = page.split_once("\n## Features\n").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(rows.len(), names.len(), "{krate} has the features {names:?}");
        for name in names {
            let row = rows.iter().find(|row| row.starts_with(&format!("| `{name}` | ")));
            let row = row.unwrap_or_else(|| panic!("{krate} has the feature {name:?}"));
            if default.contains(&format!("\"{name}\"")) {
                assert!(row.starts_with(&format!("| `{name}` | yes |")), "{krate}: {row}");
            }
        }
    }
}

#[test]
fn every_front_page_names_the_compiler_of_its_manifest_and_opens_the_documentation() {
    for krate in CRATES {
        let compiler = compiler_of(&file_of(krate, "Cargo.toml"));
        assert!(file_of(krate, "README.md").contains(&compiler), "{krate}: {compiler}");
        assert!(file_of(krate, "Cargo.toml").contains("readme = \"README.md\""), "{krate}");
        let documentation = "#![doc = include_str!(\"../README.md\")]";
        assert!(file_of(krate, "src/lib.rs").starts_with(documentation), "{krate}");
    }
}
