//! Annotations: which there are, what their values may be, and which make sense together.

use std::time::Duration;

use super::verdict::Terms;

/// Every annotation that means something here.
const KNOWN: [&str; 7] = ["id", "reason", "elevate", "quorum", "window", "single_use", "shadow"];

/// How long an `@id` or a `@reason` is at most, in characters: both travel in answers.
const MAX_ID_CHARS: usize = 100;
const MAX_REASON_CHARS: usize = 400;

const MAX_QUORUM: u32 = 20;
const MAX_WINDOW: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What the annotations of one policy say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Annotations {
    pub(super) id: Option<String>,
    pub(super) reason: Option<String>,
    /// `Some` when the policy is `@elevate`.
    pub(super) terms: Option<Terms>,
    pub(super) shadow: bool,
}

impl Annotations {
    /// Reads the annotations of one policy.
    ///
    /// # Errors
    ///
    /// A sentence, without a place, when one is unknown, has a bad value, or means nothing here.
    pub(super) fn read<'a>(
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, String> {
        let mut read = Self::default();
        let (mut elevate, mut single_use) = (false, false);
        let (mut quorum, mut window) = (None, None);
        // Cedar itself refuses a policy that gives one annotation twice.
        for (name, value) in pairs {
            match name {
                "id" => read.id = Some(text(name, value, MAX_ID_CHARS)?),
                "reason" => read.reason = Some(text(name, value, MAX_REASON_CHARS)?),
                "elevate" => elevate = flag(name, value)?,
                "single_use" => single_use = flag(name, value)?,
                "shadow" => read.shadow = flag(name, value)?,
                "quorum" => quorum = Some(count(value)?),
                "window" => window = Some(duration(value)?),
                unknown => return Err(unknown_annotation(unknown)),
            }
        }
        if elevate {
            read.terms = Some(Terms {
                quorum: quorum.unwrap_or(1),
                window,
                single_use: single_use || window.is_none(),
            });
        } else if let Some(idle) =
            [quorum.map(|_| "quorum"), window.map(|_| "window"), single_use.then_some("single_use")]
                .into_iter()
                .flatten()
                .next()
        {
            return Err(format!(
                "`@{idle}` does nothing without `@elevate`; add `@elevate`, or remove `@{idle}`"
            ));
        }
        Ok(read)
    }
}

fn text(name: &str, value: &str, max_chars: usize) -> Result<String, String> {
    if value.trim().is_empty() {
        return Err(format!("`@{name}` is empty; write `@{name}(\"…\")`, or remove it"));
    }
    if value.chars().any(char::is_control) {
        return Err(format!(
            "`@{name}` holds a control character; keep it on one line of plain text"
        ));
    }
    if value.chars().count() > max_chars {
        return Err(format!("`@{name}` is longer than {max_chars} characters; shorten it"));
    }
    Ok(value.to_owned())
}

fn flag(name: &str, value: &str) -> Result<bool, String> {
    if value.is_empty() {
        Ok(true)
    } else {
        Err(format!("`@{name}` takes no value; write `@{name}` to switch it on, or remove it"))
    }
}

fn count(value: &str) -> Result<u32, String> {
    match value.parse::<u32>() {
        Ok(count @ 1..=MAX_QUORUM) if value.bytes().all(|byte| byte.is_ascii_digit()) => Ok(count),
        _ => Err(format!(
            "`@quorum({value:?})` is not a number of approvers; write one from 1 to {MAX_QUORUM}, as in \
             `@quorum(\"2\")`"
        )),
    }
}

fn duration(value: &str) -> Result<Duration, String> {
    let bad = || {
        format!(
            "`@window({value:?})` is not a time span; write a whole number and s, m, h or d, from \"1s\" \
             to \"30d\", as in `@window(\"10m\")`"
        )
    };
    let unit = value.chars().next_back().ok_or_else(bad)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(bad()),
    };
    let number = value.trim_end_matches(unit);
    if number.len() + 1 != value.len() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    let number: u64 = number.parse().map_err(|_| bad())?;
    match number.checked_mul(seconds).map(Duration::from_secs) {
        Some(window) if !window.is_zero() && window <= MAX_WINDOW => Ok(window),
        _ => Err(bad()),
    }
}

fn unknown_annotation(name: &str) -> String {
    let nearest = KNOWN.iter().map(|known| (distance(name, known), *known)).min();
    match nearest {
        Some((distance, known)) if distance <= 2.max(known.len() / 3) => {
            format!("unknown annotation `@{name}`; did you mean `@{known}`?")
        }
        _ => format!("unknown annotation `@{name}`; known are @{}", KNOWN.join(", @")),
    }
}

/// How many letters to add, remove or change to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (to, above) in b.chars().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(from != to)).min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Annotations, String> {
        Annotations::read(pairs.iter().copied())
    }

    #[test]
    fn a_bare_elevate_is_one_approver_and_one_use() {
        assert_eq!(read(&[("elevate", "")]).unwrap().terms, Some(Terms::default()));
    }

    #[test]
    fn elevation_terms_are_read() {
        let minutes = |n: u64| Some(Duration::from_secs(n * 60));
        for (pairs, terms) in [
            (vec![("window", "10m")], Terms { quorum: 1, window: minutes(10), single_use: false }),
            (
                vec![("window", "1h"), ("single_use", "")],
                Terms { quorum: 1, window: minutes(60), single_use: true },
            ),
            (
                vec![("quorum", "2"), ("window", "30d")],
                Terms { quorum: 2, window: minutes(30 * 24 * 60), single_use: false },
            ),
            (vec![("quorum", "20")], Terms { quorum: 20, window: None, single_use: true }),
        ] {
            let pairs: Vec<_> = pairs.into_iter().chain([("elevate", "")]).collect();
            assert_eq!(read(&pairs).unwrap().terms, Some(terms), "{pairs:?}");
        }
    }

    #[test]
    fn a_bad_value_is_refused_with_what_to_write() {
        for pair in [
            ("quorum", ""),
            ("quorum", "0"),
            ("quorum", "21"),
            ("quorum", "two"),
            ("quorum", "+2"),
            ("window", ""),
            ("window", "0s"),
            ("window", "10"),
            ("window", "m"),
            ("window", "10mm"),
            ("window", "31d"),
            ("window", "-1m"),
            ("window", "1.5h"),
            ("window", "99999999999999999999d"),
            ("window", "10 m"),
            ("window", "10é"),
            ("elevate", "true"),
            ("shadow", "no"),
            ("single_use", "1"),
            ("id", ""),
            ("id", " "),
            ("id", "a\nb"),
            ("reason", ""),
            ("reason", "\u{7}"),
        ] {
            let error = read(&[("elevate", ""), pair]).or_else(|_| read(&[pair])).unwrap_err();
            assert!(error.contains(&format!("`@{}", pair.0)), "{error}");
        }
        assert!(read(&[("id", &"é".repeat(101))]).is_err());
    }

    #[test]
    fn an_unknown_annotation_is_refused_with_the_nearest_one() {
        for (typo, meant) in [
            ("elevte", "elevate"),
            ("Elevate", "elevate"),
            ("reasons", "reason"),
            ("singleuse", "single_use"),
            ("ID", "id"),
        ] {
            let error = read(&[(typo, "")]).unwrap_err();
            assert!(error.ends_with(&format!("did you mean `@{meant}`?")), "{error}");
        }
        let error = read(&[("documentation", "")]).unwrap_err();
        assert!(error.contains("known are @id, @reason"), "{error}");
    }

    #[test]
    fn an_annotation_that_would_do_nothing_is_refused() {
        for pair in [("quorum", "2"), ("window", "10m"), ("single_use", "")] {
            let error = read(&[pair]).unwrap_err();
            assert!(error.contains("does nothing without `@elevate`"), "{error}");
        }
    }
}
