use agenttrust::guarded;

#[guarded]
fn tool(path: String) -> Result<String, std::fmt::Error> {
    Ok(path)
}

fn main() {}
