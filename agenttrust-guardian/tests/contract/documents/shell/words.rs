//! Lines for a shell, taken apart into commands and their words: as much of its language as documents use.

use std::iter::Peekable;
use std::str::Chars;

/// Returns the commands in a text, each as its words. Those inside of `$(…)` and `(…)` come by themselves;
/// assignments before a command, comments and what is redirected are left out.
pub(super) fn commands(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let mut reader = Reader { letters: text.chars().peekable(), found: Vec::new() };
    while reader.letters.peek().is_some() {
        reader.list();
    }
    reader.found
}

struct Reader<'a> {
    letters: Peekable<Chars<'a>>,
    found: Vec<Vec<String>>,
}

impl Reader<'_> {
    /// Reads commands up to the bracket that closes them, or the end.
    fn list(&mut self) {
        let mut command = Vec::new();
        let mut is_redirected = false;
        while let Some(&letter) = self.letters.peek() {
            match letter {
                ' ' | '\t' => {
                    self.letters.next();
                }
                '#' => while self.letters.next_if(|letter| *letter != '\n').is_some() {},
                '<' | '>' => {
                    is_redirected = true;
                    self.letters.next();
                }
                '\n' | ';' | '|' | '&' | '(' | ')' => {
                    self.letters.next();
                    self.finish(std::mem::take(&mut command));
                    match letter {
                        '(' => self.list(),
                        ')' => return,
                        _ => {}
                    }
                }
                _ => {
                    let word = self.word();
                    if !std::mem::take(&mut is_redirected) {
                        command.push(word);
                    }
                }
            }
        }
        self.finish(command);
    }

    /// Keeps a command that is at its end.
    fn finish(&mut self, words: Vec<String>) {
        let is_assignment = |word: &String| {
            word.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty()
                    && name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
            })
        };
        let mut words =
            words.into_iter().skip_while(|word| word == "export" || is_assignment(word)).peekable();
        if words.peek().is_some() {
            self.found.push(words.collect());
        }
    }

    /// Reads one word, without its quotes. A command that stands inside of it is kept by itself.
    fn word(&mut self) -> String {
        let mut word = String::new();
        let mut quote = None;
        while let Some(&letter) = self.letters.peek() {
            if quote.is_none() && " \t\n;|&()<>".contains(letter) {
                break;
            }
            self.letters.next();
            match letter {
                '\'' | '"' if quote.is_none() => quote = Some(letter),
                _ if quote == Some(letter) => quote = None,
                '\\' if quote != Some('\'') => word.extend(self.letters.next()),
                '$' if quote != Some('\'') && self.letters.next_if_eq(&'(').is_some() => {
                    word.push_str("$(…)");
                    self.list();
                }
                _ => word.push(letter),
            }
        }
        word
    }
}

#[test]
fn commands_are_taken_apart_as_a_shell_does() {
    let of = |text: &str| commands(text).iter().map(|words| words.join("·")).collect::<Vec<_>>();
    for (text, expected) in [
        ("a b  c # d\ne", &["a·b·c", "e"][..]),
        ("a 'b # c' \"d e\" f\\ g", &["a·b # c·d e·f g"]),
        ("A=1 B=$(c d) e", &["c·d", "e"]),
        ("export A=$(b --c) || exit", &["b·--c", "exit"]),
        ("(cd a && b c)   # d", &["cd·a", "b·c"]),
        ("a - < b.txt > c", &["a·-"]),
        ("a \\\n  b | c; d & e", &["a·b", "c", "d", "e"]),
        ("a \"$(b \"c d\")/e\"", &["b·c d", "a·$(…)/e"]),
        ("a#b \"$C\"", &["a#b·$C"]),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
}
