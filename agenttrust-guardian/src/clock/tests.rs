use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn stopped() -> (Clock, Timestamp) {
    let (clock, at) = (Clock::default(), Timestamp::now());
    clock.stop_at(at);
    (clock, at)
}

#[test]
fn present_is_what_the_system_says() {
    let (before, clock) = (Timestamp::now(), Clock::default());
    let now = clock.now();
    assert!(before <= now && now <= Timestamp::now(), "{now}");
    assert!(clock.ahead() < MINUTE);
}

#[test]
fn time_goes_on_while_the_system_clock_is_behind() {
    let (clock, at) = stopped();
    assert_eq!(clock.now(), at);
    clock.set_back(60 * MINUTE);
    assert_eq!(clock.now(), at, "set back, no time has passed");
    clock.advance(MINUTE);
    assert_eq!(clock.now(), at.saturating_add(MINUTE), "a minute is a minute");
    assert_eq!(clock.ahead(), 60 * MINUTE);
}

#[test]
fn system_clock_that_was_ahead_for_a_moment_takes_nothing_back() {
    let (clock, at) = stopped();
    clock.set_ahead(60 * MINUTE);
    assert_eq!(clock.now(), at.saturating_add(60 * MINUTE));
    clock.set_back(60 * MINUTE);
    clock.advance(MINUTE);
    assert_eq!(clock.now(), at.saturating_add(61 * MINUTE));
    // Set right by someone, it is followed again.
    clock.set_ahead(90 * MINUTE);
    assert_eq!(clock.now(), at.saturating_add(91 * MINUTE));
}

#[test]
fn what_was_written_down_is_in_the_past() {
    let (clock, at) = stopped();
    clock.not_before(at.saturating_add(5 * MINUTE));
    assert_eq!(clock.now(), at.saturating_add(5 * MINUTE));
    clock.not_before(at);
    clock.advance(MINUTE);
    assert_eq!(clock.now(), at.saturating_add(6 * MINUTE));
}

#[test]
fn beyond_the_calendar_everything_is_over() {
    let (clock, _) = stopped();
    let end = Timestamp::now().saturating_add(Duration::MAX);
    clock.not_before(end);
    clock.advance(60 * MINUTE);
    assert_eq!(clock.now(), end);
}

#[test]
fn no_thread_sees_time_go_back() {
    let clock = Clock::default();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut last = clock.now();
                for _ in 0..20_000 {
                    let now = clock.now();
                    assert!(last <= now, "{last} was followed by {now}");
                    last = now;
                }
            });
        }
        for _ in 0..1_000 {
            clock.set_ahead(MINUTE);
            clock.set_back(2 * MINUTE);
        }
    });
}
