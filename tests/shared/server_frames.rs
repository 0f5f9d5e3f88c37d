//! Reads what a server wrote on a WebSocket as RFC 6455 5 wants it, independent of the product.

/// Everything that was written is whole frames, one a message, unmasked, with no extension; text is
/// UTF-8, control frames are short, and nothing comes after a close, whose code may be sent.
pub(crate) fn assert_well_formed(written: &[u8]) {
    let mut rest = written;
    while !rest.is_empty() {
        let (first, payload, after) = frame(rest).unwrap_or_else(|| panic!("half a frame: {rest:?}"));
        let opcode = first & 0x0f;
        assert_eq!(first & 0xf0, 0x80, "whole, and no extension was agreed on: {first:#x}");
        assert!(opcode < 8 || payload.len() <= 125, "a control frame is short: {rest:?}");
        match opcode {
            1 => assert!(std::str::from_utf8(payload).is_ok(), "text is UTF-8"),
            2 | 9 | 10 => {}
            8 => {
                assert!(after.is_empty(), "a close is the last: {rest:?}");
                assert_close(payload);
            }
            other => panic!("nobody sends opcode {other}"),
        }
        rest = after;
    }
}

/// The first byte of a frame, its payload, and what follows.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [first, length, rest @ ..] = bytes else { return None };
    assert!(length & 0x80 == 0, "a server does not mask");
    let (length, rest) = match length & 0x7f {
        126 => (u64::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?)), rest.get(2..)?),
        127 => (u64::from_be_bytes(rest.get(..8)?.try_into().ok()?), rest.get(8..)?),
        short => (u64::from(short), rest),
    };
    let length = usize::try_from(length).ok()?;
    Some((*first, rest.get(..length)?, rest.get(length..)?))
}

/// RFC 6455 7.4: the codes of the standard that may be on the wire, of the registry, and private ones.
fn assert_close(payload: &[u8]) {
    let Some((code, reason)) = payload.split_at_checked(2) else {
        assert!(payload.is_empty(), "half a code");
        return;
    };
    let code = u16::from_be_bytes([code[0], code[1]]);
    let may_be_sent = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    assert!(may_be_sent, "code {code}");
    std::str::from_utf8(reason).expect("a reason is UTF-8");
}
