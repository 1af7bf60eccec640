use agenttrust::{AgentTrustError, guarded};

macro_rules! of_one_name {
    ($target:ident) => {
        #[guarded(effect = "destructive", skip(path))]
        fn copy(path: &str, $target: &str) -> Result<usize, AgentTrustError> {
            Ok(path.len() + $target.len())
        }
    };
}

of_one_name!(path);

fn main() {}
