//! `-> impl Future + Send` in a trait: the default body, and implementations in both spellings.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

type Output = Result<usize, AgentTrustError>;

trait Work: Sync {
    #[guarded]
    fn default(&self) -> impl Future<Output = Output> + Send {
        step();
        async move {
            step();
            Ok(1)
        }
    }

    fn required(&self, name: &str) -> impl Future<Output = Output> + Send;

    fn spelt_async(&self) -> impl Future<Output = Output> + Send;
}

struct Tool(usize);

impl Work for Tool {
    #[guarded]
    fn required(&self, name: &str) -> impl Future<Output = Output> + Send {
        step();
        let length = name.len();
        step();
        async move {
            step();
            Ok(self.0 + length)
        }
    }

    #[guarded]
    async fn spelt_async(&self) -> Output {
        step();
        Ok(self.0)
    }
}

fn assert_send<F: Future + Send>(future: F) -> F {
    future
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| run(assert_send(Tool(2).default()))), 1);
    assert_eq!(steps(3).of(|| run(assert_send(Tool(2).required("abc")))), 5);
    assert_eq!(steps(1).of(|| run(assert_send(Tool(2).spelt_async()))), 2);
}
