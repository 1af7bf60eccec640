//! What generated functions return.

/// The value that `?` works on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tries {
    Result,
    Option,
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Output {
    /// `Result<i64, Failure>`
    Int,
    /// `Result<String, Failure>`
    Text,
    /// `Result<(), Small>`
    Unit,
    /// `Result<impl Debug + Send, Failure>`
    Opaque,
    /// `Result<&'a i64, Failure>`, of the argument `lent`
    Borrow,
    /// `Result<&'a mut i64, Failure>`, of the argument `lent`
    BorrowMut,
    /// `Option<i64>`
    Maybe,
    /// `i64`
    Plain,
    /// `Reply`
    Reply,
}

impl Output {
    pub(crate) fn ty(self) -> &'static str {
        match self {
            Self::Int => "Result<i64, Failure>",
            Self::Text => "Result<String, Failure>",
            Self::Unit => "Result<(), Small>",
            Self::Opaque => "Result<impl std::fmt::Debug + Send, Failure>",
            Self::Borrow => "Result<&'a i64, Failure>",
            Self::BorrowMut => "Result<&'a mut i64, Failure>",
            Self::Maybe => "Option<i64>",
            Self::Plain => "i64",
            Self::Reply => "Reply",
        }
    }

    pub(crate) fn tries(self) -> Tries {
        match self {
            Self::Plain | Self::Reply => Tries::Nothing,
            Self::Maybe => Tries::Option,
            _ => Tries::Result,
        }
    }

    /// Returns what `on_denied` has to be, where a denial has no other way.
    pub(crate) fn on_denied(self) -> Option<&'static str> {
        match self {
            Self::Maybe => Some("|_| None"),
            Self::Plain => Some("|error| denied(&error)"),
            Self::Reply => Some("Reply::denied"),
            _ => None,
        }
    }

    /// Returns the output that says that all went well, and holds `value`.
    pub(crate) fn success(self, value: &str) -> String {
        match self {
            Self::Int | Self::Opaque => format!("Ok({value})"),
            Self::Text => format!("Ok(format!(\"{{}}\", {value}))"),
            Self::Unit => format!("Ok({{ let _ = {value}; }})"),
            Self::Borrow => format!("Ok({{ let _ = {value}; lent }})"),
            Self::BorrowMut => format!("Ok({{ let _ = {value}; &mut *lent }})"),
            Self::Maybe => format!("Some({value})"),
            Self::Plain => value.to_owned(),
            Self::Reply => format!("Reply {{ value: {value}, failed: false }}"),
        }
    }

    /// Returns the output that says that it failed, where there is one.
    pub(crate) fn failure(self, value: &str) -> Option<String> {
        match self {
            Self::Int | Self::Text | Self::Opaque | Self::Borrow | Self::BorrowMut => {
                Some(format!("Err(Failure::Own({value}))"))
            }
            Self::Unit => Some(format!("Err(Small({value}))")),
            Self::Maybe => Some("None".to_owned()),
            Self::Plain => None,
            Self::Reply => Some(format!("Reply {{ value: {value}, failed: true }}")),
        }
    }
}
