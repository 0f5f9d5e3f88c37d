//! WebSocket close codes this server sends, and what a client does about each (RFC 6455 7.4).

/// Normal closure: the peer asked for it.
pub const NORMAL: u16 = 1000;
/// The server stops or restarts: come back after the `bye` frame's `retry_ms`.
pub const GOING_AWAY: u16 = 1001;
/// A frame that breaks RFC 6455.
pub const PROTOCOL_ERROR: u16 = 1002;
/// Binary message: this protocol is JSON text.
pub const UNSUPPORTED_DATA: u16 = 1003;
/// Text that is not UTF-8.
pub const INVALID_PAYLOAD: u16 = 1007;
/// Signed out, deactivated, or no longer allowed: do not come back by yourself.
pub const POLICY_VIOLATION: u16 = 1008;
/// A message over `limits::COMMAND_BYTES`.
pub const MESSAGE_TOO_BIG: u16 = 1009;
/// Too many bad commands in a row: the peer does not speak this protocol. Do not come back.
pub const BAD_COMMAND_STREAM: u16 = 4000;
/// The peer read nothing for too long: come back at the cursor.
pub const NO_PROGRESS: u16 = 4001;

/// Whether a client should reconnect by itself after a close with this code.
///
/// Everything it does not know is worth another try: a proxy may have made the code up.
pub const fn should_reconnect(code: u16) -> bool {
    !matches!(code, POLICY_VIOLATION | BAD_COMMAND_STREAM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_stays_away_only_when_it_was_told_to() {
        for code in [POLICY_VIOLATION, BAD_COMMAND_STREAM] {
            assert!(!should_reconnect(code), "{code}");
        }
        let come_back = [
            NORMAL,
            GOING_AWAY,
            UNSUPPORTED_DATA,
            INVALID_PAYLOAD,
            MESSAGE_TOO_BIG,
            NO_PROGRESS,
            1005,
            1006,
            1012,
            4999,
        ];
        for code in come_back {
            assert!(should_reconnect(code), "{code}");
        }
    }

    #[test]
    fn own_codes_are_in_the_private_range() {
        // RFC 6455 7.4.2: 4000 to 4999 are for private use.
        for code in [BAD_COMMAND_STREAM, NO_PROGRESS] {
            assert!((4_000..5_000).contains(&code), "{code}");
        }
    }
}
