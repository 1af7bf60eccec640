//! The function stays itself: drops, coercions, configuration.

use super::*;

struct Noisy<'a>(&'static str, &'a std::cell::RefCell<Vec<&'static str>>);

impl Drop for Noisy<'_> {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

fn bare_drops(_a: Noisy<'_>, (_b, _c): (Noisy<'_>, Noisy<'_>), d: Noisy<'_>) -> Output<()> {
    let _local = Noisy("local", d.1);
    Ok(())
}

#[guarded]
fn guarded_drops(_a: Noisy<'_>, (_b, _c): (Noisy<'_>, Noisy<'_>), d: Noisy<'_>) -> Output<()> {
    let _local = Noisy("local", d.1);
    Ok(())
}

#[guarded]
async fn guarded_async_drops(
    _a: Noisy<'_>,
    (_b, _c): (Noisy<'_>, Noisy<'_>),
    d: Noisy<'_>,
) -> Output<()> {
    let _local = Noisy("local", d.1);
    Ok(())
}

#[tokio::test]
async fn arguments_are_dropped_in_the_order_of_the_bare_function() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);
    let drops = || std::cell::RefCell::new(Vec::new());
    let (bare, sync, spun) = (drops(), drops(), drops());
    let new = |name, log| Noisy(name, log);
    bare_drops(new("a", &bare), (new("b", &bare), new("c", &bare)), new("d", &bare)).unwrap();
    guard.scope_sync(|| {
        guarded_drops(new("a", &sync), (new("b", &sync), new("c", &sync)), new("d", &sync))
            .unwrap();
    });
    guard
        .scope(guarded_async_drops(
            new("a", &spun),
            (new("b", &spun), new("c", &spun)),
            new("d", &spun),
        ))
        .await
        .unwrap();
    assert_eq!(bare.take(), ["local", "d", "c", "b", "a"]);
    assert_eq!(sync.take(), ["local", "d", "c", "b", "a"]);
    assert_eq!(spun.take(), ["local", "d", "c", "b", "a"]);
}

trait Speaks {
    fn speak(&self) -> String;
}

impl Speaks for u8 {
    fn speak(&self) -> String {
        self.to_string()
    }
}

#[guarded]
async fn coerces(early: bool) -> Output<Box<dyn Speaks + Send>> {
    if early {
        return Ok(Box::new(1));
    }
    Ok(Box::new(2))
}

#[guarded(on_denied = |_| Box::new(0))]
async fn coerces_bare(early: bool) -> Box<dyn Speaks + Send> {
    if early {
        return Box::new(1);
    }
    Box::new(2)
}

#[guarded(on_denied = |_| Box::new(0))]
fn coerces_sync(early: bool) -> Box<dyn Speaks + Send> {
    if early {
        return Box::new(1);
    }
    Box::new(2)
}

#[tokio::test]
async fn returned_values_coerce_as_in_the_bare_function() {
    let scripted = Scripted::says([Say::allowed()]);
    guard(&scripted)
        .scope(async {
            assert_eq!(coerces(true).await.unwrap().speak(), "1");
            assert_eq!(coerces_bare(false).await.speak(), "2");
            assert_eq!(coerces_sync(true).speak(), "1");
        })
        .await;
}

#[guarded]
fn conditional(
    #[cfg(any())] _gone: Missing,
    #[cfg(not(any()))] present: u8,
    #[cfg_attr(not(any()), cfg(any()))] _also_gone: Missing,
) -> Output<u8> {
    Ok(present)
}

#[tokio::test]
async fn parameters_that_are_configured_away_are_not_captured() {
    let check = check_of(async { conditional(1) }).await;
    assert_eq!(check["action_input_summary"], r#"{"present":1}"#);
}
