use agenttrust::guarded;

#[guarded(on_denied = "no")]
fn greet() -> String {
    "hello".to_owned()
}

fn main() {}
