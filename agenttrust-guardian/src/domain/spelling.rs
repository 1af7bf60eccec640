//! Finds the known word that is nearest to an unknown one, for "did you mean".

/// Returns the known word that was meant, if one is near enough.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known = known.into_iter().map(|known| (strsim::levenshtein(word, known), known));
    let (distance, nearest) = known.min()?;
    (distance <= 2.max(nearest.len() / 3)).then_some(nearest)
}

/// Returns the known member of a body that was meant by one that is not known: another spelling of it, such as
/// `agentId`, or one that is off by a letter or so. Stricter than [`nearest`], because a member that is not
/// meant may well be what a newer client says.
pub(crate) fn member_meant<'a>(
    member: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// A length that exceeds that of any known word by as much as a misspelt one could be longer.
    const LONGEST: usize = 64;
    if member.len() > LONGEST {
        return None;
    }
    let written = folded(member);
    let off = |known: &&'a str| strsim::osa_distance(&written, &folded(known));
    let known = known.into_iter().map(|known| (off(&known), known));
    let (distance, meant) = known.min()?;
    let shorter = written.chars().count().min(folded(meant).len());
    (distance <= (shorter / 3).max(1) && distance < shorter).then_some(meant)
}

/// Returns the letters and digits alone: `agentId`, `Agent-ID` and `agent_id` are one.
fn folded(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::member_meant;

    #[test]
    fn misspelt_member_is_told_from_one_that_is_not_known() {
        const AGENT: [&str; 6] =
            ["name", "framework", "capabilities", "metadata", "org_id", "public_key"];
        const CHECK: [&str; 6] = [
            "agent_id",
            "session_id",
            "action_name",
            "action_effect",
            "action_source",
            "action_input_summary",
        ];
        for (member, known, meant) in [
            ("capability", AGENT, "capabilities"),
            ("Capabilities", AGENT, "capabilities"),
            ("publicKey", AGENT, "public_key"),
            ("nmae", AGENT, "name"),
            ("meta-data", AGENT, "metadata"),
            ("actionEffect", CHECK, "action_effect"),
            ("AgentID", CHECK, "agent_id"),
            ("sesion_id", CHECK, "session_id"),
            ("session", CHECK, "session_id"),
        ] {
            assert_eq!(member_meant(member, known), Some(meant), "{member}");
        }
        for (member, known) in [
            ("owner", AGENT),
            ("description", AGENT),
            ("tags", AGENT),
            ("mode", AGENT),
            ("tool_name", CHECK),
            ("action", CHECK),
            ("trace_id", CHECK),
            ("", CHECK),
            ("\u{202e}", CHECK),
        ] {
            assert_eq!(member_meant(member, known), None, "{member}");
        }
        assert_eq!(member_meant(&"name".repeat(10_000), AGENT), None);
        assert_eq!(member_meant("x", ["r"]), None);
        assert_eq!(member_meant("anything", []), None);
    }
}
