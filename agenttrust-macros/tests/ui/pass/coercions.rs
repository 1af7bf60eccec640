//! What the body returns coerces to the return type, early and late.

#![deny(warnings)]

use agenttrust::guarded;

type Boxed = Box<dyn std::error::Error + Send + Sync>;

#[guarded]
async fn question_mark(number: String) -> Result<Box<dyn Fn() -> u8>, Boxed> {
    let number: u8 = number.parse()?;
    if number == 0 {
        return Err("zero".into());
    }
    if number == 1 {
        return Ok(Box::new(|| 1));
    }
    Ok(Box::new(move || number))
}

#[guarded(on_denied = |_| &[])]
fn slice(long: bool) -> &'static [u8] {
    if long {
        return &[1, 2];
    }
    &[1]
}

#[guarded(on_denied = |_| Box::new(|| 0))]
async fn closure(number: u8) -> Box<dyn Fn() -> u8> {
    if number == 0 {
        return Box::new(|| 1);
    }
    Box::new(move || number)
}

#[guarded]
fn diverges() -> Result<u8, Boxed> {
    unreachable!("ran without a guard")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert!(question_mark("1".to_owned()).await.is_err());
    assert!(slice(true).is_empty());
    assert_eq!((closure(3).await)(), 0);
    diverges().unwrap_err();
}
