use agenttrust::guarded;

#[guarded(on_denied = |_| loop {})]
async fn tool() -> ! {
    loop {}
}

fn main() {}
