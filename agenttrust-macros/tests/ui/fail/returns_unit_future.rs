use agenttrust::guarded;

#[guarded]
fn tool() -> impl Future<Output = ()> {
    async {}
}

fn main() {}
