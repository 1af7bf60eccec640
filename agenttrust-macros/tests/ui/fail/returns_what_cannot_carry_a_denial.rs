use agenttrust::guarded;

#[guarded]
fn tool(path: String) -> String {
    path
}

fn main() {}
