//! The whole story in one program; it is told in `story.rs`.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    quickstart::tell().await
}
