//! Rebuilds when a migration is added: `sqlx::migrate!` sees only the files that exist when it runs.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
