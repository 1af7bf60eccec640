//! An `impl` block that a `macro_rules!` wrote, its keys and methods given from outside.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

macro_rules! tools {
    ($effect:literal, $ty:ident { $($method:item)* }) => {
        #[guarded(effect = $effect)]
        impl $ty {
            $($method)*
        }
    };
}

macro_rules! works {
    ($path:path, $ty:ty, $denied:expr) => {
        #[guarded(on_denied = $denied)]
        impl $path for $ty {
            async fn work(&self) -> Result<u8, AgentTrustError> {
                step();
                tokio::task::yield_now().await;
                step();
                Ok(self.0)
            }
        }
    };
}

trait Work {
    async fn work(&self) -> Result<u8, AgentTrustError>;
}

struct Tool(u8);

works!(Work, Tool, |error| Err(error));

tools!("read", Tool {
    fn sync(&self) -> Result<u8, AgentTrustError> {
        step();
        Ok(self.0)
    }

    async fn spun(self, by: u8) -> Result<u8, AgentTrustError> {
        step();
        tokio::task::yield_now().await;
        step();
        Ok(self.0 + by)
    }
});

macro_rules! named {
    ($($name:ident => $output:expr),*) => {
        #[guarded]
        impl Tool {
            $(
                fn $name(&mut self) -> Result<u8, AgentTrustError> {
                    step();
                    self.0 += 1;
                    Ok($output)
                }
            )*
        }
    };
}

named!(one => 1, two => 1 + 1);

pub(super) fn main() {
    assert_eq!(steps(1).of(|| Tool(1).sync()), 1);
    assert_eq!(steps(2).of(|| run(Tool(1).spun(2))), 3);
    assert_eq!(steps(1).of(|| Tool(1).one()), 1);
    assert_eq!(steps(1).of(|| Tool(1).two()), 2);
    assert_eq!(steps(2).of(|| run(Tool(1).work())), 1);
}
