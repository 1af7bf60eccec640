//! What a reader puts into a command: a key in the place of `sk_live_...`, an id in that of `AGENT_A`.

/// What is to be filled in. `meant` of `stand_ins.sh` says by what.
const MEANT: [&str; 20] = [
    "sk_live_...",
    "sk_live_…",
    "agt_...",
    "agt_…",
    "apr_...",
    "apr_…",
    "eyJ…",
    "2026-…",
    "...",
    "AGENT_A",
    "AGENT_B",
    "AGENT_C",
    "AGENT",
    "APPROVAL_ID",
    "CASES",
    "DIR",
    "LEASE",
    "dlg_1",
    "dlg_2",
    "task_1",
];

/// Returns a block with each of [`MEANT`] replaced by a call that prints what is meant; an error where something else
/// is left out in it. Comments are kept as they are.
pub(super) fn filled(code: &str) -> Result<String, String> {
    let mut found = String::new();
    let mut quote = None;
    let mut before = '\n';
    let mut rest = code;
    while let Some(letter) = rest.chars().next() {
        if letter == '#' && quote.is_none() && before.is_whitespace() {
            let end = rest.find('\n').unwrap_or(rest.len());
            found.push_str(&rest[..end]);
            rest = &rest[end..];
            before = '#';
            continue;
        }
        let of_a_word = |letter: char| letter.is_ascii_alphanumeric() || "_$".contains(letter);
        let ends = |word: &&str| !rest[word.len()..].starts_with(of_a_word);
        let mut words = MEANT.iter().copied().filter(|word| rest.starts_with(word));
        if !of_a_word(before)
            && let Some(word) = words.find(ends)
        {
            let call = format!("$(meant '{word}')");
            // Nothing is filled in between single quotes, so they end before it.
            found.push_str(&if quote == Some('\'') { format!("'\"{call}\"'") } else { call });
            before = 'a';
            rest = &rest[word.len()..];
            continue;
        }
        if letter == '…' || rest.starts_with("...") {
            let line = rest.lines().next().unwrap_or_default();
            return Err(format!("say in `fill.rs` what is meant by `{before}{line}`"));
        }
        match quote {
            None if "'\"".contains(letter) => quote = Some(letter),
            Some(open) if open == letter => quote = None,
            _ => {}
        }
        found.push(letter);
        before = letter;
        rest = &rest[letter.len_utf8()..];
    }
    Ok(found)
}

#[test]
fn what_is_meant_is_filled_in_and_anything_else_found() {
    for (code, expected) in [
        ("a apr_... # b's apr_...", "a $(meant 'apr_...') # b's apr_..."),
        ("-d '{\"id\": \"agt_…\"}'", "-d '{\"id\": \"'\"$(meant 'agt_…')\"'\"}'"),
        ("a \"AGENT\" # c", "a \"$(meant 'AGENT')\" # c"),
        ("export AGENT_ID=$AGENT A=...", "export AGENT_ID=$AGENT A=$(meant '...')"),
        ("a DIR DIRS", "a $(meant 'DIR') DIRS"),
    ] {
        assert_eq!(filled(code).as_deref(), Ok(expected));
    }
    assert!(filled("a b_...").is_err_and(|said| said.contains("_...")));
    assert!(filled("a …").is_err());
}
