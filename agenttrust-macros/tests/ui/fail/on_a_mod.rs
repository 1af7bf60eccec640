use agenttrust::guarded;

#[guarded(effect = "read")]
mod files {
    pub fn list() {}
}

fn main() {
    files::list();
}
