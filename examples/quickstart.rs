//! The quickstart, as the other examples are run: `cargo run -p quickstart` builds only what it uses.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    quickstart::tell().await
}
