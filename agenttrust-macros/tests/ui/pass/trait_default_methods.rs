//! Default methods of traits, sync and async, called through a type, a bound and `dyn`.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

trait Work {
    fn name(&self) -> String;

    #[guarded]
    fn sync(&self, times: usize) -> Result<String, AgentTrustError> {
        step();
        if times == 0 {
            step();
            return Ok(String::new());
        }
        Ok(self.name().repeat(times))
    }
}

trait Spin: Work {
    #[guarded]
    async fn spun(&mut self) -> Result<usize, AgentTrustError>
    where
        Self: Sized,
    {
        step();
        tokio::task::yield_now().await;
        step();
        Ok(self.name().len())
    }
}

struct Tool;

impl Work for Tool {
    fn name(&self) -> String {
        "tool".to_owned()
    }
}

impl Spin for Tool {}

fn bounded(work: &impl Work) -> Result<String, AgentTrustError> {
    work.sync(1)
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| Tool.sync(2)), "tooltool");
    assert_eq!(steps(2).of(|| Tool.sync(0)), "");
    assert_eq!(steps(1).of(|| bounded(&Tool)), "tool");
    let work: &dyn Work = &Tool;
    assert_eq!(steps(1).of(|| work.sync(1)), "tool");
    assert_eq!(steps(2).of(|| run(Tool.spun())), 4);
}
