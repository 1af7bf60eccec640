//! How deep a policy text may nest, found before Cedar parses it.
//!
//! Cedar's parser and validator recurse, and text that nests deep enough ends the whole process with a
//! stack overflow. So depth is bounded first, and what is left runs on a stack with room for it. A long
//! chain (`a + b + c …`) is no danger: where Cedar's own guard stops evaluating it, a `forbid` denies.

/// How many brackets and `if`s may be open at once; people write fewer than ten.
const MAX_DEPTH: usize = 64;

/// Enough for [`MAX_DEPTH`] in a build without optimisation, where one level takes some 40 KiB. Only
/// touched pages cost memory.
const STACK_BYTES: usize = 64 << 20;

/// Where `text` nests deeper than may be, as a byte offset.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let mut brackets = 0_usize;
    // `if a then b else if c …` nests without brackets, up to the end of the policy.
    let mut ifs = 0_usize;
    let mut chars = text.char_indices().peekable();
    while let Some((at, current)) = chars.next() {
        match current {
            '"' => {
                while let Some((_, inside)) = chars.next() {
                    match inside {
                        '"' => break,
                        '\\' => drop(chars.next()),
                        _ => {}
                    }
                }
            }
            '/' if chars.next_if(|(_, next)| *next == '/').is_some() => {
                while chars.next_if(|(_, inside)| *inside != '\n').is_some() {}
            }
            '(' | '[' | '{' => brackets += 1,
            ')' | ']' | '}' => brackets = brackets.saturating_sub(1),
            ';' => (brackets, ifs) = (0, 0),
            _ if is_word(current) => {
                let mut word = String::from(current);
                while let Some((_, next)) = chars.next_if(|(_, next)| is_word(*next)) {
                    word.push(next);
                }
                ifs += usize::from(word == "if");
            }
            _ => {}
        }
        if brackets + ifs > MAX_DEPTH {
            return Some(at);
        }
    }
    None
}

/// Runs `work` on a stack with room for everything that [`too_deep`] lets pass.
///
/// # Errors
///
/// A sentence, when there is no thread to be had or `work` panicked.
pub(super) fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("agenttrust-policies".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(|error| {
                format!("the policies cannot be read without a thread ({error}); free some memory")
            })?
            .join()
            .map_err(|_| "the policies made the parser panic; report them as a bug".to_owned())
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_brackets_and_ifs_count_together_and_a_policys_end_closes_them() {
        let deep = |n: usize| "if [".repeat(n);
        assert_eq!(too_deep(&deep(MAX_DEPTH / 2)), None);
        assert!(too_deep(&deep(MAX_DEPTH / 2 + 1)).is_some());
        assert_eq!(too_deep(&"( if ; ".repeat(1_000)), None);
        assert_eq!(too_deep(&"([{}])".repeat(1_000)), None);
        assert_eq!(too_deep(&"(".repeat(MAX_DEPTH + 1)), Some(MAX_DEPTH));
    }

    #[test]
    fn what_stands_in_text_and_comments_does_not_count() {
        let many = "([{ if ".repeat(100);
        assert_eq!(too_deep(&format!("\"{many} \\\" {many}\"")), None);
        assert_eq!(too_deep(&format!("// \" {many}\n(")), None);
        assert_eq!(too_deep(&"elif iffy if_ ".repeat(100)), None);
        // Neither may hide what follows it.
        assert!(too_deep(&format!("\"\\\\\" {many}")).is_some());
        assert!(too_deep(&format!("// \"\n {many}")).is_some());
        assert!(too_deep(&format!("1 / 2 {many}")).is_some());
    }
}
