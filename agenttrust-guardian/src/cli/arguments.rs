//! What is said of arguments that are not understood, without the secrets among them.

use std::env;
use std::io::Write;

use super::out::harmless;

const HIDDEN: &str = "(hidden)";

/// Prints what clap has to say. It repeats what it does not understand, which a log would keep: where a secret is
/// among that, it is printed without.
pub(super) fn explain(error: &clap::Error) {
    let whole = error.render().to_string();
    let words = env::args_os().skip(1).filter_map(|word| word.into_string().ok());
    let told = without_secrets(&whole, words);
    // Nothing is left to say it to when this cannot be printed.
    let _ = if told == whole {
        error.print()
    } else {
        writeln!(std::io::stderr(), "{}", told.trim_end())
    };
}

fn without_secrets(told: &str, words: impl Iterator<Item = String>) -> String {
    let mut told = told.to_owned();
    for word in words {
        // `--flag=value` is repeated whole or in part.
        let value =
            word.split_once('=').filter(|(flag, _)| flag.starts_with('-')).map(|(_, value)| value);
        for text in [value, Some(word.as_str())].into_iter().flatten() {
            if may_be_secret(text) {
                told = told.replace(text, HIDDEN).replace(&harmless(text), HIDDEN);
            }
        }
    }
    told
}

/// Returns whether a word may be a key, a token, or a URL with a password in it.
fn may_be_secret(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    // `eyJ` is how a JWT begins.
    let begins =
        ["sk_", "at_", "fed_", "whsec_", "eyj"].iter().any(|secret| lower.starts_with(secret));
    begins || lower.contains('@') || lower.contains("password")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_among_the_arguments_is_not_repeated() {
        for (word, shown) in [
            ("sk_live_SECRET", HIDDEN),
            ("fed_SECRET", HIDDEN),
            ("eyJhbGciOi.SECRET.x", HIDDEN),
            ("postgres://ada:SECRET@db/at", HIDDEN),
            ("password=SECRET", HIDDEN),
            ("--databse=postgres://ada:SECRET@db/at", "--databse=(hidden)"),
            ("--prot=8080", "--prot=8080"),
            ("server", "server"),
        ] {
            let told = format!("error: unexpected argument '{word}' found\n");
            let says = without_secrets(&told, [word.to_owned()].into_iter());
            assert_eq!(says, format!("error: unexpected argument '{shown}' found\n"));
        }
    }
}
