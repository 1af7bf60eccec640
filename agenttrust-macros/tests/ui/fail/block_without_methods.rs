use agenttrust::guarded;

struct Files;

#[guarded(effect = "read")]
impl Files {
    const KIND: &str = "files";

    #[guarded(skip)]
    fn new() -> Self {
        Self
    }
}

fn main() {
    let _ = (Files::new(), Files::KIND);
}
