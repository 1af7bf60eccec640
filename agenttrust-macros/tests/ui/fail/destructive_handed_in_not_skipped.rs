use agenttrust::{AgentTrustError, guarded};

mod framework {
    pub struct State<T>(pub T);

    impl<T> agenttrust::__private::HandedIn for State<T> {}
}

use framework::State as Path;

#[guarded(effect = "destructive")]
fn tool(Path(path): Path<String>, handle: &Path<Handle>) -> Result<String, AgentTrustError> {
    let _ = handle;
    Ok(path)
}

struct Handle;

fn main() {}
