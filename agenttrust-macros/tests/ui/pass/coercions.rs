//! What the body returns coerces to the return type, early and late.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{Refusal, Silent, allowed, run, step, steps};

type Boxed = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug)]
struct Denied(String);

impl Refusal for Denied {
    fn code(&self) -> Option<&str> {
        Some(&self.0)
    }
}

fn denied(error: Boxed) -> Denied {
    Denied(error.downcast_ref::<AgentTrustError>().unwrap().code().to_owned())
}

#[guarded]
async fn question_mark(number: String) -> Result<Box<dyn Fn() -> u8>, Boxed> {
    step();
    let number: u8 = number.parse()?;
    step();
    if number == 0 {
        return Err("zero".into());
    }
    if number == 1 {
        return Ok(Box::new(|| 1));
    }
    step();
    Ok(Box::new(move || number))
}

#[guarded(on_denied = |_| &[])]
fn slice(long: bool) -> &'static [u8] {
    step();
    if long {
        step();
        return &[1, 2];
    }
    &[1]
}

#[guarded(on_denied = |_| Box::new(|| 0))]
async fn closure(number: u8) -> Box<dyn Fn() -> u8> {
    step();
    if number == 1 {
        return Box::new(|| 1);
    }
    step();
    Box::new(move || number)
}

pub(super) fn main() {
    let asked = |number: &str| run(question_mark(number.to_owned())).map(|read| read());
    assert_eq!(steps(2).of(|| asked("1").map_err(denied)), 1);
    assert_eq!(steps(3).of(|| asked("7").map_err(denied)), 7);
    assert_eq!(allowed(|| asked("0")).output.unwrap_err().to_string(), "zero");
    assert_eq!(allowed(|| asked("x")).steps, 1);
    let read = |slice: &'static [u8]| if slice.is_empty() { Err(Silent) } else { Ok(slice) };
    assert_eq!(steps(2).of(|| read(slice(true))), [1, 2]);
    assert_eq!(steps(1).of(|| read(slice(false))), [1]);
    let read =
        |closure: Box<dyn Fn() -> u8>| if closure() == 0 { Err(Silent) } else { Ok(closure()) };
    assert_eq!(steps(1).of(|| read(run(closure(1)))), 1);
    assert_eq!(steps(2).of(|| read(run(closure(3)))), 3);
}
