//! The whole story of agenttrust in one program: `cargo run -p quickstart`. Read `story.rs` from top to bottom.
//!
//! What it shares with the other examples is here too: a folder, a served router, and a transcript.

mod audit;
mod folder;
mod participants;
mod served;
mod story;
mod tools;
pub mod transcript;
mod web;

pub use self::folder::Folder;
pub use self::served::Served;
pub use self::story::tell;
