use agenttrust::guarded;

#[guarded]
fn tool() -> ! {
    loop {}
}

fn main() {}
