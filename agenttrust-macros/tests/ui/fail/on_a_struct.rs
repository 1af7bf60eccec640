use agenttrust::guarded;

#[guarded]
struct Tool;

fn main() {
    // The item is still there: the mistake stays the only error.
    let _ = Tool;
}
