use agenttrust::guarded;

struct Files;

#[guarded]
impl Files {
    fn write(&self) -> Result<(), agenttrust::AgentTrustError>;
}

fn main() {}
