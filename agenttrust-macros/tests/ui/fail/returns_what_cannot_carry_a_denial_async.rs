use agenttrust::guarded;

#[guarded]
async fn tool(path: String) -> Option<String> {
    Some(path)
}

fn main() {}
