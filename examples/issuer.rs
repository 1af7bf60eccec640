//! A small identity provider on this machine, for trying federation out: `cargo run --example issuer`.
//!
//! It writes a token into `token.txt`, or into the file that is its argument, says what to type at a Guardian that is
//! served (`agenttrust serve --dev`), and answers until it is stopped.

use std::path::PathBuf;

use agenttrust_examples::{Issuer, asks_for_help};
use serde_json::json;

const AUDIENCE: &str = "http://localhost:8080";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if asks_for_help() {
        println!(
            "usage: cargo run --example issuer [FILE]   writes a token into FILE, else token.txt"
        );
        return Ok(());
    }
    let file = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("token.txt"), PathBuf::from);
    let issuer = Issuer::start().await?;
    let url = issuer.url();
    // Longer than a token should live: there is something to type meanwhile.
    let an_hour_from_now = agenttrust::Timestamp::now().unix_seconds() + 3_600;
    let claims = json!({ "aud": AUDIENCE, "groups": ["agents"], "exp": an_hour_from_now });
    std::fs::write(&file, issuer.token("ada", claims)?)?;
    let file = file.display();
    println!("the issuer {url} says in {file}, for an hour, that ada is in the group agents");
    println!("export AGENTTRUST_API_KEY=sk_test_dev");
    println!("agenttrust agents create desk --capability 'files:*'");
    println!("agenttrust federation register {url} --name local --audience {AUDIENCE} \\");
    println!("    --rule claim:groups=agents,agent=desk,scope=files:read");
    println!("agenttrust federation test - < {file}");
    println!("agenttrust federation init - < {file}");
    tokio::signal::ctrl_c().await?;
    Ok(())
}
