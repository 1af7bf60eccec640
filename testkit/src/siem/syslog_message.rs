//! A message of syslog, read as RFC 5424 has it and no other way.

/// A message of syslog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogMessage {
    /// The message's facility, from 0 to 23.
    pub facility: u8,
    /// The message's severity, from 0 to 7.
    pub severity: u8,
    /// The message's time, as it was written.
    pub time: String,
    /// The message's host.
    pub host: String,
    /// The application.
    pub app: String,
    /// The process.
    pub process: String,
    /// The kind of message.
    pub kind: String,
    /// The message's structured data: elements with their parameters.
    pub data: Vec<(String, Vec<(String, String)>)>,
    /// The message's text.
    pub message: String,
}

impl SyslogMessage {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// What is not as RFC 5424 has it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "a message that is no UTF-8")?;
        let rest = text.strip_prefix('<').ok_or("no < before the priority")?;
        let (priority, rest) = rest.split_once('>').ok_or("no > after the priority")?;
        let number: u8 = priority.parse().map_err(|_| format!("the priority {priority:?}"))?;
        if number > 191 || number.to_string() != priority {
            return Err(format!("the priority {priority:?}"));
        }
        let (version, rest) = rest.split_once(' ').ok_or("no space after the version")?;
        if version != "1" {
            return Err(format!("the version {version:?}"));
        }
        let (time, rest) = rest.split_once(' ').ok_or("no space after the time")?;
        ensure_time(time)?;
        let (host, rest) = member(rest, "host", 255)?;
        let (app, rest) = member(rest, "application", 48)?;
        let (process, rest) = member(rest, "process", 128)?;
        let (kind, rest) = member(rest, "kind", 32)?;
        let (data, rest) = structured_data(rest)?;
        let message = match rest {
            "" => String::new(),
            rest => message(rest.strip_prefix(' ').ok_or("no space before the message")?)?,
        };
        Ok(Self {
            facility: number / 8,
            severity: number % 8,
            time: time.to_owned(),
            host,
            app,
            process,
            kind,
            data,
            message,
        })
    }
}

/// Returns what is not ASCII has a mark before it that says how it is written.
fn message(text: &str) -> Result<String, String> {
    match text.strip_prefix('\u{feff}') {
        Some(text) => Ok(text.to_owned()),
        None if text.is_ascii() => Ok(text.to_owned()),
        None => Err("a message that is not ASCII and has no byte-order mark".to_owned()),
    }
}

fn ensure_time(text: &str) -> Result<(), String> {
    let wrong = || format!("the time {text:?}");
    let (date, time) = text.split_once('T').ok_or_else(wrong)?;
    let is = |text: &str, form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                form => byte == form,
            })
    };
    let zone = time.find(['Z', '+', '-']).ok_or_else(wrong)?;
    let (clock, zone) = time.split_at(zone);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let is_fraction =
        (1..=6).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let is_zone = zone == "Z" || is(zone, "+00:00") || is(zone, "-00:00");
    match is(date, "0000-00-00") && is(clock, "00:00:00") && is_fraction && is_zone {
        true => Ok(()),
        false => Err(wrong()),
    }
}

fn member<'a>(rest: &'a str, name: &str, most: usize) -> Result<(String, &'a str), String> {
    let (text, rest) = rest.split_once(' ').ok_or_else(|| format!("no space after the {name}"))?;
    let is_good =
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    match is_good {
        true => Ok((text.to_owned(), rest)),
        false => Err(format!("the {name} {text:?}")),
    }
}

type Data = Vec<(String, Vec<(String, String)>)>;

fn structured_data(rest: &str) -> Result<(Data, &str), String> {
    if let Some(rest) = rest.strip_prefix('-') {
        return Ok((Vec::new(), rest));
    }
    let (mut data, mut rest) = (Vec::new(), rest);
    while let Some(element) = rest.strip_prefix('[') {
        let end = element.find([' ', ']']).ok_or("an element without end")?;
        let (id, mut left) = element.split_at(end);
        ensure_name(id)?;
        let mut parameters = Vec::new();
        while let Some(parameter) = left.strip_prefix(' ') {
            let (name, value) = parameter.split_once("=\"").ok_or("a parameter without value")?;
            ensure_name(name)?;
            let (value, after) = value_of(value)?;
            parameters.push((name.to_owned(), value));
            left = after;
        }
        data.push((id.to_owned(), parameters));
        rest = left.strip_prefix(']').ok_or("an element that does not end")?;
    }
    if data.is_empty() { Err("no structured data".to_owned()) } else { Ok((data, rest)) }
}

fn ensure_name(name: &str) -> Result<(), String> {
    let is_good = (1..=32).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'=' | b']' | b'"'));
    if is_good { Ok(()) } else { Err(format!("the name {name:?}")) }
}

/// Returns a value up to its quote, where quotes, backslashes and brackets are escaped.
fn value_of(text: &str) -> Result<(String, &str), String> {
    let (mut value, mut letters) = (String::new(), text.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((value, &text[at + 1..])),
            ']' => return Err("a bracket that is not escaped".to_owned()),
            '\\' => match letters.next() {
                Some((_, escaped @ ('"' | '\\' | ']'))) => value.push(escaped),
                _ => return Err("a backslash that escapes nothing".to_owned()),
            },
            letter => value.push(letter),
        }
    }
    Err("a value without end".to_owned())
}
