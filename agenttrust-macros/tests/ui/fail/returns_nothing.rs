use agenttrust::guarded;

#[guarded]
fn tool(path: String) {
    drop(path)
}

fn main() {}
