//! The query of `/chat`: `?after=<cursor>&seen=<n>&mode=batch&wait=<s>`.
//!
//! Read once, judged where it matters: a WebSocket has no use for `mode` and `wait`, so a wrong
//! one does not keep it out. `after` is not judged at all: a bad cursor is answered by a `reset`
//! frame, on every transport. Unknown parameters are ignored, of a repeated one the first counts.

use std::borrow::Cow;

use crate::limits;

/// The parameters of `/chat`, percent-decoded and not yet judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatQuery {
    after: Option<String>,
    seen: Option<String>,
    mode: Option<String>,
    wait: Option<String>,
}

impl ChatQuery {
    /// Reads a query, without its `?`.
    pub fn parse(query: Option<&str>) -> Self {
        let mut parsed = Self::default();
        for pair in query.unwrap_or_default().split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match decode(key).as_ref() {
                "after" => &mut parsed.after,
                "seen" => &mut parsed.seen,
                "mode" => &mut parsed.mode,
                "wait" => &mut parsed.wait,
                _ => continue,
            };
            slot.get_or_insert_with(|| decode(value).into_owned());
        }
        parsed
    }

    /// The cursor to go on from, as sent: it may not be one. `Last-Event-ID` wins over it. An
    /// empty one counts as absent.
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref().filter(|after| !after.is_empty())
    }

    /// `seen` of a batch client's last `ready`; `None` also for one that
    /// [`decide`](super::decide) refuses.
    pub fn seen(&self) -> Option<u64> {
        self.seen.as_deref().and_then(number)
    }

    /// For streams and batches: `Some` is a batch, with its waiting time in seconds. The error is
    /// a sentence about the parameter at fault.
    pub(super) fn checked(&self) -> Result<Option<u64>, &'static str> {
        if self.seen.is_some() && self.seen().is_none() {
            return Err("`seen` must be the number from the last `ready` frame, or left out");
        }
        let wait_s = match self.wait.as_deref() {
            None => limits::BATCH_WAIT_DEFAULT_S,
            Some(wait) => number(wait)
                .ok_or(
                    "`wait` must be a whole number of seconds, such as `wait=20`; more than 25 counts as 25",
                )?
                .min(limits::BATCH_WAIT_MAX_S),
        };
        match self.mode.as_deref() {
            None => Ok(None),
            Some("batch") => Ok(Some(wait_s)),
            Some(_) => Err("`mode` must be `batch`, or left out for an endless event stream"),
        }
    }
}

/// A whole number; one too large for 64 bits counts as the largest.
fn number(text: &str) -> Option<u64> {
    // `u64::from_str` would take a leading `+`.
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

/// Percent-decoding as of HTML forms; a `%` without two hex digits stands for itself.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => match escape(after) {
                Some((byte, after)) => {
                    rest = after;
                    byte
                }
                None => b'%',
            },
            byte => *byte,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// The byte that two hex digits stand for, and what follows them.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = text else { return None };
    let value = |digit: u8| char::from(digit).to_digit(16);
    let byte = u8::try_from(value(*high)? * 16 + value(*low)?).ok()?;
    Some((byte, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_unknown_ones_ignored() {
        let query = ChatQuery::parse(Some("x=1&%61fter=k7%2e42&seen=9&&after=late&=&y"));
        assert_eq!(query.after(), Some("k7.42"));
        assert_eq!(query.seen(), Some(9));
        assert_eq!(query.checked(), Ok(None));
    }

    #[test]
    fn an_empty_cursor_counts_as_absent() {
        assert_eq!(ChatQuery::parse(Some("after=")).after(), None);
        assert_eq!(ChatQuery::parse(None).after(), None);
    }

    #[test]
    fn broken_escapes_stand_for_themselves() {
        for (text, expected) in [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%4x%41", "%4xA"), ("a+b", "a b")]
        {
            assert_eq!(decode(text), expected);
        }
        assert_eq!(decode("%ff"), "\u{fffd}");
        assert_eq!(decode("%C3%A9"), "é");
    }

    #[test]
    fn a_wait_over_the_limit_is_the_limit() {
        for wait in ["26", "99999999999999999999999999"] {
            let query = format!("mode=batch&wait={wait}");
            assert_eq!(ChatQuery::parse(Some(&query)).checked(), Ok(Some(limits::BATCH_WAIT_MAX_S)));
        }
    }

    #[test]
    fn the_sentence_about_wait_names_the_real_limit() {
        let refused = ChatQuery::parse(Some("wait=x")).checked();
        assert!(refused.is_err_and(|sentence| sentence.contains(&limits::BATCH_WAIT_MAX_S.to_string())));
    }
}
